"""The worker without Faust: takes records in their order, keeps states, flushes, acknowledges.

A flush writes in three steps, each acknowledged before the next: outputs, the parts of changed
brands, the marks of changed partitions; only then are the source records acknowledged. Whatever
dies in between, the records behind it are read again and change nothing twice (state.py,
recovered.py). Since every record carries its offset and a partition has no holes, a jump in what
the consumer delivers is seen, counted and healed by reading the missing records from the log.

That makes dropping a live state always safe: the next record restores it from the changelog. A
partition is worked on only while it is owned (`assign`, `revoke`) and written only while the
session with the broker is certain (`held`).
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime

from streams import codec
from streams.log.patience import patiently
from streams.log.port import Entry, Log, Unavailable
from streams.pipeline.decode import Origin
from streams.pipeline.outcome import Outcome
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.runs import Keep, in_memory
from streams.pipeline.state import PartitionState
from streams.records import LIVE
from streams.topics import MENTIONS
from streams.worker import metrics
from streams.worker.restore import between, restored
from streams.worker.waiting import Ack, TakenAction, Waiting

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.2
"""Metrics do not wait for it, only the page and replays after a crash do; a busy brand's state is
written this often, and each time costs the same."""
MOST_PENDING = 500
"""Records that may wait for a flush before the stream waits for it (a bound on memory)."""

RETRY_S = (0.5, 1.0, 2.0, 5.0)
LOOK_S = 0.2
"""How soon a lost session is noticed, and its return."""


def nothing_more(_: Outcome) -> list[Entry]:
    """Add nothing to what a record led to."""
    return []


class Core:
    """States of the partitions that this worker owns.

    Parameters
    ----------
    state_topic
        The compacted topic that holds the states, with as many partitions as the mentions topic.
    clock
        Wall clock; for latencies and dead letters only, never for decisions.
    new_keep
        Begins a place for the states' ids that are seldom asked for; a restore begins new ones.
    more
        Entries that go out with those of a mentions record, at least once as they do.

    Attributes
    ----------
    held
        Whether this worker may write for its partitions now; False once another may own them.
    """

    def __init__(
        self,
        store: Log,
        pipeline: Pipeline,
        *,
        state_topic: str,
        shown_run: str = LIVE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_keep: Callable[[], Keep] = lambda: in_memory,
        more: Callable[[Outcome], list[Entry]] = nothing_more,
    ) -> None:
        self.log = store
        self.pipeline = pipeline
        self.state_topic = state_topic
        self.shown_run = shown_run
        self.clock = clock
        self.new_keep = new_keep
        self.more = more
        self.held: Callable[[], bool] = lambda: True
        self.owned: frozenset[int] = frozenset()
        self.states: dict[int, PartitionState] = {}
        self._parked: dict[int, tuple[PartitionState, int]] = {}
        self._waiting: dict[int, Waiting] = {}
        self._flushing = asyncio.Lock()
        self._restoring = asyncio.Lock()
        self._life = 0
        """Grows when states are dropped: work begun for a former life is given up."""
        self._broken = False

    # -- ownership -----------------------------------------------------------------------------

    async def assign(self, partitions: Collection[int]) -> dict[int, int]:
        """Own these partitions and no other; return the highest offset that each state covers."""
        self.owned = frozenset(partitions)
        parked = dict(self._parked)
        self._forget()
        ends = await patiently(lambda: self.log.ends(self.state_topic)) if parked else {}
        for partition, (state, end) in parked.items():
            # Nobody has written since: what we held is what a restore would give.
            if partition in self.owned and ends.get(partition) == end and self.held():
                self.states[partition] = state
        live = dict(self.states)
        if missing := self.owned - set(live):
            live |= await self._restore(missing)
        log.info("This worker owns %d partitions", len(self.owned))
        return {partition: state.applied for partition, state in live.items()}

    async def revoke(self) -> None:
        """Write what is held and stop working; the next owner starts from what is written."""
        self.owned = frozenset()
        await self.flush()
        states = dict(self.states)
        self._forget()
        if states and self.held() and not self._broken:
            try:
                ends = await self.log.ends(self.state_topic)
            except Unavailable:
                return
            self._parked = {p: (state, ends.get(p, 0)) for p, state in states.items()}

    def drop(self) -> None:
        """Let go of live states; the next record of a partition restores it from the log."""
        self._life += 1
        self.states.clear()
        self._parked.clear()
        for waiting in self._waiting.values():
            waiting.entries.clear()

    def _forget(self) -> None:
        self.drop()
        self._waiting.clear()

    async def watch_session(self) -> None:
        """Drop all states as soon as another worker may have taken them over."""
        lost = False
        while True:
            if not self.held() and not lost:
                self._lose()
            lost = not self.held()
            await asyncio.sleep(LOOK_S)

    def _lose(self) -> None:
        if self.states:
            log.warning(
                "No word from the broker for a whole session: another worker may own the "
                "partitions now. This one drops what it holds and reads it again."
            )
            metrics.PAUSES.inc()
        self.drop()

    # -- records -------------------------------------------------------------------------------

    async def take(self, partition: int, offset: int, value: bytes | None, ack: Ack) -> None:
        """Take the next record of the mentions topic; `ack` is called once it is covered."""
        state = await self._ready(partition, offset)
        if state is None:
            return  # it belongs to another worker now
        self._apply(state, offset, value)
        waiting = self._of(partition)
        waiting.acks.append((offset, ack))
        if len(waiting.acks) >= MOST_PENDING:
            await self.flush()

    async def take_action(self, partition: int, offset: int, value: bytes | None, ack: Ack) -> None:
        """Take the next record of the actions topic."""
        state = await self._ready(partition)
        if state is None:
            return
        action = TakenAction(offset, value, ack)
        self._act(state, action)
        self._of(partition).actions.append(action)

    async def _ready(self, partition: int, offset: int = 0) -> PartitionState | None:
        """Return the live state that has covered all before an offset; None if it is not ours."""
        while partition in self.owned:
            state = self.states.get(partition)
            if not self.held():
                await asyncio.sleep(LOOK_S)
            elif state is None:
                await self._restore([partition])
            elif offset > state.applied + 1:
                await patiently(lambda s=state: self._heal(s, offset))  # type: ignore[misc] # mypy cannot infer a lambda with a default
            else:
                return state
        return None

    def _of(self, partition: int) -> Waiting:
        return self._waiting.setdefault(partition, Waiting())

    def _apply(self, state: PartitionState, offset: int, value: bytes | None) -> None:
        now = self.clock()
        origin = Origin(MENTIONS, state.partition, offset)
        with self._or_broken():
            outcome = self.pipeline.apply(state, value or b"", origin=origin, now=now)
        self._of(state.partition).entries += outcome.entries + self.more(outcome)
        metrics.observe(outcome, now, shown_run=self.shown_run)

    def _act(self, state: PartitionState, taken: TakenAction) -> None:
        try:
            action = codec.action.decode(taken.value or b"")
        except ValueError as e:
            log.error(
                "An action in partition %s at %s is unreadable: %s",
                state.partition,
                taken.offset,
                e,
            )
            return
        with self._or_broken():
            outcome = self.pipeline.act(state, action, offset=taken.offset, now=self.clock())
        self._of(state.partition).entries += outcome.entries

    @contextmanager
    def _or_broken(self) -> Iterator[None]:
        """A state that was left in mid-change must never be written: the worker stops."""
        try:
            yield
        except BaseException:
            self._broken = True
            raise

    # -- restore and heal ----------------------------------------------------------------------

    async def _restore(self, partitions: Collection[int]) -> dict[int, PartitionState]:
        """Make states live, as far as they still are wanted when they have been read."""
        async with self._restoring:
            life = self._life
            bank = self.pipeline.config.bank
            found = await patiently(
                lambda: restored(self.log, self.state_topic, partitions, bank, self.new_keep)
            )
            if life == self._life:
                for partition, state in found.items():
                    if partition in self.owned and partition not in self.states:
                        self.states[partition] = state
                        for action in self._of(partition).actions:
                            self._act(state, action)
            return found

    async def _heal(self, state: PartitionState, offset: int) -> None:
        """Read the records between the state's position and a record that came too early."""
        first = state.applied + 1
        kept = (await self.log.starts(MENTIONS)).get(state.partition, 0)
        if kept > first:
            log.error(
                "Partition %s: records %s to %s were deleted by retention before they were read; "
                "they are lost. Give %s a longer retention or the worker more time.",
                state.partition, first, min(kept, offset) - 1, MENTIONS,
            )  # fmt: skip
            metrics.GAPS.labels(kind="lost").inc()
            first = min(kept, offset)
        if first < offset:
            metrics.GAPS.labels(kind="healed").inc()
            log.warning(
                "Partition %s jumped from %s to %s; reading the records between from the log",
                state.partition, first - 1, offset,
            )  # fmt: skip
            async with aclosing(between(self.log, state.partition, first, offset)) as missing:
                async for at, value in missing:
                    if self.states.get(state.partition) is not state:
                        return  # dropped meanwhile
                    if at > state.applied:
                        self._apply(state, at, value)
                    if len(self._of(state.partition).entries) >= MOST_PENDING:
                        await self.flush()
        # Whatever else is missing in between (an aborted transaction) is no record of ours.
        state.applied = max(state.applied, offset - 1)

    # -- flush ---------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Write what has been done since the last flush, then acknowledge its records.

        A flush that has begun ends, even if its caller is cancelled.

        Raises
        ------
        Exception
            Whatever the log raises besides `Unavailable`: the worker must stop, since a record
            whose state is not kept must not be acknowledged.
        """
        if any(self._waiting.values()):
            await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def _flush(self) -> None:
        async with self._flushing:
            if self._broken:
                return
            life = self._life
            work = [(self.states[p], w) for p, w in sorted(self._waiting.items())
                    if w and p in self.states]  # fmt: skip
            if not work:
                return
            covers = [(waiting, state.applied, len(waiting.actions)) for state, waiting in work]
            outputs = [entry for _, waiting in work for entry in waiting.entries]
            for _, waiting in work:
                waiting.entries = []
            with self._or_broken():
                parts = [self._entry(s, *change) for s, _ in work for change in s.changes()]
                marks = [self._entry(s, *s.marks_change()) for s, _ in work]
                for entries in (outputs, parts, marks):
                    if not await self._append(entries, life):
                        return
            for waiting, applied, actions in covers:
                waiting.covered(applied, actions)

    def _entry(self, state: PartitionState, key: str, value: bytes | None) -> Entry:
        return Entry(self.state_topic, key.encode(), value, state.partition)

    async def _append(self, entries: list[Entry], life: int) -> bool:
        """Append while the states that made the entries live; False when they do no longer."""
        attempt = 0
        while life == self._life:
            if not self.held():
                self._lose()
                return False
            try:
                if entries:
                    await self.log.append(entries)
            except Unavailable:
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                return True
        return False

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
                continue  # the log says so
            metrics.LAG.clear()
            for partition, state in list(self.states.items()):
                lag = ends.get(partition, 0) - 1 - state.applied
                metrics.LAG.labels(partition=str(partition)).set(max(0, lag))
