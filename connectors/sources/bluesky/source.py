"""`bluesky`: the posts of the whole network over Jetstream, matched here; needs no key.

Documentation read: https://github.com/bluesky-social/jetstream docs/README.md sections 2, 5.1 and
5.2, and the lexicons network.bsky.jetstream.subscribeEvents and getZstdDictionary.

- A position (`seq`) is the host's own: the same host goes on exactly there, another one is asked
  from the time of the last event, rewound by `rewind_s`. Repeats are dropped by id.
- A position that the host no longer holds (`CursorTooOld`) is asked by time, which gives the
  oldest that it has; what lies between is lost, and the log says from when to when.
"""

import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlencode

import msgspec
import zstandard
from pydantic import Field, model_validator
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from connectors.contract import Context, Fatal, Page, Retryable, SourceSettings
from connectors.http import ask, client
from connectors.sources.bluesky.events import COLLECTION, Event, Read, read_new, read_old, time_us
from connectors.sources.bluesky.tid import at
from connectors.sources.cursor import LenientCursor
from connectors.sources.sockets import MAX_MESSAGE_BYTES, connected, gathered

logger = logging.getLogger(__name__)

Unpack = Callable[[bytes], bytes]

GATHER_S = 0.25
"""After the first event of a page its neighbours have this long."""
PAGE_EVENTS = 1000
"""Most events of a page."""
HEARTBEAT_S = 5.0
"""Nothing for so long is an empty page: silence is told from blindness."""

SILENT_S = 60.0
"""The network posts dozens of times a second: a minute without any is a host that hangs."""

LOST_US = 60_000_000
"""A first event that is this much later than what was asked for means that posts were lost."""

SUBSCRIBE = "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY = "/xrpc/network.bsky.jetstream.getZstdDictionary"


class BlueskySettings(SourceSettings):
    """`type = "bluesky"`."""

    type: Literal["bluesky"] = "bluesky"
    hosts: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "jetstream.us-east.bsky.network",
        "jetstream.us-west.bsky.network",
    )
    """Tried in turn; one that answers is kept as long as it answers."""
    wire: Literal["subscribeEvents", "subscribe"] = "subscribeEvents"
    """`subscribe` is what Jetstream 1 speaks (Bluesky's numbered hosts, `jetstream1.us-east...`);
    it does not say when posts were lost."""
    since_minutes: float = Field(default=0.0, ge=0, le=2160)
    """How far back the first connection goes; hosts hold a day and a half."""
    rewind_s: float = Field(default=10.0, ge=0, le=3600)
    """How far another host is asked to go back."""
    compress: bool = False
    """Half the traffic for a little work."""
    tls: bool = True
    """False only for a host inside your own network."""
    allow_private: bool = False
    """The hosts are inside your own network."""

    @model_validator(mode="after")
    def _compresses_what_it_knows(self) -> "BlueskySettings":
        if self.compress and self.wire == "subscribe":
            raise ValueError('compress works with wire = "subscribeEvents" only')
        return self


class Place(LenientCursor, frozen=True):
    """The cursor."""

    host: str = ""
    seq: int = 0
    us: int = 0
    """When the host saw the last event: the position that other hosts understand."""


class BlueskyConnector:
    """Follows one host's stream; goes to the next one when it does not answer."""

    Settings: ClassVar[type[SourceSettings]] = BlueskySettings

    def __init__(self, settings: BlueskySettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._new = settings.wire == "subscribeEvents"
        self._read = read_new if self._new else read_old
        self._host = 0
        self._by_time = False
        """The host does not hold the position: ask by time, once."""
        self._dictionary: zstandard.ZstdCompressionDict | None = None

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        """Follow the network's posts from the cursor on."""
        place = Place.read(cursor)
        host = self._settings.hosts[self._host % len(self._settings.hosts)]
        if self._by_time:
            place = Place("?", us=place.us)  # its numbers mean nothing to us any more
        answered = False
        silent_s = 0.0
        try:
            unpack = await self._unpacker(host)
            asked = self._query(place, host)
            async with connected(
                self._url(host, asked),
                now=self._context.now(),
                allow_private=self._settings.allow_private,
                accept=(400, 404),
            ) as socket:
                while silent_s < SILENT_S:
                    events = await _gather(socket, self._read, unpack)
                    silent_s = 0.0 if events else silent_s + HEARTBEAT_S
                    self._heed(events, place, asked)
                    if any(e.time for e in events):
                        if not answered:
                            self._tell_loss(events, place, asked)
                        answered, self._by_time = True, False
                    page, place = self._page(events, place, host)
                    yield page
        except InvalidStatus as e:
            self._refused(e, host)
        except Retryable:
            if not answered and not self._by_time:
                self._host += 1
            raise
        self._host += 1
        raise Retryable(f"{host}: no post for {SILENT_S:g} s; trying the next host")

    def cursor_at(self, time: datetime) -> str | None:
        """Return the cursor after which posts of a time and later follow."""
        return Place(us=int(time.timestamp() * 1e6)).written()

    async def close(self) -> None:
        """Nothing is held between streams."""

    def _query(self, place: Place, host: str) -> dict[str, str]:
        """Return where to begin, as the wire's parameter."""
        if place.us == 0 and place.seq == 0:
            back = self._settings.since_minutes
            if not back:
                return {}
            start = self._context.now() - timedelta(minutes=back)
            return {"cursor": str(int(start.timestamp() * 1e6))}
        same = place.host == host
        if self._new and same and place.seq and not self._by_time:
            return {"cursor": str(place.seq)}
        rewind_s = 0.0 if not place.host else self._settings.rewind_s
        return {"cursor": str(max(place.us - int(rewind_s * 1e6), 1))}

    def _url(self, host: str, asked: dict[str, str]) -> str:
        scheme = "wss" if self._settings.tls else "ws"
        if not self._new:
            query = {"wantedCollections": COLLECTION, **asked}
            return f"{scheme}://{host}/subscribe?{urlencode(query)}"
        query = {"kinds": "commit", "collections": COLLECTION, **asked}
        if self._dictionary is not None:
            query["zstdDictionary"] = str(self._dictionary.dict_id())
        return f"{scheme}://{host}{SUBSCRIBE}?{urlencode(query)}"

    async def _unpacker(self, host: str) -> Unpack | None:
        if not self._settings.compress:
            return None
        if self._dictionary is None:
            scheme = "https" if self._settings.tls else "http"
            http = client(self._context, allow_private=self._settings.allow_private)
            async with http:
                answer = await ask(http, f"{scheme}://{host}{DICTIONARY}", now=self._context.now)
            self._dictionary = zstandard.ZstdCompressionDict(answer.body)
            if not self._dictionary.dict_id():
                self._dictionary = None
                raise Retryable(f"{host}: sent no zstd dictionary")
        decompressor = zstandard.ZstdDecompressor(dict_data=self._dictionary)

        def unpack(raw: bytes) -> bytes:
            try:
                size = zstandard.get_frame_parameters(raw).content_size
                if MAX_MESSAGE_BYTES < size < zstandard.CONTENTSIZE_UNKNOWN:
                    raise Retryable(f"{host}: sent a frame of {size} bytes")
                return decompressor.decompress(raw, max_output_size=MAX_MESSAGE_BYTES)
            except zstandard.ZstdError as e:
                raise Retryable(f"{host}: sent a frame that cannot be unpacked") from e

        return unpack

    def _heed(self, events: list[Event], place: Place, asked: dict[str, str]) -> None:
        """Act on errors and notices, before anything of the page counts as given out."""
        for event in events:
            if event.error:
                raise Retryable(f"the host ends the stream: {event.error[:60]}")
            if event.notice == "FutureCursor" and asked and place.us and not self._by_time:
                self._by_time = True
                raise Retryable("the host does not know our position; asking by time", after_s=0.0)

    def _tell_loss(self, events: list[Event], place: Place, asked: dict[str, str]) -> None:
        """Say it when the host's oldest post is later than what was asked for."""
        first_us = next((us for e in events if (us := time_us(e.time))), 0)
        outdated = any(e.notice == "OutdatedCursor" for e in events)
        if not asked or not place.us or not first_us:
            return
        if outdated or (not self._new and first_us - place.us > LOST_US):
            logger.warning(
                "source %s: posts from %s to %s are lost: no host holds them any more",
                self._context.name,
                f"{at(place.us):%Y-%m-%d %H:%M:%S}",
                f"{at(first_us):%Y-%m-%d %H:%M:%S} UTC",
            )

    def _refused(self, error: InvalidStatus, host: str) -> None:
        """Judge a refusal of the handshake by its name (an XRPC error envelope)."""
        try:
            name = msgspec.json.decode(error.response.body or b"", type=_Envelope).error
        except (msgspec.DecodeError, UnicodeDecodeError):
            name = ""
        if name == "CursorTooOld":
            self._by_time = True
            raise Retryable(
                f"{host}: no longer holds our position; asking by time", after_s=0.0
            ) from error
        if name == "UnknownZstdDictionary":
            self._dictionary = None
            raise Retryable(f"{host}: has a new zstd dictionary", after_s=0.0) from error
        other = "subscribe" if self._new else "subscribeEvents"
        raise Fatal(
            f"{host}: does not accept the request ({error.response.status_code}): does it speak "
            f"another version? Set wire = {other!r}, or name other hosts"
        ) from error

    def _page(self, events: list[Event], place: Place, host: str) -> tuple[Page, Place]:
        # Positions are inclusive: the last event comes once more after a reconnect.
        known = place.seq if place.host == host else 0
        fresh = (e.item for e in events if not e.seq or e.seq > known)
        items = tuple(item for item in fresh if item is not None)
        for event in reversed(events):
            if us := time_us(event.time):
                place = Place(host, max(event.seq, known), max(us, place.us))
                break
        watermark = None
        if place.us:
            watermark = at(place.us) - timedelta(seconds=self._settings.lateness_s)
        full = len(events) >= PAGE_EVENTS
        return Page(items, place.written(), more=full, watermark=watermark), place


async def _gather(socket: ClientConnection, read: Read, unpack: Unpack | None) -> list[Event]:
    async def receive() -> Event:
        raw = await socket.recv(decode=False)
        return read(unpack(raw) if unpack else raw)

    return await gathered(receive, most=PAGE_EVENTS, wait_s=HEARTBEAT_S, gather_s=GATHER_S)


class _Envelope(msgspec.Struct, frozen=True):
    error: str = ""
