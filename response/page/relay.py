"""The relay's routes: Grafana's webhooks in, and the buttons that people press in a chat.

None of them knows sessions: each has its own proof (a token, a signature), checked before the body
is looked at.
"""

import base64
import binascii
import hmac
import os
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qs

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from response.incidents import action
from response.links import BadLink, action_id, find, read
from response.notify.hook import Hook
from response.notify.relay import NoSuchChat
from response.notify.targets import Failed
from response.page.desk import keep
from response.page.guard import client, refusal
from response.page.view import is_open
from response.page.web import Page, page_of
from response.settings import RelaySettings
from response.text import shown
from response.words import say

BODY_BYTES = 1 << 20
SLACK_AGE_S = 300
"""Slack's own advice against replays: https://api.slack.com/authentication/verifying-requests."""

_hook = msgspec.json.Decoder(Hook)


async def take(request: Request) -> Response:
    """A notification of Grafana; 502 if the chat did not take it, so that Grafana sends again."""
    page = page_of(request)
    _token(request, page)
    body = await _body(request)
    try:
        hook = _hook.decode(body)
    except msgspec.DecodeError as e:
        raise HTTPException(400, f"not a notification of Grafana: {e}") from e
    if page.relay is None or not hook.alerts:
        raise HTTPException(404, "Nothing is relayed here.")
    try:
        told = await page.relay.take(request.path_params["name"], hook)
    except NoSuchChat as e:
        raise HTTPException(404, str(e)) from e
    except Failed as e:
        raise HTTPException(502, f"the chat {e}") from e
    return JSONResponse({"told": told})


async def slack(request: Request) -> Response:
    """A button pressed in Slack (https://api.slack.com/interactivity/handling)."""
    page = page_of(request)
    secret = _secret(page, page.settings.section(RelaySettings).slack_signing_env)
    body = await _body(request)
    stamp = request.headers.get("x-slack-request-timestamp", "")
    signed = hmac.new(secret, f"v0:{stamp}:".encode() + body, sha256).hexdigest()
    shown_to_us = request.headers.get("x-slack-signature", "")
    if not hmac.compare_digest(f"v0={signed}".encode(), shown_to_us.encode()):
        raise refusal("chat", 401, "This request is not Slack's.")
    if not stamp.isdigit() or abs(page.clock() - int(stamp)) > SLACK_AGE_S:
        raise refusal("chat", 401, "This request is too old.")
    try:
        payload = msgspec.json.decode(parse_qs(body.decode())["payload"][0])
        pressed = payload["actions"][0]
        who = str(payload["user"].get("name") or payload["user"]["username"])
    except (UnicodeDecodeError, msgspec.DecodeError, LookupError, TypeError, AttributeError) as e:
        raise HTTPException(400, "not a pressed button") from e
    if pressed.get("action_id") != "siaga_ack":
        return JSONResponse({})  # buttons that open an address report themselves, too
    said = await _acknowledge(page, str(pressed.get("value", "")), who, "slack", long=True)
    return JSONResponse({"response_type": "ephemeral", "replace_original": False, "text": said})


async def telegram(request: Request) -> Response:
    """A button pressed in Telegram (https://core.telegram.org/bots/api#callbackquery)."""
    page = page_of(request)
    secret = _secret(page, page.settings.section(RelaySettings).telegram_secret_env)
    given = request.headers.get("x-telegram-bot-api-secret-token", "")
    if not hmac.compare_digest(secret, given.encode()):
        raise refusal("chat", 401, "This request is not Telegram's.")
    try:
        query = msgspec.json.decode(await _body(request))["callback_query"]
        sender, data, query_id = query["from"], str(query["data"]), str(query["id"])
        who = str(sender.get("username") or sender.get("first_name") or sender["id"])
    except msgspec.DecodeError as e:
        raise HTTPException(400, "not an update of Telegram") from e
    except (LookupError, TypeError, AttributeError):
        return JSONResponse({})  # other updates are none of our business
    said = await _acknowledge(page, data, who, "telegram", long=False)
    return JSONResponse(
        {"method": "answerCallbackQuery", "callback_query_id": query_id, "text": said}
    )


async def _acknowledge(page: Page, token: str, who: str, chat: str, *, long: bool) -> str:
    """Record it once and say what came of it, in words for the person who pressed."""
    language, now = page.settings.language, page.clock()
    try:
        if long:
            incident_id = read(page.guard.secret, token, "ack", now=now).incident
        else:
            known = [i for run in page.view.runs.values() for i in run.incidents]
            incident_id = find(page.guard.secret, token, known, now=now)
    except BadLink:
        refusal("link", 410, "")
        return say(language, "This link is not valid, or no longer.")
    incident = page.view.find(incident_id)
    if incident is None or not is_open(incident):
        return say(language, "This incident is over.")
    if incident.acknowledged_by:
        return say(language, "{who} is on it", who=shown(incident.acknowledged_by, 60))
    at = datetime.fromtimestamp(now, UTC)
    via, done = f"chat/{chat}", action_id(token)
    await keep(page, action(incident, "ack", who, via, now=at, action_id=done))
    return say(language, "{who} is on it", who=shown(who, 60))


def _token(request: Request, page: Page) -> None:
    secret = _secret(page, page.settings.section(RelaySettings).token_env)
    page.guard.slow(page.guard.relays, client(request))
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            given = ""
    if not hmac.compare_digest(secret, given.strip().encode()):
        raise refusal("relay", 401, "The relay takes only what shows its token.")


def _secret(page: Page, variable: str) -> bytes:
    secret = os.environ.get(variable, "").strip().encode()
    if not secret or page.relay is None:
        # Without a secret anybody could send: there is no such address then.
        raise HTTPException(404, f"Not used here: {variable} is not set.")
    return secret


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise HTTPException(413, "That is too long.")
    return body


ROUTES = [
    Route("/relay/{name}", take, methods=["POST"]),
    Route("/chat/slack", slack, methods=["POST"]),
    Route("/chat/telegram", telegram, methods=["POST"]),
]
