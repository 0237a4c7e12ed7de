"""`rss`: RSS and Atom feeds: news sites, blogs, forums, Google Alerts. No key, no cost.

Documentation: rssboard.org/rss-specification, RFC 4287 (Atom), RFC 9110 13.1 (conditional
requests). A feed shows its newest entries only: one that turns over faster than it is polled
loses entries. Feeds reorder and lie about dates, so entries are known by id, not by time.
"""

from datetime import datetime
from hashlib import blake2b
from typing import Annotated, ClassVar, Literal

import msgspec
from pydantic import Field, StringConstraints

from connectors.contract import Context, Fatal, Item, Page, Retryable, SourceSettings
from connectors.http import Answer, ask, client
from connectors.sources.feeds.feed import Entry, entries
from connectors.sources.feeds.xml import BadXml
from streams.settings import Name

REMEMBERED = 2000
"""Ids kept in the cursor (16 KB); feeds hold 10 to 500 entries."""

MAX_FEED_BYTES = 8 * 1024 * 1024
"""Unpacked; feeds have some hundred KB."""


class RssSettings(SourceSettings):
    """`type = "rss"`."""

    type: Literal["rss"] = "rss"
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000)]
    poll_s: float = Field(default=300.0, ge=10, le=86_400)
    lateness_s: float = Field(default=900.0, ge=0, le=86_400)
    """Feeds show an entry minutes after its date."""
    brand: Name | None = None
    """All entries are about this brand (a feed of an alert); no matching then."""
    allow_private: bool = False
    """The feed is inside your own network."""


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the server said of its last answer, and which entries were seen."""

    etag: str = ""
    modified: str = ""
    seen: tuple[str, ...] = ()
    """8-byte hashes of (id, revision), oldest first."""


class RssConnector:
    """Polls one feed with conditional requests."""

    Settings: ClassVar[type[SourceSettings]] = RssSettings
    cannot_seek: ClassVar[str] = (
        "a feed shows its newest entries only; without --to all that it shows now is read again"
    )

    def __init__(self, settings: RssSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._http = client(context, allow_private=settings.allow_private)

    async def fetch(self, cursor: str | None) -> Page:
        """Return the entries that were not seen."""
        at = _decode(cursor)
        headers = {"Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9"}
        if at.etag:
            headers["If-None-Match"] = at.etag
        if at.modified:
            headers["If-Modified-Since"] = at.modified
        answer = await ask(
            self._http,
            self._settings.url,
            headers=headers,
            accept=(304,),
            limit=MAX_FEED_BYTES,
            now=self._context.now,
        )
        if answer.status == 304:
            return Page((), cursor)
        return self._page(at, answer, cursor)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _page(self, at: Cursor, answer: Answer, cursor: str | None) -> Page:
        try:
            found = entries(answer.body)
        except BadXml as e:
            raise Retryable(f"the feed cannot be read: {e}") from e
        now = self._context.now()
        seen = dict.fromkeys(at.seen)
        items: list[Item] = []
        for entry in reversed(found):  # feeds are newest first
            item = self._item(entry, now)
            name = _hash(item)
            if name not in seen and any(c.native_id == item.native_id for c in items):
                continue  # the same id twice in one document
            if name not in seen:
                items.append(item)
            seen.pop(name, None)
            seen[name] = None  # those that the feed still shows are forgotten last
        following = Cursor(
            etag=answer.headers.get("etag", "")[:500],
            modified=answer.headers.get("last-modified", "")[:100],
            seen=tuple(seen)[-max(REMEMBERED, len(found)) :],
        )
        encoded = msgspec.json.encode(following).decode()
        return Page(tuple(items), cursor if following == at else encoded)

    def _item(self, entry: Entry, now: datetime) -> Item:
        dated = entry.published or entry.updated
        revision = 0
        if entry.published and entry.updated and entry.updated > entry.published:
            revision = int((entry.updated - entry.published).total_seconds())
        return Item(
            native_id=entry.id,
            published_at=dated or now,
            keeps_time=dated is None,
            text=entry.text,
            author=entry.author,
            url=entry.url,
            lang=entry.lang,
            kind="article",
            revision=revision,
            brand=self._settings.brand or "",
        )


def _hash(item: Item) -> str:
    name = f"{item.native_id}#{item.revision}".encode("utf-8", "replace")
    return blake2b(name, digest_size=8).hexdigest()


def _decode(cursor: str | None) -> Cursor:
    if cursor is None:
        return Cursor()
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except msgspec.DecodeError as e:
        raise Fatal("the saved cursor is not of a feed: siaga connector reset NAME") from e
