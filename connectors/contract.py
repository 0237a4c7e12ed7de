"""What a connector is: one file that turns a source's answers into pages of items. Read this first.

A connector has no threads, sleeps, retries, Kafka or global state: it returns a page and the next
cursor, and the runner does the rest (schedule, back-off, rate limits, ticks, dead letters,
publishing, and saving the cursor only after the log has acknowledged).
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

import msgspec

from streams.records import Engagement


class Item(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that a source returned, before brand matching. The door turns it into mentions."""

    native_id: str
    published_at: datetime
    """Aware; a naive time is an error of the connector and becomes a dead letter."""
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


class Retryable(Exception):
    """Try again later: the source is slow, limits us, or answered nonsense."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Fatal(Exception):
    """Trying again cannot help until a person changes something; the message says what."""


@runtime_checkable
class Connector(Protocol):
    """A polled source."""

    type: ClassVar[str]

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

    The cursor of each page has the same meaning as in `Connector.fetch`.
    """

    type: ClassVar[str]

    def stream(self, cursor: str | None) -> AsyncIterator[Page]: ...

    async def close(self) -> None: ...
