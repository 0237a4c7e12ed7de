"""WebSockets for connectors: one guarded connection, errors that are `Retryable` or `Fatal`."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)

from connectors.contract import Fatal, Retryable
from connectors.http import CONNECT_S, USER_AGENT, check
from connectors.ingest.guard import is_public

T = TypeVar("T")

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A message of any supported stream is below 1 MB."""

QUEUE_MESSAGES = 1024
"""Messages read ahead while a page is published; beyond it TCP holds the server back."""


@asynccontextmanager
async def connected(
    url: str,
    *,
    now: datetime,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    accept: tuple[int, ...] = (),
) -> AsyncIterator[ClientConnection]:
    """Open a connection and close it at the end.

    Parameters
    ----------
    url
        `wss://...` (or `ws://` inside one's own network).
    now
        For Retry-After dates of a refused handshake.
    headers
        Sent with the handshake; credentials belong here, never into the address.
    allow_private
        The operator said that the server is inside their own network.
    accept
        Refusals that the caller judges itself: they are raised as `InvalidStatus`.

    Raises
    ------
    Retryable, Fatal
        As for HTTP requests (`connectors.http.ask`).
    """
    where = urlsplit(url).hostname or "the stream"
    try:
        addressed: dict[str, Any] = {} if allow_private else {"host": await _public_address(url)}
        opening = connect(
            url,
            additional_headers=dict(headers or {}),
            user_agent_header=USER_AGENT,
            open_timeout=CONNECT_S,
            close_timeout=1,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=QUEUE_MESSAGES,
            compression=None,
            proxy=None,
            **addressed,
        )
        connection = await _opened(opening, where)
        try:
            yield connection
        finally:
            await connection.close()
    except InvalidStatus as e:
        status = e.response.status_code
        if status in accept:
            raise
        check(status, dict(e.response.headers.raw_items()), where=where, now=now)
        raise Retryable(f"{where}: answers {status} where a stream was asked for") from e
    except InvalidURI as e:
        raise Fatal(f"{where}: not the address of a stream") from e
    except ConnectionClosed as e:
        raise Retryable(f"{where}: {closed(e)}") from e
    except (InvalidHandshake, WebSocketException) as e:
        # Only the kind: the text of an error may hold what was sent.
        raise Retryable(f"{where}: the handshake failed ({type(e).__name__})") from e
    except TimeoutError as e:
        raise Retryable(f"{where}: no answer in time") from e
    except OSError as e:
        raise Retryable(f"{where}: no connection") from e


async def _opened(opening: connect, where: str) -> ClientConnection:
    try:
        return await opening
    except ValueError as e:
        # Its word for a redirect to another host: the address that was checked is the only one.
        raise Fatal(f"{where}: redirects to another server: configure that one's address") from e


async def gathered(
    receive: Callable[[], Awaitable[T]], *, most: int, wait_s: float, gather_s: float
) -> list[T]:
    """Wait for a message, then a moment for those that follow; nothing for `wait_s` is none.

    What was read before the connection broke is returned; the next call raises.

    Raises
    ------
    ConnectionClosed
        If the connection is gone and nothing was read.
    """
    found: list[T] = []
    try:
        async with asyncio.timeout(wait_s) as waiting:
            while len(found) < most:
                found.append(await receive())
                if len(found) == 1:
                    waiting.reschedule(asyncio.get_running_loop().time() + gather_s)
    except TimeoutError:
        pass
    except ConnectionClosed:
        if not found:
            raise
    return found


def closed(error: ConnectionClosed) -> str:
    """Say why a connection closed, by its code (RFC 6455, 7.4.1); reasons may hold anything."""
    code = error.rcvd.code if error.rcvd else None
    return f"the stream was closed (code {code})" if code else "the stream broke off"


async def _public_address(url: str) -> str:
    """Resolve a host once and return the address to connect to, if all of them are public."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    loop = asyncio.get_running_loop()
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]) for info in found]
    for address in addresses:
        if not is_public(address):
            raise Fatal(
                f"{host} leads to {address}, which is not public; if the source is inside your "
                "own network, set allow_private = true"
            )
    return addresses[0]
