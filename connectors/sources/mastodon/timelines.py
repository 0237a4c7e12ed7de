"""Reading timelines forward by `min_id`, with an overlap for statuses that federate late.

Wire format: https://docs.joinmastodon.org/methods/timelines/ (public, tag) and
https://docs.joinmastodon.org/api/rate-limits/.

The id of a status that another server sent tells when it was written there, not when it came
here: a timeline grows in its past. So each round begins `overlap_s` before the newest id, and
what was already given out is left out by id.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from pydantic import Field, field_validator, model_validator

from connectors.contract import BadItem, Context, Fatal, Item, Page, Retryable, SourceSettings
from connectors.http import Answer, ask, client
from connectors.sources.cursor import LenientCursor
from connectors.sources.mastodon.statuses import earlier, id_at, order, parse

PAGE_STATUSES = 40
"""The most that the API gives at once."""

REMEMBERED = 20_000
"""Statuses that are known to have been given out: more than an overlap of a busy server holds."""


class MastodonSettings(SourceSettings):
    """What both kinds of Mastodon sources are told."""

    url: str = "https://mastodon.social"
    """The server that is asked; it knows what its people follow, not the whole Fediverse."""
    hashtags: tuple[Annotated[str, Field(pattern=r"^#?[^\s#/?]{1,100}$")], ...] = ()
    public: Literal["none", "all", "local", "remote"] = "none"
    """Also read the public timeline: all that the server sees, its own posts, or the others'."""
    since_minutes: float = Field(default=60.0, ge=0, le=525_600)
    """How far back the first reading goes; 0 begins with the newest page."""
    overlap_s: float = Field(default=300.0, ge=0, le=86_400)
    """How long after it was written a status may still come in from another server."""
    token_env: str | None = None
    """Environment variable with a token (`read:statuses`), for servers that ask for one."""
    allow_private: bool = False
    """The server is inside your own network."""
    lateness_s: float = Field(default=60.0, ge=0, le=86_400)

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url is the server's address, such as https://mastodon.social")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _reads_something(self) -> "MastodonSettings":
        if not self.hashtags and self.public == "none":
            raise ValueError('name hashtags = ["..."] to read, or public = "all"')
        return self

    def timelines(self) -> tuple[str, ...]:
        """Return the keys of the timelines to read, each once."""
        tags = [f"tag:{t.lstrip('#').lower()}" for t in self.hashtags]
        return tuple(dict.fromkeys([*tags, *([self.public] if self.public != "none" else [])]))


class Spot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where one timeline stands."""

    high: str = ""
    """The newest id that was given out."""
    at: str = ""
    """Where the round that is under way goes on; empty between rounds."""


class Place(LenientCursor, frozen=True):
    """The cursor."""

    spots: dict[str, Spot] = msgspec.field(default_factory=dict)
    turn: str = ""
    """The timeline whose turn it is; empty: the first."""


class Timelines:
    """Reads the configured timelines page by page; used by the poller and by the stream's gaps."""

    def __init__(self, settings: MastodonSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._keys = settings.timelines()
        self._known: OrderedDict[tuple[str, int, bool], datetime | None] = OrderedDict()
        self._http: httpx.AsyncClient | None = None
        self.host = urlsplit(settings.url).hostname or ""

    def headers(self) -> dict[str, str]:
        """Return the headers that authorise, if a token is configured."""
        name = self._settings.token_env
        return {"Authorization": f"Bearer {self._context.secret(name)}"} if name else {}

    async def get(
        self, path: str, params: dict[str, str | int], *, accept: tuple[int, ...] = ()
    ) -> Answer:
        """Ask the server."""
        if self._http is None:
            self._http = client(
                self._context, allow_private=self._settings.allow_private, headers=self.headers()
            )
        url = f"{self._settings.url}{path}"
        return await ask(self._http, url, params=params, accept=accept, now=self._context.now)

    async def page(self, place: Place) -> Page:
        """Read the next page of the timeline whose turn it is; `more` until all are read."""
        key = place.turn if place.turn in self._keys else self._keys[0]
        spot = place.spots.get(key, Spot())
        start = spot.at or self._round_start(spot)
        raw = await self._statuses(key, start)
        ids = [i for i in map(_id, raw) if i]
        parsed = (parse(bytes(r), host=self.host) for r in reversed(raw))
        items = tuple(i for i in parsed if i is not None and self.is_new(i))
        newest = max(ids, key=order, default="")
        high = max(spot.high, newest, key=order)
        forward = bool(start) and bool(newest) and order(newest) > order(start)
        # Without a start the newest page was read: there is nothing in front of it.
        spot = Spot(high=high, at=newest if forward else "")
        n = self._keys.index(key) + (0 if forward else 1)
        turn = self._keys[n] if n < len(self._keys) else ""
        done = not turn
        next_place = Place({**place.spots, key: spot}, turn=turn)
        return Page(items, next_place.written(), more=not done)

    def is_new(self, item: Item | BadItem) -> bool:
        """Remember an item; False if this very version was given out already."""
        if isinstance(item, BadItem):
            key, at = (item.origin, -1, False), None
            if not item.origin:
                return True
        else:
            key, at = (item.native_id, item.revision, item.deleted), item.published_at
        if key in self._known:
            return False
        self._known[key] = at
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return True

    def published(self, status_id: str) -> datetime | None:
        """Return when a status that was given out here was published."""
        return self._known.get((status_id, 0, False))

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _round_start(self, spot: Spot) -> str:
        if spot.high:
            return earlier(spot.high, self._settings.overlap_s)
        minutes = self._settings.since_minutes
        return id_at(self._context.now() - timedelta(minutes=minutes)) if minutes else ""

    async def _statuses(self, key: str, start: str) -> list[msgspec.Raw]:
        params: dict[str, str | int] = {"limit": PAGE_STATUSES}
        if start:
            params["min_id"] = start
        if key.startswith("tag:"):
            path = f"/api/v1/timelines/tag/{quote(key[4:], safe='')}"
            answer = await self.get(path, params, accept=(404,))
            if answer.status == 404:
                return self._unknown_tag(answer)
        else:
            if key != "all":
                params[key] = "true"
            answer = await self.get("/api/v1/timelines/public", params)
        return answer.json(list[msgspec.Raw])

    def _unknown_tag(self, answer: Answer) -> list[msgspec.Raw]:
        """Nobody has used the tag yet, which is no error; a server without that API is one."""
        try:
            answer.json(_Refusal)
        except Retryable as e:
            raise Fatal(f"{self.host}: has no Mastodon API: check url") from e
        return []


class _Refusal(msgspec.Struct, frozen=True):
    error: str


class _Id(msgspec.Struct, frozen=True):
    id: str


def _id(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Id).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
