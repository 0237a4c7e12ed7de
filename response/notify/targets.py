"""Where notifications go: a webhook, a Telegram chat. One attempt a call; retries are the caller's.

Addresses and tokens are secrets: no exception or log line of this module holds one.
"""

import logging
import os
import re
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from response.notify.message import Notice, telegram, webhook
from response.notify.plain import Plain, slack_text, telegram_text
from response.notify.slack import slack
from response.settings import (
    LEVEL_NUMBERS,
    AlertsSettings,
    PersonSettings,
    RelaySettings,
    TelegramSettings,
    WebhookSettings,
)
from response.words import say
from streams.service import CannotStart

NEVER = frozenset({400, 413, 414, 415, 422})
"""Answers that say: this message, as it is, will never be taken."""


class Refused(Exception):
    """The target will never take this message: skip it and say so."""


class Failed(Exception):
    """Try again later, after `after_s` if the target said when."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Target(Protocol):
    """One receiver."""

    name: str
    kind: str
    """webhook | telegram: a label of metrics."""
    min_level: int

    async def send(self, http: httpx.AsyncClient, notice: Notice, thread: int) -> int:
        """Send once; return the thread to answer in next time (0: none).

        Raises
        ------
        Refused, Failed
            See there.
        """
        ...

    async def tell(self, http: httpx.AsyncClient, plain: Plain) -> None:
        """Send once what is about no incident that we hold; raises as `send`."""
        ...


class Webhook:
    """POSTs the JSON of `message.webhook`, with a key by which repeats can be dropped."""

    kind = "webhook"

    def __init__(self, name: str, url: str, token: str | None, min_level: int) -> None:
        self.name, self.url, self.token, self.min_level = name, url, token, min_level

    async def send(self, http: httpx.AsyncClient, notice: Notice, thread: int) -> int:
        headers = {"idempotency-key": notice.key}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        await _post(http, self.url, webhook(notice), headers)
        return thread

    async def tell(self, http: httpx.AsyncClient, plain: Plain) -> None:
        headers = {"idempotency-key": plain.key}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        await _post(http, self.url, {"version": 1, **msgspec.to_builtins(plain)}, headers)


class Slack:
    """An incoming webhook (https://api.slack.com/messaging/webhooks)."""

    kind = "slack"

    def __init__(self, name: str, url: str, min_level: int) -> None:
        self.name, self.url, self.min_level = name, url, min_level

    async def send(self, http: httpx.AsyncClient, notice: Notice, thread: int) -> int:
        await _post(http, self.url, slack(notice), {})
        return thread

    async def tell(self, http: httpx.AsyncClient, plain: Plain) -> None:
        await _post(http, self.url, {"text": slack_text(plain)}, {})


class Telegram:
    """`sendMessage` of the Bot API (https://core.telegram.org/bots/api#sendmessage)."""

    kind = "telegram"

    def __init__(self, name: str, url: str, chat_id: str, min_level: int) -> None:
        self.name, self.url, self.chat_id, self.min_level = name, url, chat_id, min_level

    async def send(self, http: httpx.AsyncClient, notice: Notice, thread: int) -> int:
        body: dict[str, Any] = {
            "chat_id": self.chat_id,
            "text": telegram(notice),
            "parse_mode": "HTML",
            # Previews would fetch the acknowledge link, and fill the phone with a picture.
            "link_preview_options": {"is_disabled": True},
        }
        if thread:
            # One incident is one thread; the first message may have been deleted meanwhile.
            body["reply_parameters"] = {
                "message_id": thread,
                "allow_sending_without_reply": True,
            }
        if buttons := _buttons(notice):
            body["reply_markup"] = {"inline_keyboard": [buttons]}
        answer = await _post(http, self.url, body, {})
        return thread or _message_id(answer)

    async def tell(self, http: httpx.AsyncClient, plain: Plain) -> None:
        body = {
            "chat_id": self.chat_id,
            "text": telegram_text(plain),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        await _post(http, self.url, body, {})


def _buttons(notice: Notice) -> list[dict[str, str]]:
    # Telegram refuses a whole message for one button whose address is not of the public web.
    host = urlsplit(notice.page).hostname or ""
    public = "." in host and not host.replace(".", "").isdigit()
    buttons = []
    if notice.button:
        # Pressed, it comes back to `/chat/telegram`: nobody leaves the chat.
        said = say(notice.language, "I am on it")
        buttons.append({"text": said, "callback_data": notice.button})
    elif notice.acknowledge and public:
        buttons.append({"text": say(notice.language, "Acknowledge"), "url": notice.acknowledge})
    if public:
        buttons.append({"text": say(notice.language, "Whole incident"), "url": notice.page})
    return buttons


def _message_id(answer: httpx.Response) -> int:
    try:
        return int(answer.json()["result"]["message_id"])
    except (ValueError, KeyError, TypeError):
        return 0


async def _post(
    http: httpx.AsyncClient, url: str, body: dict[str, Any], headers: dict[str, str]
) -> httpx.Response:
    try:
        answer = await http.post(url, json=body, headers=headers)
    except httpx.HTTPError as e:
        # The exception's own text may name the address.
        raise Failed(f"no answer ({type(e).__name__})") from None
    if answer.is_success:
        return answer
    said = f"answered {answer.status_code}{_description(answer)}"
    if answer.status_code in NEVER:
        raise Refused(said)
    raise Failed(said, _retry_after(answer))


def _description(answer: httpx.Response) -> str:
    try:
        described = str(answer.json().get("description", ""))[:200]
    except (ValueError, AttributeError):
        return ""
    return f": {described}" if described else ""


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the target asks to wait: the header, or Telegram's `parameters.retry_after`."""
    if header := answer.headers.get("retry-after"):
        try:
            return max(0.0, float(header))
        except ValueError:
            pass
        try:
            until = parsedate_to_datetime(header).timestamp()
            served = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
            return max(0.0, until - served)
        except (ValueError, TypeError):
            return None
    try:
        return max(0.0, float(answer.json()["parameters"]["retry_after"]))
    except (ValueError, KeyError, TypeError):
        return None


def configured(alerts: AlertsSettings) -> list[Target]:
    """The targets of the configuration.

    Raises
    ------
    CannotStart
        If a variable that should hold a token or address is not set.
    """
    found: list[Target] = []
    for name, hook in alerts.webhooks.items():
        found.append(_webhook(name, hook, alerts))
    for name, chat in alerts.telegram.items():
        found.append(_telegram(name, chat, alerts))
    return found


def relayed(relay: RelaySettings) -> dict[str, Target]:
    """The chats behind the relay, by name.

    Raises
    ------
    CannotStart
        As `configured`.
    """
    found: dict[str, Target] = {}
    every = AlertsSettings()
    for name, channel in relay.slack.items():
        found[name] = Slack(name, _variable(channel.url_env, f"relay.slack.{name}"), 1)
    for name, chat in relay.telegram.items():
        found[name] = _telegram(name, chat, every)
    for name, hook in relay.webhooks.items():
        found[name] = _webhook(name, hook, every)
    return found


def personal(name: str, person: PersonSettings) -> list[Target]:
    """The ways to reach one person directly; raises as `configured`."""
    where, found = f"oncall.people.{name}", list[Target]()
    if person.chat_id:
        token = _variable(person.chat_token_env, where)
        url = f"{str(person.chat_api_url).rstrip('/')}/bot{token}/sendMessage"
        found.append(Telegram(name, url, person.chat_id, 1))
    if person.url_env:
        found.append(Webhook(name, _variable(person.url_env, where), None, 1))
    return found


def _webhook(name: str, hook: WebhookSettings, alerts: AlertsSettings) -> Webhook:
    where = f"alerts.webhooks.{name}"
    url = str(hook.url) if hook.url else _variable(hook.url_env, where)
    token = _variable(hook.token_env, where) if hook.token_env else None
    return Webhook(name, url, token, LEVEL_NUMBERS[hook.min_level or alerts.min_level])


def _telegram(name: str, chat: TelegramSettings, alerts: AlertsSettings) -> Telegram:
    token = _variable(chat.token_env, f"alerts.telegram.{name}")
    url = f"{str(chat.api_url).rstrip('/')}/bot{token}/sendMessage"
    return Telegram(name, url, chat.chat_id, LEVEL_NUMBERS[chat.min_level or alerts.min_level])


def _variable(name: str | None, where: str) -> str:
    value = os.environ.get(name or "", "").strip()
    if not value:
        raise CannotStart(f"[{where}] takes a secret from the environment variable {name}: set it")
    return value


_TOKEN = re.compile(r"/bot[^/\s]+/")


class HideTokens(logging.Filter):
    """httpx logs each address that it calls, and Telegram's holds the token."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _TOKEN.sub("/bot***/", record.getMessage())
        record.args = None
        return True


logging.getLogger("httpx").addFilter(HideTokens())
