"""Section `[grafana]` of `siaga.toml`: where Grafana is, and who hears what from it."""

from typing import Annotated, Literal

from pydantic import Field, HttpUrl, field_validator, model_validator

from streams.settings import Name, Section

Audience = Literal["channel", "oncall", "management", "operations"]
"""Who hears: `channel` every level, `oncall` from ALERT, `management` CRISIS and the last step of
the ladder, `operations` what is wrong with the service itself."""

Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Contact(Section):
    """What every contact has. The table's key is its name."""

    audience: Audience = "channel"
    brands: tuple[Name, ...] = ()
    """Only these brands; empty: all."""
    quiet_hours: bool = False
    """Hold back below CRISIS in the hours of `[grafana.quiet_hours]`."""


class WebhookContact(Contact):
    """JSON in Grafana's form, posted to an address (WhatsApp and others through it)."""

    type: Literal["webhook"]
    url: HttpUrl | None = None
    url_env: str | None = None
    user: str = ""
    password_env: str | None = None

    @model_validator(mode="after")
    def _one_address(self) -> "WebhookContact":
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give either url or url_env")
        return self


class SlackContact(Contact):
    """A Slack channel, by an incoming webhook (`url_env`) or a bot (`token_env`, `channel`)."""

    type: Literal["slack"]
    url_env: str | None = None
    token_env: str | None = None
    channel: str = ""
    api_url: HttpUrl | None = None
    """Another endpoint than Slack's for the bot."""

    @model_validator(mode="after")
    def _one_way(self) -> "SlackContact":
        if (self.url_env is None) == (self.token_env is None):
            raise ValueError(
                "give either url_env (incoming webhook) or token_env and channel (bot)"
            )
        if self.token_env is not None and not self.channel:
            raise ValueError("a bot needs channel")
        return self


class TelegramContact(Contact):
    """One chat of a Telegram bot. Grafana posts to Telegram itself; it takes no other address."""

    type: Literal["telegram"]
    chat_id: str
    token_env: str = "SIAGA_TELEGRAM_TOKEN"  # noqa: S105 (the name of a variable)

    @field_validator("chat_id", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # Group chats have negative numbers, and TOML people write them as numbers.
        return str(value) if isinstance(value, int) else value


class EmailContact(Contact):
    """E-mail, sent by Grafana's own `[smtp]`."""

    type: Literal["email"]
    addresses: Annotated[tuple[str, ...], Field(min_length=1)]


AnyContact = Annotated[
    WebhookContact | SlackContact | TelegramContact | EmailContact, Field(discriminator="type")
]


class QuietHours(Section):
    """When contacts with `quiet_hours = true` hear of nothing below CRISIS."""

    start: Clock = "22:00"
    until: Clock = "06:00"
    days: tuple[Weekday, ...] = ()
    """Empty: every day."""

    @model_validator(mode="after")
    def _hours(self) -> "QuietHours":
        if self.start == self.until:
            raise ValueError("start and until must differ")
        return self


class Thresholds(Section):
    """What the rules compare with. A rule's own page in `runbooks/` says what to do."""

    unacknowledged_alert_minutes: tuple[int, int] = (15, 60)
    """ALERT: on-call is reminded, then management is told."""
    unacknowledged_crisis_minutes: tuple[int, int] = (5, 15)
    many_brands: int = Field(default=3, ge=2)
    negative_share_hours: int = Field(default=3, ge=1, le=24)
    negative_share_times: float = Field(default=1.5, gt=1)
    """Of the expected share, through those hours."""
    negative_share_least_ratio: float = Field(default=0.3, gt=0, le=1)
    negative_share_least_mentions: int = Field(default=30, ge=1)
    """In those hours; a share of fewer says little: of ten, one standard deviation is 15 points."""
    security_topics: tuple[str, ...] = ("security",)
    connector_silent_minutes: int = Field(default=15, ge=1)
    lag_records: int = Field(default=5000, ge=1)
    latency_seconds: float = Field(default=30.0, gt=0)
    dead_letters_ratio: float = Field(default=0.05, gt=0, lt=1)
    no_data_seconds: int = Field(default=120, ge=30)
    workers: int = Field(default=1, ge=1)
    """Fewer running than this is an alert."""


class GrafanaSettings(Section):
    """Which Grafana is provisioned, and with what."""

    url: HttpUrl = HttpUrl("http://127.0.0.1:3000")
    token_env: str | None = None
    """A service account's token; it needs the role Admin of its organisation."""
    user: str = "admin"
    password_env: str = "SIAGA_GRAFANA_PASSWORD"  # noqa: S105 (the name of a variable)
    """Used with `user` where there is no token."""
    timeout_s: float = Field(default=20.0, gt=0)
    name: str = Field(default="siaga", pattern=r"^[a-z][a-z0-9-]{0,19}$")
    """Marks all that is ours in a Grafana that others use too: prefix of uids, label of alerts."""
    title: str = "Siaga"
    """Of the folder."""
    prometheus_url: HttpUrl = HttpUrl("http://127.0.0.1:9090")
    """As Grafana's server reaches it."""
    page_url: str = Field(default="", pattern=r"^(https?://\S+[^/])?$")
    """Base address of the live page, for links; empty: no links to it."""
    runbook_url: str = Field(default="", pattern=r"^(https?://\S+[^/])?$")
    """Where `grafana/runbooks/` is published; empty: alerts name `siaga grafana runbook`."""
    contacts: dict[Name, AnyContact] = Field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    repeat_hours: int = Field(default=12, ge=1, le=24 * 7)
    """An alert that stays is told again after this."""
    thresholds: Thresholds = Thresholds()

    @model_validator(mode="after")
    def _quiet_hours_exist(self) -> "GrafanaSettings":
        asking = sorted(name for name, contact in self.contacts.items() if contact.quiet_hours)
        if asking and self.quiet_hours is None:
            raise ValueError(f"no [grafana.quiet_hours], which {', '.join(asking)} ask for")
        return self
