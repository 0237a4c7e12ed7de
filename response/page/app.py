"""The routes of the live page."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from response.page import snapshot
from response.page.headers import SecurityHeaders
from response.page.view import RunView, View
from response.settings import PageSettings
from response.words import Language, catalog, chosen, say
from streams.settings import RootSettings

HERE = Path(__file__).parent
PERIOD_S = 0.25
"""Browsers are told at most four times a second, however fast the minutes come."""
HEARTBEAT_S = 5.0
"""An unchanged page is sent again, so that ages move and a dead connection is noticed."""
BUSY_RATIO = 10
"""A visitor's snapshots take at most a tenth of one core: the worker may share it."""
VISITORS = 200
MINUTES = (60, 180, 360, 1440)


@dataclass
class Page:
    """What the routes share."""

    settings: RootSettings
    view: View
    clock: Callable[[], float]
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    visitors: int = 0

    @property
    def page(self) -> PageSettings:
        return self.settings.section(PageSettings)

    @property
    def titles(self) -> dict[str, str]:
        return {name: brand.title for name, brand in self.settings.brands.items()}


def build(page: Page) -> Starlette:
    """The ASGI application over a view that somebody else fills."""
    app = Starlette(
        routes=[
            Route("/", live),
            Route("/wall", wall),
            Route("/events", events),
            Route("/healthz", health),
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: refused, 500: broken},
    )
    app.state.page = page
    return app


def _page(request: Request) -> Page:
    page: Page = request.app.state.page
    return page


def language(request: Request) -> Language:
    """?lang= wins and is remembered in a cookie; then the configuration."""
    wanted = request.query_params.get("lang") or request.cookies.get("siaga_lang")
    return chosen(wanted, _page(request).settings.language)


def render(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A template in the visitor's language."""
    page, lang = _page(request), language(request)
    words = {str(k): str(v) for k, v in getattr(catalog(lang), "_catalog", {}).items() if k}
    config = {
        "language": lang,
        "zone": page.settings.time_zone,
        "words": words,
        "stale_after_s": page.page.stale_after_s,
    }
    html = (
        _templates(lang)
        .get_template(template)
        .render(lang=lang, config=config, request=request, path=request.url.path, **values)
    )
    response = HTMLResponse(html, status)
    if request.query_params.get("lang") == lang:
        response.set_cookie("siaga_lang", lang, max_age=31_536_000, samesite="lax")
    return response


_environments: dict[Language, Environment] = {}


def _templates(lang: Language) -> Environment:
    if lang not in _environments:
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # The extension adds this method at run time; Jinja publishes no type for it.
        environment.install_gettext_translations(catalog(lang))  # type: ignore[attr-defined]
        _environments[lang] = environment
    return _environments[lang]


async def live(request: Request) -> Response:
    return render(request, "live.html", minutes=MINUTES, state=_state(request))


async def wall(request: Request) -> Response:
    return render(request, "wall.html", state=_state(request))


async def health(request: Request) -> Response:
    """For a load balancer: the page answers and says how long the stream has been silent."""
    page = _page(request)
    run = page.view.latest()
    silent = None if run is None else round(page.clock() - run.arrived, 1)
    return JSONResponse({"ok": True, "silent_s": silent})


def _run(request: Request) -> RunView | None:
    view = _page(request).view
    wanted = request.query_params.get("run")
    return view.runs.get(wanted) or view.latest() if wanted else view.latest()


def _state(request: Request) -> snapshot.Json:
    page = _page(request)
    try:
        minutes = int(request.query_params.get("minutes", "360"))
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


def _json(request: Request) -> bytes:
    return msgspec.json.encode(_state(request))


async def events(request: Request) -> Response:
    """Server-sent events: the whole state as often as it changes, coalesced."""
    page = _page(request)
    if page.visitors >= VISITORS:
        raise HTTPException(503, "too many open pages")
    first = _json(request)

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
    while True:
        yield b"data: " + body + b"\n\n"
        run = _run(request)
        sent = loop.time()
        version = (run.run, run.version) if run else None
        pause = PERIOD_S
        while version == _version(request) or loop.time() - sent < pause:
            if page.closing.is_set():
                return
            if loop.time() - sent > HEARTBEAT_S:
                break
            await asyncio.sleep(PERIOD_S / 2)
        began = loop.time()
        body = _json(request)
        pause = max(PERIOD_S, BUSY_RATIO * (loop.time() - began))
        await asyncio.sleep(max(0.0, pause - PERIOD_S))


def _version(request: Request) -> tuple[str, int] | None:
    run = _run(request)
    return (run.run, run.version) if run else None


async def refused(request: Request, error: Exception) -> Response:
    """A refusal a person can read; machines get the status."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    headers = error.headers if isinstance(error, HTTPException) else None
    if "text/html" in request.headers.get("accept", ""):
        response: Response = render(
            request, "refused.html", status, detail=say(language(request), detail)
        )
    else:
        response = JSONResponse({"error": detail}, status)
    response.headers.update(headers or {})
    return response


async def broken(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "the page failed; its log says why"}, 500)
