"""`youtube`: comments of channels and videos, and videos by search, within a daily quota budget.

Documentation read: https://developers.google.com/youtube/v3/docs/commentThreads/list,
.../comments/list, .../search/list, .../errors, and .../determine_quota_cost.

Each round reads every target's threads, newest first, until they are older than what is known.
A page's token is kept in the cursor, so that a round goes on where it stopped.
"""

import logging
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec.structs import replace
from pydantic import Field, model_validator

from connectors.contract import BadItem, Context, Item, Page, SourceSettings
from connectors.sources.overlap import Overlap, stamp_ms
from connectors.sources.youtube.api import STALE, Api
from connectors.sources.youtube.comments import read_comment, read_thread, read_video
from connectors.sources.youtube.round import (
    Pending,
    Place,
    Round,
    Spot,
    counted,
    from_ms,
    to_ms,
)
from streams.settings import Name

logger = logging.getLogger(__name__)


class YoutubeSettings(SourceSettings):
    """`type = "youtube"`."""

    type: Literal["youtube"] = "youtube"
    key_env: str = Field(default="YOUTUBE_API_KEY")
    """Environment variable with an API key of a project that has YouTube Data API v3 enabled."""
    channels: tuple[Annotated[str, Field(pattern=r"^UC[A-Za-z0-9_-]{22}$")], ...] = ()
    """Ids of channels: comments about them and on all their videos."""
    videos: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{11}$")], ...] = ()
    search: tuple[str, ...] = ()
    """Words: videos that match are mentions, and the newest ones' comments are read."""
    brand: Name | None = None
    """All comments of `channels` and `videos` are about this brand; no matching then."""
    daily_units: int = Field(default=10_000, ge=10)
    """Budget of a Pacific day; lower it if other tools share the project."""
    daily_searches: int = Field(default=100, ge=1)
    search_every_s: float = Field(default=1800.0, ge=60)
    follow_found: int = Field(default=5, ge=0, le=50)
    """How many of the newest videos found have their comments read."""
    since_minutes: float = Field(default=1440.0, ge=0)
    """How far back the first reading goes."""
    overlap_s: float = Field(default=3600.0, ge=0)
    """How late a comment may appear after it was written (spam filters hold some back)."""
    url: str = "https://www.googleapis.com/youtube/v3"
    poll_s: float = Field(default=120.0, ge=0.05, le=86_400)
    lateness_s: float = Field(default=60.0, ge=0, le=86_400)
    allow_private: bool = False

    @model_validator(mode="after")
    def _reads_something(self) -> "YoutubeSettings":
        if not (self.channels or self.videos or self.search):
            raise ValueError("name channels, videos or search")
        return self


class YoutubeConnector:
    """One call to the API a fetch; a round is all targets and their threads' replies."""

    Settings: ClassVar[type[SourceSettings]] = YoutubeSettings

    def __init__(self, settings: YoutubeSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._api = Api(
            context,
            url=settings.url,
            key_env=settings.key_env,
            daily_units=settings.daily_units,
            daily_searches=settings.daily_searches,
            allow_private=settings.allow_private,
        )
        self._round = Round(
            channels=settings.channels, videos=settings.videos, search=settings.search
        )
        self._overlap = Overlap()
        self._warned: set[str] = set()

    async def fetch(self, cursor: str | None) -> Page:
        """Make one call of the round."""
        now = self._context.now()
        place = Place.read(cursor)
        self._api.remember(place.spent)
        if not place.turn and not place.pending:
            if not self._api.may_begin():
                return self._page((), place)  # ahead of the day: the rest has to last
            place = replace(place, began_ms=to_ms(now))
        if place.pending:
            items, place = await self._replies(place, place.pending[0])
        else:
            items, place = await self._target(place, now)
        return self._page(items, place)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    # ---- the calls

    async def _target(
        self, place: Place, now: datetime
    ) -> tuple[tuple[Item | BadItem, ...], Place]:
        key = self._round.turn(place)
        kind, _, name = key.partition(":")
        if kind == "search":
            due_ms = place.searched_ms.get(key, 0) + int(self._settings.search_every_s * 1000)
            if to_ms(now) < due_ms or not self._api.may_search():
                return (), self._round.after(place, key)
            return await self._search(place, key, name, now)
        spot = place.spots.get(key) or Spot(since_ms=self._first_ms(now))
        filter_by = "allThreadsRelatedToChannelId" if kind == "channel" else "videoId"
        params: dict[str, str | int] = {
            "part": "snippet,replies",
            filter_by: name,
            "order": "time",
            "maxResults": 100,
            "textFormat": "plainText",
        }
        if spot.token:
            params["pageToken"] = spot.token
        answer, reason = await self._api.ask("commentThreads", params, units=1)
        if answer is None:
            self._warn(key, reason)
            fresh = replace(spot, token="")
            if reason in STALE:  # begin the walk again: what repeats is dropped by id
                return (), replace(place, spots={**place.spots, key: fresh}, turn=key)
            return (), self._round.after(replace(place, spots={**place.spots, key: fresh}), key)
        listing = answer.json(_Listing)
        brand = self._brand(key)
        low_ms = spot.since_ms - int(self._settings.overlap_s * 1000)
        items: list[Item | BadItem] = []
        pending = list(place.pending)
        oldest_ms = None
        for raw in listing.items:
            read = read_thread(bytes(raw), brand=brand)
            # A thread that came with some of its replies is read apart, once for each that it grew.
            items += read.items[:1] if read.missing else read.items
            if read.made_ms:
                oldest_ms = min(read.made_ms, oldest_ms or read.made_ms)
            if read.missing and read.missing != place.counts.get(read.thread):
                pending.append(Pending(read.thread, read.missing, key, low_ms))
        high_ms = max([spot.high_ms, spot.since_ms, *(stamp_ms(i) for i in _whole(items))])
        goes_on = bool(listing.token) and oldest_ms is not None and oldest_ms > low_ms
        if goes_on:
            spot = replace(spot, high_ms=high_ms, token=listing.token)
        else:
            spot = Spot(since_ms=high_ms)
        chosen = self._overlap.fresh(items, after_ms=low_ms)
        place = replace(place, spots={**place.spots, key: spot}, pending=tuple(pending))
        return chosen, replace(place, turn=key) if goes_on else self._round.after(place, key)

    async def _replies(
        self, place: Place, first: Pending
    ) -> tuple[tuple[Item | BadItem, ...], Place]:
        params: dict[str, str | int] = {
            "part": "snippet",
            "parentId": first.thread,
            "maxResults": 100,
            "textFormat": "plainText",
        }
        if first.token:
            params["pageToken"] = first.token
        answer, reason = await self._api.ask("comments", params, units=1)
        rest = place.pending[1:]
        if answer is None:
            again = (replace(first, token=""),) if reason in STALE else ()
            return (), self._round.settled(replace(place, pending=(*again, *rest)))
        listing = answer.json(_Listing)
        brand = self._brand(first.target)
        items = [read_comment(bytes(r), brand=brand) for r in listing.items]
        if listing.token:
            rest = (replace(first, token=listing.token), *rest)
        place = counted(replace(place, pending=rest), first.thread, first.count)
        return self._overlap.fresh(items, after_ms=first.low_ms), self._round.settled(place)

    async def _search(
        self, place: Place, key: str, words: str, now: datetime
    ) -> tuple[tuple[Item | BadItem, ...], Place]:
        spot = place.spots.get(key) or Spot(since_ms=self._first_ms(now))
        low_ms = spot.since_ms - int(self._settings.overlap_s * 1000)
        params: dict[str, str | int] = {
            "part": "snippet",
            "q": words,
            "type": "video",
            "order": "date",
            "maxResults": 50,
            "publishedAfter": from_ms(low_ms).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        answer, reason = await self._api.ask("search", params, searches=1)
        if answer is None:
            self._warn(key, reason)
            return (), self._round.after(place, key)
        items = [read_video(bytes(r)) for r in answer.json(_Listing).items]
        found = [i.native_id for i in sorted(_whole(items), key=stamp_ms)]
        kept = tuple(dict.fromkeys([*(f for f in place.found if f not in found), *found]))
        kept = kept[len(kept) - min(len(kept), self._settings.follow_found) :]
        since_ms = max([spot.since_ms, *(stamp_ms(i) for i in _whole(items))])
        place = replace(
            place,
            spots={**place.spots, key: Spot(since_ms=since_ms)},
            searched_ms={**place.searched_ms, key: to_ms(now)},
            found=kept,
        )
        return self._overlap.fresh(items, after_ms=low_ms), self._round.after(place, key)

    # ---- what they share

    def _brand(self, key: str) -> str:
        """Return the configured brand for targets that were named; what was found is matched."""
        return self._settings.brand or "" if self._round.is_named(key) else ""

    def _page(self, items: tuple[Item | BadItem, ...], place: Place) -> Page:
        place = replace(place, spent=self._api.spent)
        watermark = None
        if place.round_ms:
            watermark = from_ms(place.round_ms) - timedelta(seconds=self._settings.lateness_s)
        more = bool(place.turn or place.pending)
        return Page(items, place.written(), more=more, watermark=watermark)

    def _first_ms(self, now: datetime) -> int:
        return to_ms(now - timedelta(minutes=self._settings.since_minutes))

    def _warn(self, key: str, reason: str) -> None:
        if reason in STALE or key in self._warned:
            return
        self._warned.add(key)
        logger.warning(
            "source %s: nothing can be read of %s (%s); the others go on",
            self._context.name,
            key,
            reason,
        )


class _Listing(msgspec.Struct, frozen=True, rename={"token": "nextPageToken"}):
    items: tuple[msgspec.Raw, ...]
    token: str = ""


def _whole(items: list[Item | BadItem]) -> list[Item]:
    return [i for i in items if isinstance(i, Item)]
