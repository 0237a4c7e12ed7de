"""HTTP for connectors: one client a source, and answers that are pages, `Retryable` or `Fatal`.

A connector asks with `ask` and reads bytes; status codes, rate limits, time-outs, sizes, redirects
and private addresses are dealt with here, once.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import msgspec

from connectors.contract import Context, Fatal, Retryable
from connectors.ingest.guard import MAX_BODY_BYTES, GuardedTransport, PrivateAddress, read_body
from connectors.ingest.schedule import limited_for_s

T = TypeVar("T")

USER_AGENT = "siaga (+brand monitoring; contact in the operator's configuration)"

for _library in ("httpx", "httpcore"):
    # They log whole addresses and headers, and with them the keys.
    logging.getLogger(_library).setLevel(logging.WARNING)

CONNECT_S = 10.0
"""Until the connection stands."""
ASK_S = 45.0
"""The whole answer has to be there by then: a body that drips must not hold the source."""

MAX_REDIRECTS = 5


class Answer(msgspec.Struct, frozen=True):
    """A successful answer, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes

    def json(self, kind: type[T]) -> T:
        """Decode the body.

        Raises
        ------
        Retryable
            If it is no JSON of that shape: servers under load answer with HTML or half a body.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            # msgspec names the place, never the value, so no secret of a body gets into a log.
            raise Retryable(f"the answer cannot be read: {e}") from e


def client(
    context: Context,
    *,
    allow_private: bool = False,
    headers: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """Return a client whose requests go to public addresses only.

    Parameters
    ----------
    context
        Its `transport`, where tests put one, replaces the network.
    allow_private
        The operator said that this source is inside their own network.
    headers
        Sent with each request, and not to another host after a redirect if they authorise.
    """
    transport = context.transport
    if transport is None:
        transport = httpx.AsyncHTTPTransport(retries=0) if allow_private else GuardedTransport()
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(ASK_S, connect=CONNECT_S),
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **(headers or {})},
        trust_env=False,
    )


async def ask(
    http: httpx.AsyncClient,
    url: str,
    *,
    method: str = "GET",
    params: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    json: object = None,
    accept: tuple[int, ...] = (),
    limit: int = MAX_BODY_BYTES,
    within_s: float = ASK_S,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Answer:
    """Ask and read the whole answer.

    Parameters
    ----------
    accept
        Further status codes that are an answer (304 for conditional requests).
    limit
        Bytes that the body may have, unpacked.
    within_s
        Seconds for the whole exchange.
    now
        Clock for Retry-After dates.

    Raises
    ------
    Retryable
        Network trouble, time-outs, 408, 425, 429 and 5xx; with the wait that the server asks for.
    Fatal
        401, 403 and other 4xx, a private address, a body beyond `limit`.
    """
    where = httpx.URL(url).host or url[:80]
    try:
        async with asyncio.timeout(within_s):
            request = http.build_request(
                method, url, params=params, headers=headers, json=json if json is not None else None
            )
            response = await http.send(request, stream=True)
            try:
                body = await read_body(response, limit=limit)
            finally:
                await response.aclose()
    except TimeoutError as e:
        raise Retryable(f"{where}: no whole answer within {within_s:g} s") from e
    except PrivateAddress as e:
        raise Fatal(
            f"{e}; if the source is inside your own network, set allow_private = true"
        ) from e
    except httpx.TooManyRedirects as e:
        raise Fatal(f"{where}: more than {MAX_REDIRECTS} redirects") from e
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as e:
        raise Fatal(f"{where}: not an address that can be fetched") from e
    except httpx.HTTPError as e:
        # Only the kind: the text of an error may hold the address with its key.
        raise Retryable(f"{where}: {_kind(e)}") from e
    check(response.status_code, response.headers, where=where, accept=accept, now=now())
    return Answer(response.status_code, response.headers, body)


def check(
    status: int,
    headers: Mapping[str, str],
    *,
    where: str,
    accept: tuple[int, ...] = (),
    now: datetime,
) -> None:
    """Raise what a status code means for the runner; return if it is an answer.

    Raises
    ------
    Retryable, Fatal
        As `ask`; a refusal that names a wait is `Retryable`.
    """
    if 200 <= status < 300 or status in accept:
        return
    wait_s = limited_for_s(headers, now=now)
    if status in (408, 425, 429) or status >= 500:
        told = "asks us to slow down" if status == 429 else f"answers {status}"
        raise Retryable(f"{where}: {told}", after_s=wait_s)
    if status == 403 and wait_s is not None:
        # Some APIs limit rates with 403 and say until when.
        raise Retryable(f"{where}: asks us to slow down", after_s=wait_s)
    if status in (401, 403):
        raise Fatal(f"{where}: refused ({status}): check the credentials and their permissions")
    if status in (404, 410):
        raise Fatal(f"{where}: not found ({status}): check the address")
    raise Fatal(f"{where}: answers {status}: the request is not accepted")


def _kind(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return f"the connection broke ({type(error).__name__})"
