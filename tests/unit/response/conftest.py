"""A log in memory that keeps the port's promises, and records to put into it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from zlib import crc32

import pytest

from streams.log.port import Entry, LogRecord, Position
from streams.topics import TopicSpec

PARTITIONS = 4


class MemoryLog:
    """Append and read, in order a partition; `follow` yields an empty chunk when idle."""

    def __init__(self, clock_ms: int = 1_700_000_000_000) -> None:
        self.partitions: dict[tuple[str, int], list[LogRecord]] = {}
        self.clock_ms = clock_ms
        self.appended = asyncio.Condition()

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
        async with self.appended:
            self.appended.notify_all()

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
                async with self.appended:
                    try:
                        await asyncio.wait_for(self.appended.wait(), 0.05)
                    except TimeoutError:
                        continue

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
