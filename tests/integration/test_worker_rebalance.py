"""Each cure of streams/worker/rebalance.py, by a test that fails without it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.types import TP
from services import KafkaOptions

from streams.log.embedded import EmbeddedLog
from streams.log.kafka import KafkaLog
from streams.log.port import Entry, Log
from streams.log.store import Commit
from streams.log.writer import acquire, release
from streams.settings import LogSettings
from streams.topics import TopicSpec
from streams.worker.rebalance import Lease, _Recovery, cure
from streams.worker.transport import embedded_url

GROUP = "t"


async def nothing_applied(_: frozenset[TP]) -> Mapping[TP, int]:
    """Positions of a worker without any state."""
    return {}


class Work:
    """A worker without state of its own: it notes what it is given."""

    def __init__(self, broker: Any, topic: str, partitions: int, **options: Any) -> None:
        self.app = faust.App(
            options.pop("group", GROUP),
            broker=broker,
            store="memory://",
            topic_partitions=partitions,
            topic_disable_leader=True,
            web_enabled=False,
            stream_wait_empty=False,
            stream_recovery_delay=0.0,
            consumer_auto_offset_reset="earliest",
            broker_commit_interval=0.1,
            **options,
        )
        self.seen: list[tuple[int, int]] = []
        self.on_event: Callable[[int, int], None] = lambda _p, _o: None
        source = self.app.topic(
            topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )

        @self.app.agent(source)
        async def note(stream: Any) -> None:
            async for event in stream.noack().events():
                message = event.message
                self.seen.append((message.partition, message.offset))
                self.on_event(message.partition, message.offset)
                event.ack()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the app in this loop."""
        self.app.finalize()
        await self.app.start()
        try:
            yield
        finally:
            await self.app.stop()

    async def until(self, done: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait for a condition, failing on a crash of the app."""
        async with asyncio.timeout(timeout_s):
            while not done():
                if self.app.crashed:
                    raise self.app.crash_reason
                await asyncio.sleep(0.01)


async def filled(path: Path, records: int) -> EmbeddedLog:
    """An embedded log with that many records in the one partition of topic `m`."""
    log = EmbeddedLog(path)
    await log.ensure([TopicSpec("m", partitions=1)])
    await log.append([Entry("m", b"k", b"%d" % i) for i in range(records)])
    return log


def test_reading_goes_on_after_the_state_not_after_the_committed_offset(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path / "log.db", 60)
        writer = acquire(tmp_path / "log.db")
        lane = writer.store.topic("m").lanes[0]  # type: ignore[union-attr] # made above
        await writer.submit([], [Commit(GROUP, lane, 50)])  # more than was ever applied
        work = Work(embedded_url(log.path), "m", 1)

        async def applied(tps: frozenset[TP]) -> Mapping[TP, int]:
            assert tps == {TP("m", 0)}
            return {TP("m", 0): 9}

        cure(work.app, applied)
        async with work.running():
            await work.until(lambda: (0, 59) in work.seen)
        assert work.seen == [(0, o) for o in range(10, 60)]
        release(writer)
        await log.close()

    asyncio.run(main())


# Faust commits on a timer: a machine that stalls at the wrong moment reads a record once more.
@pytest.mark.flaky(reruns=2)
def test_without_a_state_reading_goes_on_after_the_committed_offset(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path / "log.db", 20)
        for first, last in ((0, 19), (20, 29)):
            work = Work(embedded_url(log.path), "m", 1)
            cure(work.app, nothing_applied)
            async with work.running():
                await work.until(lambda w=work, o=last: (0, o) in w.seen)
            assert work.seen == [(0, o) for o in range(first, last + 1)]
            await log.append([Entry("m", b"k", b"more") for _ in range(10)])
        await log.close()

    asyncio.run(main())


def test_no_record_can_be_fetched_before_the_seek_is_done(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path / "log.db", 10)
        work = Work(embedded_url(log.path), "m", 1)
        open_while_seeking = []

        async def applied(tps: frozenset[TP]) -> Mapping[TP, int]:
            consumer = work.app.consumer
            open_while_seeking.append(
                consumer.flow_active or bool(tps & consumer._get_active_partitions())
            )
            return {}

        cure(work.app, applied)
        async with work.running():
            await work.until(lambda: len(work.seen) == 10)
        assert open_while_seeking
        assert not any(open_while_seeking)
        await log.close()

    asyncio.run(main())


def test_a_rebalance_in_full_flow_skips_no_record(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path / "log.db", 3_000)
        work = Work(embedded_url(log.path), "m", 1, stream_buffer_maxsize=64)
        applied: dict[TP, int] = {}
        holes: list[tuple[int, int]] = []

        def apply(partition: int, offset: int) -> None:
            tp = TP("m", partition)
            if offset > applied.get(tp, -1) + 1:
                holes.append((applied.get(tp, -1), offset))
            applied[tp] = max(applied.get(tp, -1), offset)

        async def positions(tps: frozenset[TP]) -> Mapping[TP, int]:
            return {tp: applied[tp] for tp in tps if tp in applied}

        work.on_event = apply
        cure(work.app, positions)
        async with work.running():
            for after in (200, 900, 1_700):
                await work.until(lambda n=after: len(work.seen) > n)
                await work.app.consumer.subscribe(["m"])
            await work.until(lambda: applied.get(TP("m", 0)) == 2_999)
        assert holes == []
        await log.close()

    asyncio.run(main())


@pytest.mark.parametrize("why", ["skipped", "of a former generation"])
def test_a_record_that_nobody_worked_on_is_never_committed(tmp_path: Path, why: str) -> None:
    async def main() -> None:
        log = await filled(tmp_path / "log.db", 1)
        work = Work(embedded_url(log.path), "m", 1)
        cure(work.app, nothing_applied)
        async with work.running():
            await work.until(lambda: len(work.seen) == 1)
            consumer = work.app.consumer
            message = consumer._to_message(TP("m", 0), _record(1))
            if why == "skipped":
                message.tracked = False  # Faust tracks a message when a stream takes it up
            else:
                message.tracked = True
                message.generation_id -= 1
            message.incref()
            message.ack(consumer)
            assert 1 not in consumer._acked[TP("m", 0)]
            # and one that was worked on is:
            message = consumer._to_message(TP("m", 0), _record(1))
            message.tracked = True
            message.incref()
            message.ack(consumer)
            assert 1 in consumer._acked[TP("m", 0)]
        await log.close()

    asyncio.run(main())


def test_the_record_after_a_hole_is_not_committed_before_it_is_done(tmp_path: Path) -> None:
    async def main() -> None:
        log = await filled(tmp_path / "log.db", 1)
        work = Work(embedded_url(log.path), "m", 1)
        cure(work.app, nothing_applied)
        async with work.running():
            await work.until(lambda: len(work.seen) == 1)
            consumer, tp = work.app.consumer, TP("m", 0)
            await consumer.commit()
            consumer._committed_offset[tp] = 4
            consumer._acked[tp] = [4, 11]
            # What Faust says when 10 comes after 4: the record at 10 is still being worked on.
            await consumer._add_gap(tp, 5, 10)
            assert consumer._new_offset(tp) == 10
            consumer._acked[tp] = []
        await log.close()

    asyncio.run(main())


def _record(offset: int) -> Any:
    from streams.log.store import Stored

    return Stored(1, offset, 0, b"k", None, b"v")


def test_a_start_waits_for_no_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slept(_seconds: float) -> None:
        raise AssertionError("a second of every start, for tables that we have not")

    async def main() -> None:
        log = await filled(tmp_path / "log.db", 3)
        work = Work(embedded_url(log.path), "m", 1)
        cure(work.app, nothing_applied)
        monkeypatch.setattr(work.app.tables, "sleep", slept)
        async with work.running():
            await work.until(lambda: (0, 2) in work.seen)
        await log.close()

    asyncio.run(main())


def test_a_lease_is_over_when_no_heartbeat_was_accepted_for_a_session() -> None:
    now = 0.0
    lease = Lease(10, clock=lambda: now)
    assert lease.held()  # no broker, nobody to share with
    lease.renew(0.0)
    now = 9.9
    assert lease.held()
    lease.renew(9.0)
    now = 18.9
    assert lease.held()
    now = 19.0
    assert not lease.held()
    lease.renew(19.0)
    assert lease.held()


def test_a_heartbeat_that_the_group_refuses_renews_no_lease() -> None:
    lease = Lease(10)
    answers = [True, False]

    async def beat() -> bool:
        return answers.pop(0)

    coordinator = SimpleNamespace(_do_heartbeat=beat)
    thread = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_coordinator=coordinator))
    recovery: Any = SimpleNamespace(_lease=lease)
    _Recovery._watch_heartbeats(recovery, SimpleNamespace(_thread=thread))
    renewed: list[float] = []
    lease.renew = renewed.append  # type: ignore[method-assign] # only asked whether it is called
    assert asyncio.run(coordinator._do_heartbeat())
    assert len(renewed) == 1
    assert not asyncio.run(coordinator._do_heartbeat())
    assert len(renewed) == 1


@pytest.mark.kafka
def test_members_that_come_and_go_leave_no_hole_on_kafka(kafka: Any) -> None:
    """Two workers share what was applied, as by a changelog; one joins, leaves, joins again."""
    prefix = f"r{uuid.uuid4().hex[:8]}."
    partitions = 4

    async def main() -> None:
        settings = LogSettings(
            kind="kafka", bootstrap=(kafka.address,), partitions=partitions, prefix=prefix
        )
        log = KafkaLog(settings)
        await log.ensure([TopicSpec("m")])
        applied: dict[int, int] = {}
        holes: list[tuple[int, int, int]] = []

        def apply(partition: int, offset: int) -> None:
            before = applied.get(partition, -1)
            if offset > before + 1:
                holes.append((partition, before, offset))
            applied[partition] = max(before, offset)

        async def positions(tps: frozenset[TP]) -> Mapping[TP, int]:
            return {tp: applied[tp.partition] for tp in tps if tp.partition in applied}

        def worker(name: str) -> Work:
            work = Work(
                f"kafka://{kafka.address}",
                f"{prefix}m",
                partitions,
                group=f"{prefix}g",
                consumer_group_instance_id=name,
                broker_session_timeout=6.0,
                broker_heartbeat_interval=1.0,
                stream_buffer_maxsize=64,
            )
            work.on_event = apply
            cure(work.app, positions)
            return work

        stop = asyncio.Event()
        sent = [0] * partitions
        producing = asyncio.create_task(_produce(log, sent, stop))
        first = worker("one")
        async with first.running():
            await first.until(lambda: len(first.seen) > 500)
            for _ in range(2):
                second = worker("two")
                async with second.running():
                    await second.until(lambda w=second: len(w.seen) > 200)
                enough = len(first.seen) + 200
                await first.until(lambda n=enough: len(first.seen) > n)
            stop.set()
            await producing
            await first.until(lambda: all(applied.get(p) == n - 1 for p, n in enumerate(sent)))
        assert holes == []
        await log.close()

    asyncio.run(main())


async def _produce(log: Log, sent: list[int], stop: asyncio.Event) -> None:
    while not stop.is_set():
        await log.append([Entry("m", b"k", b"v", p) for p in range(len(sent)) for _ in range(5)])
        for p in range(len(sent)):
            sent[p] += 5
        await asyncio.sleep(0.01)


@pytest.mark.kafka
def test_a_worker_knows_when_its_session_with_the_broker_is_over(start_kafka: Any) -> None:
    broker = start_kafka(KafkaOptions(properties={"group.min.session.timeout.ms": "1000"}))

    async def main() -> None:
        settings = LogSettings(kind="kafka", bootstrap=(broker.address,), partitions=1)
        log = KafkaLog(settings)
        await log.ensure([TopicSpec("m")])
        await log.append([Entry("m", b"k", b"v")])
        work = Work(
            f"kafka://{broker.address}",
            "m",
            1,
            broker_session_timeout=2.0,
            broker_heartbeat_interval=0.4,
        )
        lease = cure(work.app, nothing_applied)
        async with work.running():
            await work.until(lambda: len(work.seen) == 1)
            await asyncio.sleep(2.5)
            assert lease.held()  # heartbeats renewed it beyond the first session
            broker.pause()
            try:
                await work.until(lambda: not lease.held(), timeout_s=8)
            finally:
                broker.resume()
            await work.until(lease.held)
        await log.close()

    asyncio.run(main())
