"""What all routes share: the page's parts, and templates in the visitor's language."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from response.notify.relay import Relay
from response.page.guard import Guard
from response.page.view import View
from response.settings import PageSettings
from response.words import Language, catalog, chosen, say, topics
from streams.log.port import Log
from streams.settings import RootSettings

HERE = Path(__file__).parent
YEAR_S = 31_536_000


@dataclass
class Page:
    """What the routes share."""

    settings: RootSettings
    view: View
    log: Log
    guard: Guard
    clock: Callable[[], float]
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    visitors: int = 0
    relay: Relay | None = None
    """None where nothing is relayed."""

    @property
    def page(self) -> PageSettings:
        return self.settings.section(PageSettings)

    @property
    def titles(self) -> dict[str, str]:
        return {name: brand.title for name, brand in self.settings.brands.items()}


def page_of(request: Request) -> Page:
    """The page that a request is for."""
    page: Page = request.app.state.page
    return page


def language(request: Request) -> Language:
    """?lang= wins and is remembered in a cookie; then the configuration."""
    wanted = request.query_params.get("lang") or request.cookies.get("siaga_lang")
    return chosen(wanted, page_of(request).settings.language)


def render(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A template in the visitor's language."""
    page, lang = page_of(request), language(request)
    config = {
        "language": lang,
        "zone": page.settings.time_zone,
        "words": _words(lang),
        "topics": topics(lang, page.settings.taxonomy.taxonomy),
        "stale_after_s": page.page.stale_after_s,
    }
    html = (
        _templates(lang)
        .get_template(template)
        .render(
            lang=lang,
            config=config,
            visitor=page.guard.visitor(request),
            login_possible=bool(page.guard.people.users()),
            **values,
        )
    )
    response = HTMLResponse(html, status)
    if request.query_params.get("lang") == lang:
        response.set_cookie("siaga_lang", lang, max_age=YEAR_S, samesite="lax")
    return response


@cache
def _words(lang: Language) -> dict[str, str]:
    """All texts, for the scripts; gettext has no public way to list them."""
    held: dict[object, object] = getattr(catalog(lang), "_catalog", {})
    return {str(k): str(v) for k, v in held.items() if k}


@cache
def _templates(lang: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The extension adds this method at run time; Jinja publishes no type for it.
    environment.install_gettext_translations(catalog(lang), newstyle=True)  # type: ignore[attr-defined]
    return environment


def wants_html(request: Request) -> bool:
    """Is it a person's browser, and no script of ours or somebody's button?"""
    return "text/html" in request.headers.get("accept", "")


async def refused(request: Request, error: Exception) -> Response:
    """A refusal that a person can read; machines get the status."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    headers = error.headers if isinstance(error, HTTPException) else None
    if wants_html(request):
        said = say(language(request), detail)
        name = "login.html" if status == 401 else "refused.html"
        values: dict[str, object] = {"detail": said, "then": request.url.path, "name": ""}
        response: Response = render(request, name, status, **values)
    else:
        response = JSONResponse({"error": detail}, status)
    response.headers.update(headers or {})
    return response


async def broken(_: Request, __: Exception) -> Response:
    """Something of ours failed; the traceback is in the log."""
    return JSONResponse({"error": "the page failed; its log says why"}, 500)
