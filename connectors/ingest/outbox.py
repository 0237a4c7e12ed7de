"""What a source has brought and the log has not acknowledged yet: held in bounds, in order."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from connectors.ingest.batch import Batcher
from connectors.ingest.door import Outcome
from connectors.ingest.memory import BrandMemory
from connectors.ingest.publisher import Publisher
from connectors.ingest.standing import Standing
from streams import codec
from streams.log.port import Entry
from streams.records import Batch
from streams.topics import DEAD, MENTIONS

RECENT = 20_000
"""Ids that are remembered, to leave out what overlapping pages repeat."""


class Outbox:
    """One source's mentions and dead letters on their way to the log.

    Parameters
    ----------
    publisher
        Appends them, however long the log is away.
    batcher
        Makes records of mentions.
    memory
        What the door knows of earlier items: written with the mentions that it knows of.
    standing
        Counts what is published and what was left out.
    """

    def __init__(
        self, publisher: Publisher, batcher: Batcher, memory: BrandMemory, standing: Standing
    ) -> None:
        self._publisher = publisher
        self._batcher = batcher
        self._memory = memory
        self._standing = standing
        self._waiting: list[Entry] = []
        self._held = 0
        self._recent: OrderedDict[tuple[str, str, int], None] = OrderedDict()
        self.newest: datetime | None = None
        """Latest time of a mention that was put in."""

    def __len__(self) -> int:
        """Mentions that the log has not acknowledged."""
        return self._held + len(self._batcher)

    def put(self, outcome: Outcome) -> None:
        """Take what the door made of an item."""
        self._standing.admitted(outcome)
        if outcome.dead is not None:
            key = self._standing.source.encode()
            self._waiting.append(Entry(DEAD, key, codec.encode(outcome.dead)))
        for brand, mention in outcome.mentions:
            seen = (brand, mention.id, mention.revision)
            if seen in self._recent:
                self._standing.repeated()
                continue
            self._recent[seen] = None
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
            self.newest = max(mention.published_at, self.newest or mention.published_at)
            self._queue(self._batcher.add(brand, mention, now=time.monotonic()))

    async def send_due(self) -> bool:
        """Append the batches that are due; whether that left nothing waiting to be filled."""
        self._queue(self._batcher.due(now=time.monotonic()))
        await self._append()
        return not len(self._batcher)

    async def flush(self) -> None:
        """Append all that is held."""
        self._queue(self._batcher.flush())
        await self._append()

    def _queue(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._held += len(batch.mentions)
            self._waiting.append(Entry(MENTIONS, batch.brand.encode(), codec.encode(batch)))

    async def _append(self) -> None:
        if not self._waiting:
            return
        # What is appended stays in `_waiting` until acknowledged: a cancelled append is repeated.
        entries, held = tuple(self._waiting), self._held
        # With them what the door must know when they are fetched again after a crash.
        segments = self._memory.unsaved()
        await self._publisher.append((*segments, *entries))
        self._memory.saved(segments)
        del self._waiting[: len(entries)]
        self._held -= held
        self._standing.published(held)
