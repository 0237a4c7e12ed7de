"""The writing routes: login, what people do about an incident, signed links."""

import asyncio
from datetime import UTC, datetime, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from response.incidents import KINDS, SNOOZE_LONGEST, action, record
from response.links import BadLink, Ticket, action_id, read
from response.metrics import ACTIONS
from response.page.guard import SESSION, client, form_of, refusal
from response.page.pieces import incident_json
from response.page.view import is_open
from response.page.web import Page, language, page_of, render, wants_html
from response.words import say
from streams.log.port import Unavailable
from streams.records import Action, Incident

SNOOZES = (30, 60, 120, 480)
"""Minutes offered."""


async def login_page(request: Request) -> Response:
    """The form."""
    page_of(request).guard.host(request)
    then = _local(request.query_params.get("then", "/"))
    return render(request, "login.html", detail="", then=then, name="")


async def login(request: Request) -> Response:
    """Check name and password; a wrong one says no more than that."""
    guard = page_of(request).guard
    guard.host(request)
    guard.same_origin(request)
    form = await form_of(request)
    guard.slow(guard.logins, client(request))
    guard.slow(guard.logins_by_name, form.get("name", "")[:64])
    # scrypt takes 50 ms: in a thread, or each try would stop every visitor's stream.
    found = await asyncio.to_thread(guard.login, form)
    then = _local(form.get("then", "/"))
    if found is None:
        refused = refusal("login", 401, "Name or password is wrong.")
        if not wants_html(request):
            raise refused
        # The form again, with the name and with where the person wanted to go.
        said, name = say(language(request), refused.detail), form.get("name", "")[:64]
        return render(request, "login.html", 401, detail=said, then=then, name=name)
    response = RedirectResponse(then, 303)
    guard.set_cookie(response, SESSION, found[1], guard.page.session_hours)
    return response


async def logout(request: Request) -> Response:
    """End the session in this browser."""
    guard = page_of(request).guard
    visitor = guard.reader(request)
    guard.genuine(request, visitor, await form_of(request))
    response = RedirectResponse("/", 303)
    response.delete_cookie(SESSION)
    return response


def _local(then: str) -> str:
    # Only paths of ours: a login must not send people on to somebody else's site.
    return then if then.startswith("/") and not then.startswith(("//", "/\\")) else "/"


def _incident(page: Page, incident_id: str) -> Incident:
    found = page.view.find(incident_id)
    if found is None:
        raise HTTPException(404, "No such incident here: it may be older than what the page keeps.")
    return found


async def incident_page(request: Request) -> Response:
    """All of one incident, with what people may do."""
    page = page_of(request)
    page.guard.reader(request)
    found = _incident(page, request.path_params["incident"])
    run = page.view.run(found.run)
    return render(
        request,
        "incident.html",
        incident=incident_json(found, run, page.titles, language(request)),
        is_open=is_open(found),
        clock=run.clock,
        snoozes=SNOOZES,
    )


async def act(request: Request) -> Response:
    """Record what a responder did."""
    page = page_of(request)
    visitor = page.guard.writer(request)
    form = await form_of(request)
    page.guard.genuine(request, visitor, form)
    found = _incident(page, request.path_params["incident"])
    kind = form.get("kind", "")
    if kind not in KINDS:
        raise HTTPException(400, "Unknown action.")
    text = form.get("text", "")
    if kind == "note" and not text.strip():
        raise HTTPException(400, "The note is empty.")
    snooze = _snooze(form) if kind == "snooze" else None
    now = datetime.fromtimestamp(page.clock(), UTC)
    await keep(page, action(found, kind, visitor.name, "page", now=now, text=text, snooze=snooze))
    return RedirectResponse(request.url.path, 303)


def _snooze(form: dict[str, str]) -> timedelta:
    try:
        asked = timedelta(minutes=int(form.get("minutes", "")))
    except (ValueError, OverflowError) as e:
        raise HTTPException(400, "Say for how many minutes.") from e
    if not timedelta(0) < asked <= SNOOZE_LONGEST:
        raise HTTPException(400, "Snooze for a minute up to seven days.")
    return asked


async def keep(page: Page, done: Action) -> None:
    """Record an action; 503 if the log is away."""
    try:
        await record(page.log, done)
    except Unavailable as e:
        raise HTTPException(503, "Not recorded: the log is away. Try again.") from e
    # The feed will bring it too (and drop it by its id); the person sees it now.
    page.view.action(done, page.clock())
    ACTIONS.labels(done.kind, done.via.split("/")[0]).inc()


async def link_page(request: Request) -> Response:
    """GET shows, and changes nothing: chat programs fetch every link for a preview."""
    page = page_of(request)
    ticket, found = _ticket(request)
    used = action_id(request.path_params["token"]) in page.view.used
    run = page.view.run(found.run)
    return render(
        request,
        "acknowledge.html",
        incident=incident_json(found, run, page.titles, language(request)),
        is_open=is_open(found),
        used=used,
        token=request.path_params["token"],
        target=ticket.target,
        name=request.cookies.get("siaga_name", "")[:60],
    )


async def link_use(request: Request) -> Response:
    """POST acknowledges, once: a form of ours, or a chat's button as JSON."""
    page = page_of(request)
    page.guard.same_origin(request)
    ticket, found = _ticket(request)
    form = await form_of(request)
    visitor = page.guard.visitor(request)
    who = visitor.name if visitor else form.get("who", "").strip()[:60]
    if not who:
        raise HTTPException(400, "Say who you are: others must know who is on it.")
    done = action_id(request.path_params["token"])
    if done in page.view.used:
        raise refusal("link", 410, "This link was used already.")
    now = datetime.fromtimestamp(page.clock(), UTC)
    await keep(page, action(found, "ack", who, f"link/{ticket.target}", now=now, action_id=done))
    if not wants_html(request):
        return JSONResponse({"acknowledged_by": who, "incident": found.id})
    response = RedirectResponse(request.url.path, 303)
    response.set_cookie("siaga_name", who, max_age=31_536_000, samesite="lax", httponly=True)
    return response


def _ticket(request: Request) -> tuple[Ticket, Incident]:
    page = page_of(request)
    page.guard.slow(page.guard.links, client(request))
    try:
        ticket = read(page.guard.secret, request.path_params["token"], "ack", now=page.clock())
    except BadLink as e:
        raise refusal("link", 410, "This link is not valid, or no longer.") from e
    return ticket, _incident(page, ticket.incident)


ROUTES = [
    Route("/login", login_page, methods=["GET"]),
    Route("/login", login, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
    Route("/a/{token}", link_page, methods=["GET"]),
    Route("/a/{token}", link_use, methods=["POST"]),
    Route("/incident/{incident:path}", incident_page, methods=["GET"]),
    Route("/incident/{incident:path}", act, methods=["POST"]),
]
