"""The application: reading routes and the stream of events; `desk` has the writing ones."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from response.page import desk, relay, snapshot
from response.page.guard import TV, refusal
from response.page.headers import SecurityHeaders
from response.page.pieces import Json
from response.page.view import RunView
from response.page.web import HERE, Page, broken, language, page_of, refused, render

PERIOD_S = 0.25
"""Browsers are told at most four times a second, however fast the minutes come."""
HEARTBEAT_S = 5.0
"""An unchanged page is sent again, so that ages move and a dead connection is noticed."""
BUSY_RATIO = 10
"""A visitor's snapshots take at most a tenth of one core: the worker may share it."""
VISITORS = 200
"""Open pages at most: each holds a stream of events."""
MINUTES = (60, 180, 360, 1440)
WALL_MINUTES = 180
TV_DAYS = 365
"""How long a screen in the office stays admitted."""


def build(page: Page) -> Starlette:
    """The ASGI application over a view that somebody else fills."""
    app = Starlette(
        routes=[
            Route("/", live),
            Route("/wall", wall),
            Route("/events", events),
            Route("/healthz", health),
            *desk.ROUTES,
            *relay.ROUTES,
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: refused, 500: broken},
    )
    app.state.page = page
    return app


async def live(request: Request) -> Response:
    """The live page."""
    page_of(request).guard.reader(request)
    return render(request, "live.html", minutes=MINUTES, state=_state(request))


async def wall(request: Request) -> Response:
    """The wall view; a TV shows its token once and gets a cookie for it."""
    guard = page_of(request).guard
    if token := request.query_params.get("token"):
        guard.slow(guard.logins, "tv")
        cookie = guard.tv_cookie(token)
        if cookie is None:
            raise refusal("login", 401, "This TV token is not the right one.")
        # Away with the token: addresses are kept in histories and shown on screens.
        response: Response = RedirectResponse("/wall", 303)
        guard.set_cookie(response, TV, cookie, TV_DAYS * 24)
        return response
    guard.reader(request, wall=True)
    return render(request, "wall.html", state=_state(request, WALL_MINUTES))


async def health(request: Request) -> Response:
    """For a load balancer: the page answers and says how long the stream has been silent."""
    page = page_of(request)
    run = page.view.latest()
    silent = None if run is None else round(page.clock() - run.arrived, 1)
    return JSONResponse({"ok": True, "silent_s": silent})


def _run(request: Request) -> RunView | None:
    view = page_of(request).view
    wanted = request.query_params.get("run")
    return (view.runs.get(wanted) if wanted else None) or view.latest()


def _state(request: Request, default_minutes: int = 360) -> Json:
    page = page_of(request)
    try:
        minutes = int(request.query_params.get("minutes", default_minutes))
    except ValueError as e:
        raise HTTPException(400, "minutes must be a number") from e
    return snapshot.page(
        page.view,
        _run(request),
        brand=request.query_params.get("brand"),
        minutes=max(10, min(minutes, page.view.history)),
        titles=page.titles,
        language=language(request),
        now=page.clock(),
        stale_after_s=page.page.stale_after_s,
    )


async def events(request: Request) -> Response:
    """Server-sent events: the whole state as often as it changes, coalesced."""
    page = page_of(request)
    page.guard.reader(request, wall=True)
    if page.visitors >= VISITORS:
        raise HTTPException(503, "Too many open pages.")
    first = msgspec.json.encode(_state(request))

    async def stream() -> AsyncIterator[bytes]:
        page.visitors += 1
        try:
            async for chunk in _changes(request, page, first):
                yield chunk
        finally:
            page.visitors -= 1

    return StreamingResponse(
        stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


async def _changes(request: Request, page: Page, body: bytes) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    yield b"retry: 2000\n\n"
    pause = PERIOD_S
    while True:
        yield b"data: " + body + b"\n\n"
        sent, version = loop.time(), _version(request)
        while True:
            await asyncio.sleep(PERIOD_S / 2)
            if page.closing.is_set():
                return
            waited = loop.time() - sent
            if waited >= HEARTBEAT_S or (waited >= pause and version != _version(request)):
                break
        try:
            # Whoever was logged out or taken away sees no more from now on.
            page.guard.reader(request, wall=True)
        except HTTPException:
            return
        began = loop.time()
        body = msgspec.json.encode(_state(request))
        pause = max(PERIOD_S, BUSY_RATIO * (loop.time() - began))


def _version(request: Request) -> tuple[str, int] | None:
    run = _run(request)
    return (run.run, run.version) if run else None
