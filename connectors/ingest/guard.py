"""Guards of requests to addresses that a configuration or a source names.

A feed's address, a redirect or a DNS answer could lead into our own network; a body could unpack
to gigabytes or drip for hours. The check of the address happens at the connection itself, on the
very address that is then used, so that a second DNS answer cannot differ from the checked one.
"""

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import AsyncIterator, Iterable
from types import TracebackType

import httpcore
import httpx

from connectors.contract import Fatal, Retryable

MAX_BODY_BYTES = 16 * 1024 * 1024
"""A page of any supported API is below 1 MB; sixteen times that is a mistake or an attack."""

CHUNK = 64 * 1024


class PrivateAddress(Exception):
    """The host is, or resolves to, an address that is not of the public internet."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet.

    >>> [is_public(a) for a in ("8.8.8.8", "10.0.0.1", "127.0.0.1", "169.254.169.254", "::1")]
    [True, False, False, False, False]
    >>> is_public("::ffff:127.0.0.1"), is_public("64:ff9b::7f00:1"), is_public("2002:7f00:1::")
    (False, False, False)
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)  # NAT64
        if inner:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves names itself and connects only to public addresses."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as e:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {e}") from e
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        # One private answer among public ones is as bad: which one is used is a matter of luck.
        for address in addresses:
            if not is_public(address):
                raise PrivateAddress(f"{host} leads to {address}, which is not public")
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as e:
                error = e
        raise error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del timeout, socket_options
        raise PrivateAddress(f"{path} is a local socket")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, pool_stream: AsyncIterator[bytes], response: httpcore.Response) -> None:
        self._stream = pool_stream
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except httpcore.TimeoutException as e:
            raise httpx.ReadTimeout(str(e)) from e
        except (httpcore.NetworkError, httpcore.ProtocolError) as e:
            raise httpx.ReadError(str(e)) from e

    async def aclose(self) -> None:
        await self._response.aclose()


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that connects to public addresses only, redirects included."""

    def __init__(self) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=10,
            keepalive_expiry=30,
            network_backend=_GuardedBackend(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises
        ------
        PrivateAddress
            If its host leads into a private network.
        """
        if request.url.scheme not in ("http", "https"):
            raise PrivateAddress(f"{request.url.scheme}: is not fetched, only http and https")
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = await self._pool.handle_async_request(sent)
        except httpcore.TimeoutException as e:
            raise httpx.ConnectTimeout(str(e), request=request) from e
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as e:
            raise httpx.ConnectError(str(e), request=request) from e
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.aiter_stream(), answer),
            extensions=answer.extensions,
        )

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


async def read_body(response: httpx.Response, *, limit: int = MAX_BODY_BYTES) -> bytes:
    """Read a body of bounded size; gzip and deflate are unpacked within the same bound.

    Raises
    ------
    Fatal
        If it is larger.
    Retryable
        If it is cut short or packed in a way that was not asked for.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise Retryable(f"the answer is packed as {encoding[:20]!r}, which was not asked for")
    unpack = None
    if encoding in ("gzip", "x-gzip"):
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    elif encoding == "deflate":
        unpack = zlib.decompressobj()
    body = bytearray()
    try:
        async for part in response.aiter_raw(CHUNK):
            body += unpack.decompress(part, limit + 1 - len(body)) if unpack else part
            if len(body) > limit:
                raise Fatal(f"the answer is larger than {limit // 1024:,} KB: is it the right URL?")
    except zlib.error as e:
        raise Retryable("the answer's compression is damaged") from e
    if unpack and body and not unpack.eof:
        raise Retryable("the answer was cut short")
    return bytes(body)
