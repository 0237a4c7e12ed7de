"""The worker without Faust: takes records in their order, keeps states, flushes, acknowledges.

A flush writes in three steps, each acknowledged before the next: outputs, the parts of changed
brands, the marks of changed partitions; only then are the source records acknowledged. Whatever
dies in between, the records behind it are read again and change nothing twice (state.py,
recovered.py). Since every record carries its offset and a partition has no holes, a jump in what
the consumer delivers is seen, counted and healed by reading the missing records from the log.

That makes dropping a live state always safe: the next record restores it from the changelog.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from streams import codec
from streams.log.port import Entry, Log, Unavailable
from streams.pipeline.decode import Origin
from streams.pipeline.outcome import Outcome
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.recovered import Recovered
from streams.pipeline.state import PartitionState
from streams.records import LIVE
from streams.topics import MENTIONS
from streams.worker import metrics

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.05
MOST_PENDING = 500
"""Records that may wait for a flush before the stream waits for it (a bound on memory)."""

RETRY_S = (0.5, 1.0, 2.0, 5.0)


@dataclass
class _Pending:
    entries: list[Entry] = field(default_factory=list)
    acks: list[Callable[[], None]] = field(default_factory=list)
    partitions: set[int] = field(default_factory=set)


class Core:
    """States of the partitions that this worker owns.

    Parameters
    ----------
    state_topic
        The compacted topic that holds the states, with as many partitions as the mentions topic.
    clock
        Wall clock; for latencies and dead letters only, never for decisions.
    """

    def __init__(
        self,
        store: Log,
        pipeline: Pipeline,
        *,
        state_topic: str,
        shown_run: str = LIVE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.log = store
        self.pipeline = pipeline
        self.state_topic = state_topic
        self.shown_run = shown_run
        self.clock = clock
        self.states: dict[int, PartitionState] = {}
        self._pending = _Pending()
        self._flushing = asyncio.Lock()
        self._restoring = asyncio.Lock()
        self._beat_s = monotonic()

    # -- records -------------------------------------------------------------------------------

    async def take(
        self, partition: int, offset: int, value: bytes | None, ack: Callable[[], None]
    ) -> None:
        """Take the next record of the mentions topic; `ack` is called once it is covered."""
        state = self.states.get(partition) or await self._restored(partition)
        if offset > state.applied + 1:
            await self._heal(state, offset)
        self._apply(state, offset, value)
        self._wait_for_flush(partition, ack)
        if len(self._pending.acks) >= MOST_PENDING:
            await self.flush()

    async def take_action(
        self, partition: int, offset: int, value: bytes | None, ack: Callable[[], None]
    ) -> None:
        """Take the next record of the actions topic."""
        state = self.states.get(partition) or await self._restored(partition)
        try:
            action = codec.action.decode(value or b"")
        except ValueError as e:
            log.error("An action in partition %s at %s is unreadable: %s", partition, offset, e)
        else:
            outcome = self.pipeline.act(state, action, offset=offset, now=self.clock())
            self._collect(outcome)
        self._wait_for_flush(partition, ack)

    def _apply(self, state: PartitionState, offset: int, value: bytes | None) -> None:
        now = self.clock()
        origin = Origin(MENTIONS, state.partition, offset)
        outcome = self.pipeline.apply(state, value or b"", origin=origin, now=now)
        self._collect(outcome)
        metrics.observe(outcome, now, shown_run=self.shown_run)

    def _collect(self, outcome: Outcome) -> None:
        self._pending.entries += outcome.entries

    def _wait_for_flush(self, partition: int, ack: Callable[[], None]) -> None:
        self._pending.partitions.add(partition)
        self._pending.acks.append(ack)

    # -- restore and heal ----------------------------------------------------------------------

    async def _restored(self, partition: int) -> PartitionState:
        async with self._restoring:
            if partition in self.states:
                return self.states[partition]
            await self.restore([partition])
            return self.states[partition]

    async def restore(self, partitions: Iterable[int]) -> None:
        """Read the states of partitions back from the changelog."""
        wanted = sorted(set(partitions) - set(self.states))
        if not wanted:
            return
        began = monotonic()
        found = Recovered()
        values = 0
        async for chunk in self.log.read(self.state_topic, partitions=wanted):
            for record in chunk:
                if record.key is not None:
                    found.feed(record.key.decode(), record.value)
                    values += 1
        starts = await self.log.starts(MENTIONS)
        for partition in wanted:
            state = found.take(partition, self.pipeline.config.bank)
            first = starts.get(partition, 0)
            if state.applied < 0:
                state.applied = first - 1  # a new group starts at the oldest record that is kept
            self.states[partition] = state
        metrics.RESTORED.inc(values)
        log.info(
            "Restored partitions %s from %d values in %.1f s", wanted, values, monotonic() - began
        )

    async def _heal(self, state: PartitionState, offset: int) -> None:
        """Read the records between the state's position and a record that came too early."""
        first = state.applied + 1
        starts = await self.log.starts(MENTIONS)
        kept = starts.get(state.partition, 0)
        if kept > first:
            log.error(
                "Partition %s: records %s to %s were deleted by retention before they were read; "
                "they are lost. Give %s a longer retention or the worker more time.",
                state.partition, first, min(kept, offset) - 1, MENTIONS,
            )  # fmt: skip
            metrics.GAPS.labels(kind="lost").inc()
            first = kept
        if first >= offset:
            return
        metrics.GAPS.labels(kind="healed").inc()
        log.warning(
            "Partition %s jumped from %s to %s; reading the records between from the log",
            state.partition, first - 1, offset,
        )  # fmt: skip
        async for record in self._between(state.partition, first, offset):
            if record[0] > state.applied:
                self._apply(state, *record)

    async def _between(
        self, partition: int, first: int, end: int
    ) -> AsyncIterator[tuple[int, bytes | None]]:
        async for chunk in self.log.read(
            MENTIONS, start={partition: first}, partitions=[partition]
        ):
            for record in chunk:
                if record.offset >= end:
                    return
                yield record.offset, record.value

    # -- flush ---------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Write what has been done since the last flush, then acknowledge its records.

        Raises
        ------
        Exception
            Whatever the log raises besides `Unavailable`: the worker must stop, since a record
            whose state is not kept must not be acknowledged.
        """
        async with self._flushing:
            work, self._pending = self._pending, _Pending()
            if not work.acks and not work.entries:
                return
            states = [self.states[p] for p in sorted(work.partitions) if p in self.states]
            parts = [self._entry(s, *change) for s in states for change in s.changes()]
            marks = [self._entry(s, *s.marks_change()) for s in states]
            for entries in (work.entries, parts, marks):
                if entries:
                    await self._append(entries)
            for ack in work.acks:
                ack()

    def _entry(self, state: PartitionState, key: str, value: bytes | None) -> Entry:
        return Entry(self.state_topic, key.encode(), value, state.partition)

    async def _append(self, entries: list[Entry]) -> None:
        attempt = 0
        while True:
            try:
                await self.log.append(entries)
            except Unavailable as e:
                if attempt == 0:
                    log.error("The log cannot be written; the worker waits and retries: %s", e)
                    metrics.LOG_AVAILABLE.set(0)
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                if attempt:
                    log.info("The log can be written again after %d attempts", attempt)
                metrics.LOG_AVAILABLE.set(1)
                return

    async def flush_for_ever(self) -> None:
        """Flush whenever something waits; ends only by an error or cancellation."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()

    async def measure_lag(self, *, every_s: float = 5.0) -> None:
        """Keep the lag of the owned partitions in the metrics."""
        while True:
            await asyncio.sleep(every_s)
            try:
                ends = await self.log.ends(MENTIONS)
            except Unavailable:
                continue  # the flush says so
            metrics.LAG.clear()
            for partition, state in list(self.states.items()):
                lag = ends.get(partition, 0) - 1 - state.applied
                metrics.LAG.labels(partition=str(partition)).set(max(0, lag))

    # -- ownership -----------------------------------------------------------------------------

    def drop(self, partitions: Iterable[int] | None = None) -> None:
        """Let go of live states (None: all); what was not flushed will be read again."""
        for partition in list(self.states) if partitions is None else list(partitions):
            self.states.pop(partition, None)
        self._pending.entries.clear()

    async def watch_for_pauses(self, *, longest_s: float) -> None:
        """Drop all states after a pause in which another worker may have taken them over."""
        every_s = min(1.0, longest_s / 4)
        while True:
            self._beat_s = monotonic()
            await asyncio.sleep(every_s)
            paused_s = monotonic() - self._beat_s - every_s
            if paused_s > longest_s:
                log.warning(
                    "This worker stood still for %.1f s; it drops what it holds and reads it again",
                    paused_s,
                )
                metrics.PAUSES.inc()
                self.drop()
