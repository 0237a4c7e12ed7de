"""The cure of what Faust 0.15.3 loses when partitions move.

What is wrong there, and what this module does instead:

1. `Recovery` resumes the partitions of the sources before it seeks them, so a fetch may answer from
   the old position in between: records are passed by. Here: stop the flow, seek, then resume.
2. It seeks to the committed offset. What counts is what the state holds: `positions` tells the
   highest applied offset, and reading goes on after it, whatever was committed.
3. A stream that is told to skip a message (flow suspended, or a generation that is over) *acks* it,
   so that its offset is committed although nobody has worked on it. Here only a message that a
   stream has taken up in the present generation can be acked.
4. A hole in a source (retention) is noted one record too wide: the record after the hole counts as
   done before it is. Here the hole ends before it.
5. A worker that stood still beyond its session (SIGSTOP, a sleeping laptop) goes on as if it still
   owned its partitions until a heartbeat is refused. `Lease.held` is False from the moment in which
   another worker may own them: ask it right before a write.

6. It sleeps for a second at each start, for the tables that may yet be declared. Ours has none.

`cure(app, positions)` does it for one app and any driver, by subclassing; nothing of Faust is
patched for other apps. Each point has a test in tests/integration/test_worker_rebalance.py that
fails without it.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any

from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer
from faust.types import TP

Positions = Callable[[frozenset[TP]], Awaitable[Mapping[TP, int]]]
"""Highest applied offset of those source partitions that have a state."""


class Lease:
    """Whether this worker may still write for the partitions that it was given.

    A heartbeat that the broker accepts renews the lease from the moment in which it was sent: the
    broker counts the session from later, so while the lease is held no other member has the
    partitions. The monotonic clock goes on while a process is stopped.
    """

    def __init__(self, session_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._session_s = session_s
        self._clock = clock
        self._renewed_s: float | None = None

    def renew(self, sent_s: float) -> None:
        """Note an accepted heartbeat by the time at which it was sent."""
        self._renewed_s = sent_s

    def held(self) -> bool:
        """True without a broker (nothing to share) and before the first assignment."""
        return self._renewed_s is None or self._clock() - self._renewed_s < self._session_s


def cure(app: Any, positions: Positions) -> Lease:
    """Make an app exact across rebalances; call it before `app.start()`.

    Parameters
    ----------
    app
        A `faust.App`.
    positions
        Awaited at each assignment with all source partitions, before any record is fetched.
    """
    lease = Lease(app.conf.broker_session_timeout)
    driver = app.transport.Consumer
    members = {"positions": staticmethod(positions)}
    app.transport.Consumer = type("ExactConsumer", (_ExactConsumer, driver), members)
    app.tables._recovery = _Recovery(app, app.tables, lease=lease, beacon=app.tables.beacon)
    app.tables.on_start = partial(_start_at_once, app.tables)
    return lease


async def _start_at_once(tables: Any) -> None:
    """Stands in for `TableManager.on_start`."""
    await tables._update_channels()
    await tables.recovery.start()


def leave_at_stop(app: Any) -> None:
    """Let the group know when the app stops, though its member is static: another takes over.

    A static member that stops in order says nothing, so that nobody works on its partitions until
    its session is over. It is static for the sake of `kill -9`, after which it comes back sooner.
    """
    thread = getattr(app.consumer, "_thread", None)
    if thread is not None and thread._consumer is not None:
        thread._consumer._coordinator._group_instance_id = None


class _ExactConsumer(Consumer):
    """Goes before the driver's consumer in the order of classes."""

    positions: Positions

    def ack(self, message: Any) -> bool:
        if message.tracked and message.generation_id == self.app.consumer_generation_id:
            return bool(super().ack(message))
        message.acked = True
        self._unacked_messages.discard(message)
        return False

    async def perform_seek(self) -> None:
        await super().perform_seek()
        sources = frozenset(tp for tp in self.assignment() if not self._is_changelog_tp(tp))
        applied = await self.positions(sources)
        following = {tp: offset + 1 for tp, offset in applied.items() if tp in sources}
        if following:
            await self.seek_wait(following)
            # What was committed beyond the state was committed wrongly.
            self._committed_offset.update(following)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        await super()._add_gap(tp, offset_from, offset_to - 1)


class _Recovery(Recovery):
    app: Any  # Faust's interface lacks its fetcher

    def __init__(self, *args: Any, lease: Lease, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lease = lease

    async def _resume_streams(self, generation_id: int = 0) -> None:
        await self.app.on_rebalance_complete.send()
        if await self._open(generation_id):
            self.tables.on_standbys_ready()

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        await self.app.on_rebalance_complete.send()
        self._set_recovery_ended()
        for table in self.tables.values():
            await table.on_recovery_completed(
                self.actives_for_table[table], self.standbys_for_table[table]
            )
        if await self._open(generation_id) and not self.app.assignor.assigned_standbys():
            self.tables.on_standbys_ready()

    async def _open(self, generation_id: int) -> bool:
        """Seek the sources while nothing flows, then let them flow; False if it is outdated."""
        app = self.app
        consumer = app.consumer
        if app.consumer_generation_id != generation_id:
            return False
        consumer.stop_flow()
        assignment = consumer.assignment()
        self._watch_heartbeats(consumer)
        if assignment:
            # No time-out: `positions` waits for as long as the log is away.
            await self._wait(consumer.perform_seek())
            if app.consumer_generation_id != generation_id:
                return False
            consumer.resume_partitions({tp for tp in assignment if not self._is_changelog_tp(tp)})
        self.completed.set()
        app.flow_control.resume()
        consumer.resume_flow()
        await app._fetcher.maybe_start()
        self.tables.on_actives_ready()
        app.on_rebalance_end()
        self.log.info("Worker ready: %d partitions", len(assignment))
        return True

    def _watch_heartbeats(self, consumer: Any) -> None:
        thread = getattr(consumer, "_thread", None)
        if thread is None:
            return  # the embedded log: nobody to share with
        coordinator = thread._ensure_consumer()._coordinator
        # Joining the group was as good as a heartbeat.
        self._lease.renew(monotonic())
        if getattr(coordinator, "siaga_lease", None) is self._lease:
            return
        coordinator.siaga_lease = self._lease
        beat = coordinator._do_heartbeat

        async def noted() -> bool:
            sent = monotonic()
            accepted: bool = await beat()
            if accepted:
                self._lease.renew(sent)
            return accepted

        coordinator._do_heartbeat = noted
