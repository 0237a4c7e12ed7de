"""A log in memory that keeps the port's promises, and records to put into it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest
from page_site import Site

from detectors.anomaly.reading import Reading
from streams.codec import encode
from streams.config import parse
from streams.log.port import Entry, LogRecord, Position
from streams.records import Counts, Incident, Mention, Minute, Sample, Scored
from streams.settings import RootSettings
from streams.topics import INCIDENTS, TopicSpec

PARTITIONS = 4


class MemoryLog:
    """Append and read, in order a partition; `follow` yields an empty chunk when idle."""

    def __init__(self, clock_ms: int = 1_700_000_000_000) -> None:
        self.partitions: dict[tuple[str, int], list[LogRecord]] = {}
        self.clock_ms = clock_ms

    async def ensure(self, specs: Sequence[TopicSpec]) -> None:
        for spec in specs:
            for p in range(spec.partitions or PARTITIONS):
                self.partitions.setdefault((spec.name, p), [])

    async def append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            count = len([1 for topic, _ in self.partitions if topic == entry.topic])
            if not count:
                await self.ensure([TopicSpec(entry.topic)])
                count = PARTITIONS
            chosen = entry.partition
            p = crc32(entry.key or b"") % count if chosen is None else chosen
            kept = self.partitions[entry.topic, p]
            stamp = self.clock_ms if entry.timestamp_ms is None else entry.timestamp_ms
            kept.append(LogRecord(entry.topic, p, len(kept), entry.key, entry.value, stamp))

    async def read(
        self,
        topic: str,
        *,
        start: Position | str = "earliest",
        follow: bool = False,
        partitions: Sequence[int] | None = None,
    ) -> AsyncIterator[Sequence[LogRecord]]:
        ends = await self.ends(topic)
        if start == "latest":
            position = dict(ends)
        else:
            position = {} if isinstance(start, str) else dict(start)
        while True:
            now = ends if not follow else await self.ends(topic)
            chunk: list[LogRecord] = []
            for p, end in now.items():
                if partitions is None or p in partitions:
                    first = position.get(p, 0)
                    chunk += self.partitions[topic, p][first : min(end, first + 100)]
                    position[p] = max(first, min(end, first + 100))
            if chunk or follow:
                yield chunk
            if not chunk:
                if not follow:
                    return
                await asyncio.sleep(0.01)

    async def ends(self, topic: str) -> dict[int, int]:
        return {p: len(kept) for (name, p), kept in self.partitions.items() if name == topic}

    async def starts(self, topic: str) -> dict[int, int]:
        return {p: 0 for (name, p) in self.partitions if name == topic}

    async def topics(self) -> list[str]:
        return sorted({name for name, _ in self.partitions})

    async def close(self) -> None:
        return None


@pytest.fixture
def memory_log() -> MemoryLog:
    return MemoryLog()


NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def make_incident(**changes: Any) -> Incident:
    """An open CRISIS of the brand kirana; every value can be changed."""
    values: dict[str, Any] = {
        "id": f"live/kirana/{int(NOW.timestamp())}",
        "brand": "kirana",
        "level": 3,
        "peak": 3,
        "signal": "volume",
        "onset": NOW - timedelta(minutes=5),
        "opened_at": NOW,
        "updated_at": NOW,
        "observed": 84.0,
        "expected": 6.2,
        "upper": 15.0,
        "score": 9.1,
        "topics": {"delivery": 0.8},
        "samples": (
            Sample(
                id="forum:1",
                source="forum",
                author="budi <b>",
                text="paket <script>alert(1)</script> belum \u202edatang",
                published_at=NOW,
                sentiment="negative",
                url="javascript:alert(1)",
            ),
        ),
        "sentences": {"id": "Sebutan Kirana melonjak.", "en": "Mentions of Kirana surge."},
    }
    return Incident(**(values | changes))


def make_minute(number: int, **changes: Any) -> Minute:
    """Minute `number` of the brand kirana, with both readings."""
    start = NOW + timedelta(minutes=number)
    values: dict[str, Any] = {
        "id": f"live/kirana/{int(start.timestamp())}",
        "brand": "kirana",
        "start": start,
        "counts": Counts(mentions=4, negative=1, neutral=3),
        "readings": (
            Reading("volume", 4.0, 3.0, 9.0, 0.4),
            Reading("negative_share", 0.25, 0.2, 0.5, 0.3),
        ),
    }
    return Minute(**(values | changes))


def make_scored(mention_id: str, text: str = "paket belum datang", **changes: Any) -> Scored:
    """A negative mention; `fate` and the mention's own fields can be changed."""
    fate = changes.pop("fate", "on_time")
    sentiment = changes.pop("sentiment", "negative")
    values = {"published_at": NOW, "collected_at": NOW, "source": "forum"} | changes
    mention = Mention(id=mention_id, text=text, **values)
    return Scored(mention=mention, sentiment=sentiment, probabilities=(0.8, 0.1, 0.1), fate=fate)


def incident_entry(incident: Incident, partition: int = 0) -> Entry:
    """The incident as the worker appends it."""
    return Entry(INCIDENTS, incident.id.encode(), encode(incident), partition)


def make_settings(toml: str, data_dir: Path) -> RootSettings:
    """Settings of a test: two brands, everything else from `toml`."""
    head = f'data_dir = "{data_dir}"\nlanguage = "en"\n'
    return parse(head + toml + '\n[brands.kirana]\ntitle = "Kirana Belanja"\n[brands.senja]\n')


@pytest.fixture
def make() -> SimpleNamespace:
    """The builders above, for test modules (which cannot import a conftest)."""
    return SimpleNamespace(
        now=NOW,
        incident=make_incident,
        minute=make_minute,
        scored=make_scored,
        entry=incident_entry,
        settings=make_settings,
        log=MemoryLog,
        receiving=receiving,
    )


class Receiver:
    """A local HTTP server: a webhook at /hook, Telegram's Bot API at /bot<token>/sendMessage.

    `answers`: statuses for the next requests (200 once they are used up), with optional seconds of
    Retry-After. Telegram's form: https://core.telegram.org/bots/api#making-requests.
    """

    BOT = "/bot123:secret"

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answers: list[tuple[int, float | None]] = []
        self.port = 0
        self.more = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            writer.close()
            return
        first, *lines = head.strip().split("\r\n")
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split()[1]
        body = json.loads(raw)
        status, after = self.answers.pop(0) if self.answers else (200, None)
        self.got.append((path, headers, body))
        self.more.set()
        answer = self.answer(path, body, status, after)
        extra = f"retry-after: {after}\r\n" if after is not None and path == "/hook" else ""
        writer.write(
            f"HTTP/1.1 {answer[0]} X\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"{extra}content-length: {len(answer[1])}\r\n\r\n".encode()
            + answer[1]
        )
        await writer.drain()
        writer.close()

    def answer(
        self, path: str, body: dict[str, Any], status: int, after: float | None
    ) -> tuple[int, bytes]:
        if path == "/hook":
            return status, b"{}"
        if path != f"{self.BOT}/sendMessage":
            status = 404 if path.startswith("/bot") else 400
        if not body.get("chat_id") or not body.get("text") or len(body["text"]) > 4096:
            status = 400
        if status == 200:
            result = {"message_id": 1000 + len(self.got), "date": 1, "text": body["text"]}
            return 200, json.dumps({"ok": True, "result": result}).encode()
        refusal: dict[str, Any] = {"ok": False, "error_code": status, "description": "Refused"}
        if after is not None:
            refusal["parameters"] = {"retry_after": after}
        return status, json.dumps(refusal).encode()

    async def heard(self, count: int) -> None:
        """Wait until `count` requests came; the test's own time limit ends a wait in vain."""
        while len(self.got) < count:
            self.more.clear()
            await self.more.wait()

    def toml(self) -> str:
        return (
            f'[alerts.webhooks.desk]\nurl = "http://127.0.0.1:{self.port}/hook"\n'
            f'[alerts.telegram.chat]\nchat_id = -42\napi_url = "http://127.0.0.1:{self.port}"\n'
        )


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@pytest.fixture
def site(make: SimpleNamespace, tmp_path: Path) -> Site:
    """A page of a crisis."""
    return Site(make, tmp_path)
