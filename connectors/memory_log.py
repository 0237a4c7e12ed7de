"""A log in memory, for the tests of connectors: the port's behaviour, and faults on demand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from zlib import crc32

from streams.log.port import Entry, LogRecord, Position, Unavailable
from streams.topics import TOPICS, TopicSpec


class MemoryLog:
    """The log port in memory; `away` makes every append fail until it is cleared.

    Parameters
    ----------
    partitions
        Of topics whose spec names none.
    """

    def __init__(self, partitions: int = 2) -> None:
        self._partitions = partitions
        self._records: dict[str, list[list[LogRecord]]] = {}
        self.away = False
        self.refused = 0

    async def ensure(self, specs: Sequence[TopicSpec] = TOPICS) -> None:
        """Create what is missing."""
        for spec in specs:
            count = spec.partitions or self._partitions
            self._records.setdefault(spec.name, [[] for _ in range(count)])

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append, or refuse all of it while `away`."""
        await asyncio.sleep(0)
        if self.away:
            self.refused += 1
            raise Unavailable("the memory log was told to be away")
        for entry in entries:
            lanes = self._records[entry.topic]
            place = entry.partition
            if place is None:
                place = crc32(entry.key or b"") % len(lanes)
            lane = lanes[place]
            lane.append(
                LogRecord(entry.topic, place, len(lane), entry.key, entry.value, 0),
            )

    async def read(
        self,
        topic: str,
        *,
        start: Position | str = "earliest",
        follow: bool = False,
        partitions: Sequence[int] | None = None,
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """Yield what is there, one chunk a partition; with `follow` go on for ever."""
        lanes = self._records.get(topic, [])
        at = {p: 0 for p in range(len(lanes)) if partitions is None or p in partitions}
        if start == "latest":
            at = {p: len(lanes[p]) for p in at}
        elif not isinstance(start, str):
            at |= {p: start[p] for p in at if p in start}
        while True:
            for p in at:
                if chunk := lanes[p][at[p] :]:
                    at[p] += len(chunk)
                    yield chunk
            if not follow:
                return
            await asyncio.sleep(0.01)
            yield ()

    async def ends(self, topic: str) -> dict[int, int]:
        """Return the offsets after the last records."""
        return {p: len(lane) for p, lane in enumerate(self._records.get(topic, []))}

    async def starts(self, topic: str) -> dict[int, int]:
        """Return zeros: nothing is ever dropped."""
        return dict.fromkeys(range(len(self._records.get(topic, []))), 0)

    async def topics(self) -> list[str]:
        """Return the names of all topics."""
        return sorted(self._records)

    async def close(self) -> None:
        """Nothing is held."""
