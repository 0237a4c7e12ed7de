"""Serves fixtures on loopback: real sockets, real HTTP, ephemeral ports."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

Answer = Callable[[httpx.Request], httpx.Response]
Asgi = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
    Awaitable[None],
]


@asynccontextmanager
async def serving(app: Asgi) -> AsyncIterator[str]:
    """Serve an ASGI application; yields `127.0.0.1:PORT`."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="critical",
        ws="websockets-sansio",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110  # uvicorn offers a flag, no event
            await asyncio.sleep(0.005)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def as_app(answer: Answer) -> Asgi:
    """Serve a function from request to response as HTTP."""

    async def app(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        query = scope["query_string"].decode()
        url = f"http://local{scope['raw_path'].decode()}" + (f"?{query}" if query else "")
        request = httpx.Request(scope["method"], url, headers=scope["headers"], content=body)
        response = answer(request)
        headers = [(k.lower(), v) for k, v in response.headers.raw]
        status = response.status_code
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})

    return app
