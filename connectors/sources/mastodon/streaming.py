"""`mastodon-stream`: a WebSocket for what is new, edited and deleted; polls fill each gap.

Wire format: https://docs.joinmastodon.org/methods/streaming/#websocket. Since Mastodon 4.2 the
stream needs a user's token (`read:statuses`); `mastodon` polls without one.

The stream is opened first and the timelines are polled from the cursor on while its messages
wait, so that nothing falls between the two; what comes by both is left out by id.
"""

from collections.abc import AsyncIterator
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import Field
from websockets.asyncio.client import ClientConnection

from connectors.contract import BadItem, Context, Fatal, Item, Page, Retryable, SourceSettings
from connectors.sources.mastodon.statuses import deletion, order, parse
from connectors.sources.mastodon.timelines import (
    MastodonSettings,
    Place,
    Spot,
    Timelines,
)
from connectors.sources.sockets import connected, gathered

HEARTBEAT_S = 5.0
"""A page at least this often, so that silence is told from blindness."""

GATHER_S = 0.2
"""After the first event of a page its neighbours have this long."""
PAGE_EVENTS = 200
"""Most events of a page."""

STREAMS = {"all": "public", "local": "public:local", "remote": "public:remote"}


class StreamSettings(MastodonSettings):
    """`type = "mastodon-stream"`."""

    type: Literal["mastodon-stream"] = "mastodon-stream"
    token_env: str = Field(default="MASTODON_TOKEN")
    """Environment variable with a user's token."""


class Event(msgspec.Struct, frozen=True):
    """One message of the stream."""

    event: str = ""
    stream: tuple[str, ...] = ()
    payload: str | None = None
    error: str | None = None
    status: int | None = None


_events = msgspec.json.Decoder(Event)


def read_event(message: str | bytes) -> Event | BadItem:
    """Decode a message; what is none as documented is kept as a dead letter."""
    try:
        return _events.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raw = message.encode("utf-8", "replace") if isinstance(message, str) else message
        return BadItem("broken_row", f"not an event as documented: {e}", "", raw)


class MastodonStreamConnector:
    """Streams; the cursor is the poller's, so that one may take the other's place."""

    Settings: ClassVar[type[SourceSettings]] = StreamSettings

    def __init__(self, settings: StreamSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._timelines = Timelines(settings, context)

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        """Connect, fill the gap since the cursor, then follow the stream."""
        place = Place.read(cursor)
        headers = self._timelines.headers()
        async with connected(
            await self._address(),
            now=self._context.now(),
            headers=headers,
            allow_private=self._settings.allow_private,
        ) as socket:
            for request in self._subscriptions():
                await socket.send(request)
            more = True
            while more:
                page = await self._timelines.page(place)
                place, more = Place.read(page.cursor), page.more
                yield page
            while True:
                events = await _gather(socket)
                self._check(events)
                items, place = self._take(events, place)
                yield Page(items, place.written())

    async def close(self) -> None:
        """Close the connections."""
        await self._timelines.close()

    async def _address(self) -> str:
        """Ask the server where it streams; itself, if it does not say."""
        answer = await self._timelines.get("/api/v2/instance", {}, accept=(404,))
        try:
            told = answer.json(_Instance).configuration.urls.streaming
        except Retryable:
            told = ""
        base = urlsplit(told or self._settings.url)
        scheme = "wss" if base.scheme in ("wss", "https") else "ws"
        return f"{scheme}://{base.netloc}/api/v1/streaming"

    def _subscriptions(self) -> list[str]:
        asked: list[dict[str, str]] = []
        for key in self._settings.timelines():
            if key.startswith("tag:"):
                asked.append({"type": "subscribe", "stream": "hashtag", "tag": key[4:]})
            else:
                asked.append({"type": "subscribe", "stream": STREAMS[key]})
        return [msgspec.json.encode(a).decode() for a in asked]

    def _check(self, events: list[Event | BadItem]) -> None:
        # Before anything is marked as given out, or what came with the error would be lost.
        for event in events:
            if isinstance(event, Event) and event.error is not None:
                if event.status in (401, 403):
                    raise Fatal(f"{self._timelines.host}: the stream refuses the token")
                raise Retryable(f"{self._timelines.host}: the stream refuses a subscription")

    def _take(
        self, events: list[Event | BadItem], place: Place
    ) -> tuple[tuple[Item | BadItem, ...], Place]:
        items: list[Item | BadItem] = []
        spots = dict(place.spots)
        for event in events:
            if isinstance(event, BadItem):
                items.append(event)
                continue
            item = self._item(event)
            if item is None or not self._timelines.is_new(item):
                continue
            items.append(item)
            key = _key(event.stream)
            if event.event == "update" and isinstance(item, Item) and key:
                spot = spots.get(key, Spot())
                spots[key] = Spot(high=max(spot.high, item.native_id, key=order))
        return tuple(items), Place(spots)

    def _item(self, event: Event) -> Item | BadItem | None:
        payload = event.payload or ""
        if event.event in ("update", "status.update"):
            return parse(payload.encode("utf-8", "surrogatepass"), host=self._timelines.host)
        if event.event == "delete":
            return deletion(payload, published_at=self._timelines.published(payload))
        return None  # announcements, notifications and what newer servers add


async def _gather(socket: ClientConnection) -> list[Event | BadItem]:
    async def receive() -> Event | BadItem:
        return read_event(await socket.recv())

    return await gathered(receive, most=PAGE_EVENTS, wait_s=HEARTBEAT_S, gather_s=GATHER_S)


def _key(stream: tuple[str, ...]) -> str:
    """Return the timeline that a stream belongs to."""
    if len(stream) == 2 and stream[0] == "hashtag":
        return f"tag:{stream[1].lower()}"
    return next((k for k, name in STREAMS.items() if stream[:1] == (name,)), "")


class _Urls(msgspec.Struct, frozen=True):
    streaming: str = ""


class _Configuration(msgspec.Struct, frozen=True):
    urls: _Urls = _Urls()


class _Instance(msgspec.Struct, frozen=True):
    """https://docs.joinmastodon.org/entities/Instance/: what is used of it."""

    configuration: _Configuration = _Configuration()
