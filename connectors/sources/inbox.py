"""An HTTP server for deliveries whose senders hear "taken" only when the log has them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any, NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request

from connectors.contract import BadItem, Fatal, Item, Page

HEARTBEAT_S = 2.0
"""Nothing delivered for so long is an empty page: silence is no blindness."""

PAGE_ITEMS = 1000
"""Items of waiting deliveries that go to the log together; one larger delivery goes alone."""

BODY_S = 10.0
"""A body has to be here by then: slow ones must not hold connections."""


class TooMuch(Exception):
    """More waits for the log than may: the sender has to come again."""


class Stopping(Exception):
    """The service stops and has not taken the delivery: the sender has to come again."""


class Delivery(NamedTuple):
    """One request's items, and who waits for them."""

    items: tuple[Item | BadItem, ...]
    done: "asyncio.Future[None]"


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:
        """Leave signals to the service."""
        return nullcontext()


class Inbox:
    """Deliveries between the web application and the stream.

    Parameters
    ----------
    most
        Items that may wait for the log.
    """

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        self._held = 0
        self._open = False
        self.port = 0

    async def put(self, items: tuple[Item | BadItem, ...]) -> None:
        """Hand items over and return when the log has acknowledged them.

        Raises
        ------
        TooMuch
            If more waits for the log than may.
        Stopping
            If the service stops before the log has them.
        """
        if not self._open:
            raise Stopping
        if self._held + len(items) > self._most:
            raise TooMuch
        delivery = Delivery(items, asyncio.get_running_loop().create_future())
        self._held += len(items)
        self._waiting.put_nowait(delivery)
        try:
            await asyncio.shield(delivery.done)
        except asyncio.CancelledError:
            if delivery.done.cancelled():
                raise Stopping from None
            raise
        finally:
            self._held -= len(items)

    async def pages(self, app: Starlette, host: str, port: int) -> AsyncGenerator[Page, None]:
        """Serve an application and yield what it puts here; nothing after a while is a page, too.

        Whoever asks for the next page has the last one on the log; at the end the senders of what
        was not taken hear it.

        Raises
        ------
        Fatal
            If the port is taken.
        """
        taken: list[Delivery] = []
        async with self._listening(app, host, port):
            try:
                while True:
                    taken = await self._take()
                    yield Page(tuple(i for d in taken for i in d.items), None)
                    for delivery in taken:
                        if not delivery.done.done():
                            delivery.done.set_result(None)
            finally:
                for delivery in taken:
                    delivery.done.cancel()

    async def _take(self) -> list[Delivery]:
        """Return what waits, up to a page; nothing after a while: silence is no blindness."""
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                taken = [await self._waiting.get()]
        except TimeoutError:
            return []
        count = len(taken[0].items)
        while count < PAGE_ITEMS and not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
            count += len(taken[-1].items)
        return taken

    @asynccontextmanager
    async def _listening(self, app: Starlette, host: str, port: int) -> AsyncIterator[None]:
        server = _Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
                server_header=False,
                limit_concurrency=1000,
            )
        )

        async def serve() -> None:
            try:
                await server.serve()
            except SystemExit:  # uvicorn's way to say that the port is taken
                return

        serving = asyncio.create_task(serve(), name=f"inbox {host}:{port}")
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event
            await asyncio.sleep(0.01)
        if not server.started:
            raise Fatal(f"cannot listen on {host}:{port}: is the port taken? Set another one")
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self._open = True
        try:
            yield
        finally:
            self._open = False
            while not self._waiting.empty():
                self._waiting.get_nowait().done.cancel()
            server.should_exit = True
            await asyncio.wait({serving}, timeout=2)
            serving.cancel()


async def body_of(request: Request, *, limit: int) -> bytes | None:
    """Return a request's body; None if it is larger than allowed.

    Raises
    ------
    TimeoutError
        If it does not come in time, or its sender goes away.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > limit:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    return None
    except ClientDisconnect as e:
        raise TimeoutError from e
    return bytes(body)
