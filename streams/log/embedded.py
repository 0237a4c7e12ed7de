"""The log in a file of this machine: `siaga run` needs no broker.

database.py opens the file, store.py reads and writes it, writer.py owns the thread that writes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from streams.log.partitioner import partition_of
from streams.log.port import Entry, LogRecord, Position, UnknownTopic
from streams.log.rules import check_size, check_start, first_offsets
from streams.log.store import Row, Store, Stored, Topic, Wanted, by_lane, now_ms
from streams.log.writer import Bell, acquire, release
from streams.topics import TopicSpec

T = TypeVar("T")

CHUNK_ROWS = 1_000
CHUNK_BYTES = 4 << 20
"""Bounds of one chunk of a reader: all that a reader ever holds of the history."""

POLL_SECONDS = 0.25
"""How soon records of another process are seen; those of this process ring a bell."""

IDLE_SECONDS = 1.0
"""A reader that follows hears of nothing new this often."""


class EmbeddedLog:
    """The log port over one SQLite file; several may be open on one file, in any process.

    Parameters
    ----------
    path
        The file; it and its folder are made if missing.
    partitions
        Of a topic whose spec names none.
    prefix
        Before every topic name in the file.

    Raises
    ------
    Unavailable
        If the file cannot be opened now.
    CannotStart
        If it is damaged, of another program, or of a newer Siaga.
    """

    def __init__(self, path: Path, partitions: int = 12, prefix: str = "") -> None:
        self._writer = acquire(path)
        self._store = self._writer.store
        self._partitions = partitions
        self._prefix = prefix
        self._keyless = 0
        self._closed = False
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="siaga-log-reader")

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    async def ensure(self, specs: Sequence[TopicSpec]) -> None:
        """Create the topics that are missing."""
        full = [_renamed(spec, self._prefix + spec.name) for spec in specs]
        await self._writer.call(lambda store: store.ensure(full, self._partitions))

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append in order; returns after the commit."""
        rows = []
        for entry in entries:
            topic = await self.topic(entry.topic)
            if topic is None:
                raise UnknownTopic(entry.topic)
            check_size(entry)
            lane = topic.lanes[self._partition(entry, len(topic.lanes))]
            stamp = now_ms() if entry.timestamp_ms is None else entry.timestamp_ms
            rows.append(Row(lane, stamp, entry.key, None, entry.value))
        if rows:
            # Shielded: a cancelled caller does not know, but the record may be there all the same.
            await asyncio.shield(self._writer.submit(rows))

    async def read(
        self,
        topic: str,
        *,
        start: Position | str = "earliest",
        follow: bool = False,
        partitions: Sequence[int] | None = None,
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """Chunks of records; see the port."""
        check_start(start)
        found = await self.topic(topic)
        while found is None:
            if not follow:
                return
            yield ()
            await asyncio.sleep(IDLE_SECONDS)
            found = await self.topic(topic)
        lanes = found.lanes
        chosen = range(len(lanes)) if partitions is None else partitions
        by_number = {lanes[p]: p for p in chosen}
        ends = await self.run(lambda s: s.ends(by_number))
        starts = await self.run(lambda s: s.starts(by_number))
        if not isinstance(start, str):
            start = {lane: start[p] for lane, p in by_number.items() if p in start}
        at = first_offsets(start, starts=starts, ends=ends)
        order = list(by_number)
        with Bell(self._writer, order) as bell:
            while True:
                if follow:
                    ends = await self.run(lambda s: s.ends(by_number))
                wanted = [Wanted(n, at[n], ends[n]) for n in order if at[n] < ends[n]]
                chunk = await self._chunk(wanted) if wanted else []
                if chunk:
                    for stored in chunk:
                        at[stored.lane] = stored.offset + 1
                    # The next chunk begins with another lane, so that none waits for a long one.
                    order = [*order[1:], order[0]]
                    yield [_as_record(topic, by_number[s.lane], s) for s in chunk]
                elif not follow:
                    return
                else:
                    # What was wanted and is not there was deleted meanwhile.
                    at = dict(ends)
                    if await self._quiet(bell, at):
                        yield ()

    async def ends(self, topic: str) -> dict[int, int]:
        """Offset after the last record, by partition."""
        found = await self.topic(topic)
        if found is None:
            return {}
        return by_lane(found, await self.run(lambda s: s.ends(found.lanes)))

    async def starts(self, topic: str) -> dict[int, int]:
        """Offset of the first record kept, by partition."""
        found = await self.topic(topic)
        if found is None:
            return {}
        return by_lane(found, await self.run(lambda s: s.starts(found.lanes)))

    async def topics(self) -> list[str]:
        """Names of all topics of this prefix, without it."""
        found = await self.run(lambda s: s.topics())
        cut = len(self._prefix)
        return [t.name[cut:] for t in found if t.name.startswith(self._prefix)]

    async def close(self) -> None:
        """Wait for queued writes and let go of the file."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown(wait=True)
        release(self._writer)

    async def topic(self, name: str) -> Topic | None:
        """Return a topic of the file by its name without the prefix."""
        full = self._prefix + name
        return self._store.known(full) or await self.run(lambda s: s.topic(full))

    async def run(self, function: Callable[[Store], T]) -> T:
        """Run a reading function of the store in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, self._store)

    async def delete(
        self, ids: Sequence[int], *, lane: int, compacted_to: int | None = None
    ) -> None:
        """Delete records by row id, in turn with the writes (for upkeep.py)."""
        await self._writer.call(
            lambda store: store.delete(ids, lane=lane, compacted_to=compacted_to)
        )

    # -- helpers

    def _partition(self, entry: Entry, count: int) -> int:
        if entry.partition is not None:
            if not 0 <= entry.partition < count:
                raise ValueError(
                    f"{entry.topic} has partitions 0 to {count - 1}, not {entry.partition}"
                )
            return entry.partition
        if entry.key is None:
            self._keyless += 1
            return self._keyless % count
        return partition_of(entry.key, count)

    async def _chunk(self, wanted: Sequence[Wanted]) -> list[Stored]:
        return await self.run(lambda s: s.read(wanted, max_rows=CHUNK_ROWS, max_bytes=CHUNK_BYTES))

    async def _quiet(self, bell: Bell, at: dict[int, int]) -> bool:
        """Wait until there is something to read (False) or a second has passed (True)."""
        for _ in range(round(IDLE_SECONDS / POLL_SECONDS)):
            if await bell.wait(POLL_SECONDS):
                return False
            if await self.run(lambda s: s.ends(at)) != at:
                return False
        return True


def _as_record(topic: str, partition: int, stored: Stored) -> LogRecord:
    return LogRecord(topic, partition, stored.offset, stored.key, stored.value, stored.timestamp_ms)


def _renamed(spec: TopicSpec, name: str) -> TopicSpec:
    return TopicSpec(name, spec.partitions, spec.compacted, spec.retention_ms)
