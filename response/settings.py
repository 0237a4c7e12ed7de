"""Sections `[page]`, `[alerts]` and `[oncall]` of `siaga.toml`."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, field_validator, model_validator

from streams.records import LIVE
from streams.settings import Name, Section

Level = Literal["watch", "alert", "crisis"]
LEVEL_NUMBERS: dict[Level, int] = {"watch": 1, "alert": 2, "crisis": 3}

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PageSettings(Section):
    """The live page: where it listens, what it keeps, who may see it."""

    host: str = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65535)
    """0: any free port; the address is logged."""
    url: str = Field(default="", pattern=r"^(https?://[^\s/]+(/[^\s]*)?)?$")
    """How people reach the page (behind a proxy); links in notifications start with it."""
    history_minutes: int = Field(default=1440, ge=60, le=20_160)
    """Minutes of event time kept in memory a brand, for the charts."""
    stale_after_s: int = Field(default=60, ge=5, le=86_400)
    """Nothing heard from the stream for this long: the page says that it is stale."""
    users_file: Path | None = None
    """Made by `siaga user add`; None: users.json in data_dir."""
    secret_env: str = "SIAGA_SECRET"  # noqa: S105 (the name of a variable)
    """Signs sessions and links; unset: a random key in data_dir that only its owner can read."""
    tv_token_env: str = "SIAGA_TV_TOKEN"  # noqa: S105 (the name of a variable)
    """Opens the wall view read-only: /wall?token=..."""
    session_hours: int = Field(default=12, ge=1, le=24 * 31)
    link_hours: int = Field(default=24, ge=1, le=24 * 31)
    """How long the acknowledge link of a notification works."""
    proxy_header: str = ""
    """Header in which a reverse proxy names the person, e.g. X-Forwarded-User; "" : not trusted."""
    proxy_addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    """Only requests from these addresses may carry that header."""


class WebhookSettings(Section):
    """One receiver of JSON."""

    url: HttpUrl | None = None
    url_env: str | None = None
    """Name of the variable that holds the address, where the address itself is a secret."""
    token_env: str | None = None
    """Sent as `Authorization: Bearer`."""
    min_level: Level | None = None

    @model_validator(mode="after")
    def _one_address(self) -> "WebhookSettings":
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give either url or url_env")
        return self


class TelegramSettings(Section):
    """One chat of a Telegram bot (https://core.telegram.org/bots/api#sendmessage)."""

    chat_id: str
    token_env: str = "SIAGA_TELEGRAM_TOKEN"  # noqa: S105 (the name of a variable)
    api_url: HttpUrl = HttpUrl("https://api.telegram.org")
    min_level: Level | None = None

    @field_validator("chat_id", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # Group chats have negative numbers, and TOML people write them as numbers.
        return str(value) if isinstance(value, int) else value


class SlackSettings(Section):
    """One Slack channel, by an incoming webhook."""

    url_env: str
    """Name of the variable that holds the webhook's address, which is a secret."""
    min_level: Level | None = None


class RelaySettings(Section):
    """Stands between Grafana and the chats: takes its webhooks at `/relay/NAME`, adds evidence,
    sample mentions and the signed acknowledge link, and posts to the chat of that name.

    `/relay/rota` goes to whoever is on call.
    """

    token_env: str = "SIAGA_RELAY_TOKEN"  # noqa: S105 (the name of a variable)
    """What Grafana shows: password of Basic authentication, or bearer token."""
    slack: dict[Name, SlackSettings] = Field(default_factory=dict)
    telegram: dict[Name, TelegramSettings] = Field(default_factory=dict)
    webhooks: dict[Name, WebhookSettings] = Field(default_factory=dict)
    slack_signing_env: str = "SIAGA_SLACK_SIGNING_SECRET"
    """Set: Slack messages have a button that acknowledges in the chat, by `/chat/slack`."""
    telegram_secret_env: str = "SIAGA_TELEGRAM_SECRET"  # noqa: S105 (the name of a variable)
    """Set: the same for Telegram, by `/chat/telegram` (`secret_token` of its setWebhook)."""

    @model_validator(mode="after")
    def _one_of_each_name(self) -> "RelaySettings":
        names = [*self.slack, *self.telegram, *self.webhooks]
        twice = sorted({name for name in names if names.count(name) > 1 or name == "rota"})
        if twice:
            raise ValueError(f"names of [relay] must differ (and not be rota): {', '.join(twice)}")
        return self


class AlertsSettings(Section):
    """Who is told of an incident without Grafana."""

    webhooks: dict[Name, WebhookSettings] = Field(default_factory=dict)
    telegram: dict[Name, TelegramSettings] = Field(default_factory=dict)
    min_level: Level = "watch"
    language: Literal["id", "en"] | None = None
    """None: the language of the root."""
    runs: tuple[str, ...] = (LIVE,)
    """Only incidents of these runs are told; add a replay's or drill's name to hear of it."""
    timeout_s: float = Field(default=10.0, gt=0, le=120)
    retry_wait_max_s: float = Field(default=300.0, gt=0, le=3600)
    """A failing target is tried again for ever, waiting at most this long (its own Retry-After
    is obeyed)."""


class PersonSettings(Section):
    """How to reach a person. The table's key is the name."""

    title: str = ""
    phone: str = ""
    telegram: str = ""
    """Name without @, mentioned in notifications."""
    chat_id: str = ""
    """Of the person's own Telegram chat with the bot, for what goes to the rota."""
    chat_token_env: str = "SIAGA_TELEGRAM_TOKEN"  # noqa: S105 (the name of a variable)
    chat_api_url: HttpUrl = HttpUrl("https://api.telegram.org")
    url_env: str | None = None
    """Variable that holds the address of a webhook of the person's own (a gateway to WhatsApp)."""
    email: str = ""

    @field_validator("chat_id", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value


class ShiftSettings(Section):
    """Who is on call, weekly. A shift whose `until` is not after its `start` ends the next day."""

    days: tuple[Day, ...] = DAYS
    start: time = time(0)
    until: time = time(0)
    who: Annotated[tuple[Name, ...], Field(min_length=1)]


class StepSettings(Section):
    """A step of the ladder: who is told when nobody has acknowledged for so long."""

    after_minutes: int = Field(ge=1, le=7 * 24 * 60)
    """Since the incident opened; the first notification itself goes to whoever is on call."""
    who: tuple[Name, ...] = ()
    """Empty: whoever is on call."""
    min_level: Level = "alert"


def _first_response_minutes() -> "dict[Level, Annotated[int, Field(ge=1, le=7 * 24 * 60)]]":
    return {"alert": 60, "crisis": 15}


class OncallSettings(Section):
    """The rota: people, weekly shifts (the first that matches wins), ladder."""

    people: dict[Name, PersonSettings] = Field(default_factory=dict)
    shifts: tuple[ShiftSettings, ...] = ()
    ladder: tuple[StepSettings, ...] = ()
    first_response_minutes: dict[Level, Annotated[int, Field(ge=1, le=7 * 24 * 60)]] = Field(
        default_factory=_first_response_minutes
    )
    """How long after an incident reached a level the brand may stay silent; a level that is not
    named has no such clock."""

    @model_validator(mode="after")
    def _people_exist(self) -> "OncallSettings":
        named = {w for s in self.shifts for w in s.who} | {w for s in self.ladder for w in s.who}
        unknown = sorted(named - set(self.people))
        if unknown:
            raise ValueError(f"no [oncall.people.NAME] table for: {', '.join(unknown)}")
        return self
