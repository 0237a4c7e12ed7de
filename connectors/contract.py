"""What a connector is: one file that turns a source's answers into pages of items. Read this first.

A connector has no threads, sleeps, retries, Kafka or global state: it returns a page and the next
cursor, and the runner does the rest (schedule, back-off, rate limits, ticks, dead letters,
publishing, and saving the cursor only after the log has acknowledged).
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import msgspec
from pydantic import Field

from streams.records import LIVE, Engagement
from streams.settings import BrandSettings, Name, Section

if TYPE_CHECKING:
    import httpx  # a quarter of a second that `siaga --help` need not pay

__all__ = [
    "LAST_REVISION",
    "BadItem",
    "Connector",
    "Context",
    "Engagement",
    "Fatal",
    "Item",
    "Page",
    "PushConnector",
    "Retryable",
    "Seekable",
    "SourceSettings",
]


LAST_REVISION = 2**53 - 1
"""A deletion's: it is the last word, and the same each time that it is told."""


class Item(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that a source returned, before brand matching. The door turns it into mentions."""

    native_id: str
    published_at: datetime
    """Aware; a naive time is an error of the connector and becomes a dead letter. A deletion gets
    the time of what it deletes, if that was seen."""
    keeps_time: bool = False
    """The source tells when an edit happened, not when the item was published, or no time at all:
    the time that its first version came with holds, if that was seen."""
    text: str = ""
    author: str = ""
    url: str = ""
    lang: str = ""
    kind: str = "post"
    revision: int = 0
    in_reply_to: str = ""
    engagement: Engagement = Engagement()
    rating: float | None = None
    deleted: bool = False
    simulated: bool = False
    brand: str = ""
    """Set when the source itself says which brand it is (a mapped column): no matching then."""
    channel: str = ""
    """Overrides the source's name as channel, from the closed set of the configuration."""


class BadItem(msgspec.Struct, frozen=True):
    """Something that the source returned and that is no item: the runner makes a dead letter."""

    reason: str
    detail: str
    origin: str
    """Where in the source: file and line, or native id."""
    original: bytes


class Page(msgspec.Struct, frozen=True):
    """What one fetch returned, and where the next one continues.

    `cursor` after the last page of a finite source equals the one before (drained is stable) and
    `more` is False; `more=True` asks the runner to fetch again at once.
    """

    items: tuple[Item | BadItem, ...]
    cursor: str | None
    more: bool = False
    ended: bool = False
    """A finite source (a file that is not followed) has no further items, ever."""
    watermark: datetime | None = None
    """No item published before it is expected any more; None: the runner derives it."""
    clock: datetime | None = None
    """A replay's own "now"; None: wall clock."""


class SourceSettings(Section):
    """What every `[sources.NAME]` table has; a connector's `Settings` adds its own keys."""

    type: str
    """Which connector: a name under the entry point group `siaga.connectors`."""
    enabled: bool = True
    run: Name = LIVE
    """The run that the mentions belong to: `live`, or the name of a replay or backfill."""
    channel: Name | None = None
    """What people call the place (`twitter`, `forum`); None: the source's own name."""
    poll_s: float = Field(default=60.0, ge=0.05, le=86_400)
    """Seconds between polls when the source has nothing more at once."""
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """One fetch may take this long; then it counts as failed and is tried again."""
    requests_per_minute: float | None = Field(default=None, gt=0, le=100_000)
    """Never fetch more often on average, however much there is; None: as the source allows."""
    lateness_s: float = Field(default=30.0, ge=0, le=86_400)
    """How long after its publication a mention may still turn up here."""


@dataclass(frozen=True)
class Context:
    """What a connector may know of the world around it; tests give their own."""

    name: str
    """The source's name in the configuration."""
    brands: Mapping[str, BrandSettings] = field(default_factory=dict)
    time_zone: str = "UTC"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    transport: "httpx.AsyncBaseTransport | None" = None
    """Stands in for the network in tests; None in real life. See `connectors.http.client`."""

    def secret(self, variable: str) -> str:
        """Return the value of an environment variable that holds a secret.

        Raises
        ------
        Fatal
            If it is not set; the message names the variable, never a value.
        """
        value = self.environ.get(variable, "").strip()
        if not value:
            raise Fatal(f"source {self.name}: set the environment variable {variable}")
        return value


class Retryable(Exception):
    """Try again later: the source is slow, limits us, or answered nonsense."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Fatal(Exception):
    """Trying again cannot help until a person changes something; the message says what."""


@runtime_checkable
class Connector(Protocol):
    """A polled source. The entry point's value is its class, called as `(settings, context)`."""

    Settings: ClassVar[type[SourceSettings]]

    async def fetch(self, cursor: str | None) -> Page:
        """Return the items after `cursor` (None: from the start that the configuration names).

        Raises
        ------
        Retryable
            The runner waits (`after_s` or its own back-off) and calls again with the same cursor.
        Fatal
            The runner stops this source, reports it, and leaves the others alone.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; closing twice is harmless."""


@runtime_checkable
class PushConnector(Protocol):
    """A source that pushes (WebSocket, server-sent events, HTTP in): a stream of pages.

    The cursor of each page has the same meaning as in `Connector.fetch`. The runner asks for the
    next page only when the log has acknowledged the last one, so what follows a `yield` may tell
    a client that its mentions are safe. While it is connected and nothing comes, a stream yields
    an empty page every few seconds: that is how silence is told from blindness.
    """

    Settings: ClassVar[type[SourceSettings]]

    def stream(self, cursor: str | None) -> AsyncIterator[Page]: ...

    async def close(self) -> None: ...


@runtime_checkable
class Seekable(Protocol):
    """A connector that can say where a time begins (`siaga connector reset NAME --to TIME`).

    One that cannot may say why, for people, in a class attribute `cannot_seek`.
    """

    def cursor_at(self, time: datetime) -> str | None:
        """Return the cursor after which items published at or after `time` follow.

        It may read what it needs and takes its time: no service runs then.
        """
        ...
