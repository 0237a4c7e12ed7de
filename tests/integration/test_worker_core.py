"""The worker's core on a real log: what must not be written, acknowledged or lost."""

import asyncio
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detectors.language.understanding import Language
from streams import codec
from streams.log.embedded import EmbeddedLog
from streams.log.port import Entry, LogRecord
from streams.pipeline.config import PipelineConfig
from streams.pipeline.pipeline import Pipeline
from streams.records import Action, Batch, Mention, Tick
from streams.registry import REGISTRY
from streams.service import CannotStart
from streams.topics import DEAD, MENTIONS, MINUTES, SCORED, all_topics, state_topic
from streams.worker.core import Core
from streams.worker.scratch import Scratches

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
READER = Language()
STATE = state_topic("siaga")
DAY_MINUTES = 1440 if os.environ.get("SIAGA_LONG") == "1" else 6


class Watched(EmbeddedLog):
    """An embedded log that notes reads and appends, and can refuse an append."""

    refused: str = ""
    """Appends to this topic fail, as by a record that is too large."""

    def __init__(self, path: Path, partitions: int = 2) -> None:
        super().__init__(path, partitions)
        self.appended: list[Entry] = []
        self.reads: list[tuple[str, tuple[int, ...]]] = []

    async def append(self, entries: Sequence[Entry]) -> None:
        if any(entry.topic == self.refused for entry in entries):
            raise ValueError("the record is too large")
        await super().append(entries)
        self.appended += entries

    def read(self, topic: str, **options):  # type: ignore[no-untyped-def]  # passes all through
        self.reads.append((topic, tuple(options.get("partitions") or ())))
        return super().read(topic, **options)


def batch(n: int, *, minute: int = 0) -> bytes:
    """A record with one mention."""
    mention = Mention(
        id=f"forum:{n}",
        source="forum",
        text="paket belum sampai, kecewa",
        published_at=START + timedelta(minutes=minute),
        collected_at=START,
    )
    return codec.encode(Batch(brand="toko", mentions=(mention,)))


def core_on(log: Watched) -> Core:
    """A core over a log."""
    return Core(
        log, Pipeline(PipelineConfig(brands=frozenset({"toko"})), READER), state_topic=STATE
    )


async def opened(path: Path, records: Sequence[bytes]) -> Watched:
    """A log with these records in partition 0."""
    log = Watched(path / "log.db")
    await log.ensure(all_topics("siaga"))
    await log.append([Entry(MENTIONS, b"toko", value, 0) for value in records])
    log.appended.clear()
    return log


async def told(log: EmbeddedLog, topic: str) -> list[LogRecord]:
    """Everything in a topic."""
    return [record async for chunk in log.read(topic) for record in chunk]


def total(core: Core) -> int:
    """Mentions counted in partition 0."""
    return sum(sum(b.hot.totals.values()) for b in core.states[0].brands.values())


def gaps(kind: str) -> float:
    """The metric of jumps."""
    return REGISTRY.get_sample_value("siaga_stream_gaps_total", {"kind": kind}) or 0.0


def test_a_jump_in_the_offsets_is_counted_told_and_healed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        records = [batch(n) for n in range(10)]
        log = await opened(tmp_path, records)
        core = core_on(log)
        assert await core.assign([0, 1]) == {0: -1, 1: -1}
        before = gaps("healed")
        done: list[int] = []
        for offset in (0, 1, 2, 8, 9):  # 3 to 7 are passed by
            await core.take(0, offset, records[offset], lambda o=offset: done.append(o))
        await core.flush()
        assert total(core) == 10
        assert gaps("healed") == before + 1
        assert done == [0, 1, 2, 8, 9]
        assert len(await told(log, SCORED)) == 10
        await log.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert "Partition 0 jumped from 2 to 8" in caplog.text


def test_all_partitions_are_restored_by_one_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(0)])
        core = core_on(log)
        with caplog.at_level(logging.INFO):
            await core.assign([0, 1])
        assert log.reads == [(STATE, (0, 1))]
        await log.close()

    asyncio.run(main())
    assert sum("Restored" in line for line in caplog.messages) == 1


def test_nothing_is_written_when_the_session_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        records = [batch(n) for n in range(3)]
        log = await opened(tmp_path, records)
        core = core_on(log)
        await core.assign([0])
        done: list[int] = []
        for offset in (0, 1):
            await core.take(0, offset, records[offset], lambda o=offset: done.append(o))
        core.held = lambda: False
        await core.flush()
        assert log.appended == []
        assert done == []
        assert core.states == {}
        # Back without another owner: what was dropped is read again, and acknowledged then.
        core.held = lambda: True
        await core.take(0, 2, records[2], lambda: done.append(2))
        await core.flush()
        assert total(core) == 3
        assert sorted(done) == [0, 1, 2]
        await log.close()

    asyncio.run(main())


def test_a_worker_whose_session_is_over_drops_what_it_holds_though_nothing_comes(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(0)])
        core = core_on(log)
        await core.assign([0])
        await core.take(0, 0, batch(0), lambda: None)
        await core.flush()
        held = True
        core.held = lambda: held
        watching = asyncio.create_task(core.watch_session())
        await asyncio.sleep(0)
        assert core.states
        held = False
        async with asyncio.timeout(5):
            while core.states:  # noqa: ASYNC110  # plain state
                await asyncio.sleep(0.05)
        watching.cancel()
        await log.close()

    asyncio.run(main())


def test_a_session_that_ends_between_two_writes_leaves_no_mark(tmp_path: Path) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(0)])
        core = core_on(log)
        await core.assign([0])
        done: list[int] = []
        await core.take(0, 0, batch(0), lambda: done.append(0))
        core.held = lambda: not log.appended  # over after the outputs
        await core.flush()
        assert {entry.topic for entry in log.appended} == {SCORED}
        assert done == []
        await log.close()

    asyncio.run(main())


@pytest.mark.parametrize("topic", [SCORED, STATE])
def test_an_append_that_fails_stops_the_worker_and_nothing_later_covers_it(
    tmp_path: Path, topic: str
) -> None:
    async def main() -> None:
        records = [batch(n) for n in range(2)]
        log = await opened(tmp_path, records)
        core = core_on(log)
        await core.assign([0])
        done: list[int] = []
        await core.take(0, 0, records[0], lambda: done.append(0))
        log.refused = topic
        with pytest.raises(ValueError, match="too large"):
            await core.flush_for_ever()
        log.refused = ""
        await core.take(0, 1, records[1], lambda: done.append(1))
        await core.flush()  # as at the worker's stop
        assert done == []
        assert not [e for e in log.appended if e.key == b"0|||marks"]
        again = core_on(log)
        assert await again.assign([0]) == {0: -1}
        await log.close()

    asyncio.run(main())


def test_a_record_of_a_partition_that_was_given_away_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(0), batch(1)])
        core = core_on(log)
        await core.assign([0])
        done: list[int] = []
        await core.take(0, 0, batch(0), lambda: done.append(0))
        await core.revoke()
        assert done == [0]  # what was held is written first
        written = len(log.appended)
        await core.take(0, 1, batch(1), lambda: done.append(1))
        await core.flush()
        assert done == [0]
        assert len(log.appended) == written
        await log.close()

    asyncio.run(main())


def test_states_that_nobody_wrote_meanwhile_are_taken_up_again_without_reading(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(0), batch(1)])
        core, other = core_on(log), core_on(log)
        await core.assign([0])
        await core.take(0, 0, batch(0), lambda: None)
        await core.revoke()
        log.reads.clear()
        assert await core.assign([0]) == {0: 0}
        assert log.reads == []
        await core.revoke()
        await other.assign([0])
        await other.take(0, 1, batch(1), lambda: None)
        await other.revoke()
        assert await core.assign([0]) == {0: 1}
        assert log.reads != []
        assert total(core) == 2
        await log.close()

    asyncio.run(main())


def test_an_action_outlives_the_state_that_it_was_folded_into(tmp_path: Path) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(0)])
        core = core_on(log)
        await core.assign([0])
        await core.take(0, 0, batch(0), lambda: None)
        await core.flush()
        action = Action(id="a", kind="ack", incident="x", brand="toko", who="ani", at=START)
        done: list[int] = []
        await core.take_action(0, 5, codec.encode(action), lambda: done.append(5))
        core.drop()
        await core.take(0, 0, batch(0), lambda: None)
        assert core.states[0].brands["live", "toko"].hot.acted == 5
        await core.flush()
        assert done == [5]
        await log.close()

    asyncio.run(main())


def test_records_that_retention_took_away_are_told_as_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(n) for n in range(6)])
        core = core_on(log)
        await core.assign([0])
        topic = await log.topic(MENTIONS)
        assert topic is not None
        from streams.log.store import LANE_BITS

        lane = topic.lanes[0]
        await log.delete([(lane << LANE_BITS) | n for n in range(3)], lane=lane)
        before = gaps("lost")
        await core.take(0, 5, batch(5), lambda: None)
        await core.flush()
        assert gaps("lost") == before + 1
        assert total(core) == 3
        await log.close()

    asyncio.run(main())
    assert "deleted by retention" in caplog.text


def test_a_restart_knows_the_ids_that_had_left_the_memory(tmp_path: Path) -> None:
    """Full segments go to the scratch file, a kill takes it away, and the changelog fills it."""
    per_record, records = 500, 9

    def many(n: int) -> bytes:
        at = START + timedelta(minutes=20 * n)
        mentions = tuple(
            Mention(
                id=f"forum:{n}.{k}", source="forum", text="ok", published_at=at, collected_at=at
            )
            for k in range(per_record)
        )
        return codec.encode(Batch(brand="toko", mentions=mentions))

    def worker(log: Watched, folder: Path) -> tuple[Core, Scratches]:
        scratches = Scratches(folder)
        pipeline = Pipeline(PipelineConfig(brands=frozenset({"toko"})), READER)
        return Core(log, pipeline, state_topic=STATE, new_keep=scratches.new), scratches

    async def main() -> None:
        values = [many(n) for n in range(records)]
        log = await opened(tmp_path, [*values, *values])
        core, scratches = worker(log, tmp_path)
        await core.assign([0])
        for n in range(records):
            await core.take(0, n, values[n], lambda: None)
            await core.flush()
        assert scratches.size > 0
        again, scratches = worker(log, tmp_path)
        for _ in range(2):
            again.drop()
            await again.assign([0])
            # 8 bytes an id, and what its places are larger than what is in them.
            assert 0 < scratches.size <= 1.1 * 8 * per_record * records
        for n in range(records):
            await again.take(0, records + n, values[n], lambda: None)
        brand = again.states[0].brands["live", "toko"]
        assert brand.hot.repeats == per_record * records
        assert total(again) == per_record * records
        await log.close()

    asyncio.run(main())


@pytest.mark.timeout(3600)
def test_a_day_of_one_brand_passes_without_a_large_record(tmp_path: Path) -> None:
    """The rate of a million a day, with long texts; `make test-day` passes the whole day."""
    limit = 512 << 10

    async def main() -> None:
        log = await opened(tmp_path, [])
        core = core_on(log)
        await core.assign([0])
        offset = 0
        largest: dict[str, int] = {}
        for minute in range(DAY_MINUTES):
            for part in range(14):  # 700 a minute: a million a day
                mentions = tuple(
                    Mention(
                        id=f"forum:{minute}.{part}.{n}",
                        source="forum",
                        author=f"orang{n}",
                        text=f"{n} aplikasi error terus, saldo hilang, kecewa! " * 4,
                        published_at=START + timedelta(minutes=minute, seconds=part),
                        collected_at=START,
                    )
                    for n in range(50)
                )
                record = codec.encode(Batch(brand="toko", mentions=mentions))
                assert len(record) < limit
                await core.take(0, offset, record, lambda: None)
                offset += 1
            at = START + timedelta(minutes=minute + 1)
            tick = codec.encode(Tick(source="forum", watermark=at, clock=at))
            await core.take(0, offset, tick, lambda: None)
            offset += 1
            await core.flush()
            for entry in log.appended:
                size = len(entry.key or b"") + len(entry.value or b"")
                largest[entry.topic] = max(largest.get(entry.topic, 0), size)
            log.appended.clear()
        print(f"{total(core):,} mentions; largest: {largest}")  # noqa: T201 - for make test-day
        assert total(core) == DAY_MINUTES * 700
        assert set(largest) >= {SCORED, MINUTES, STATE}
        assert DEAD not in largest
        assert max(largest.values()) < limit
        await log.close()

    asyncio.run(main())


def test_values_of_other_programs_in_the_changelog_are_passed_by(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(1)])
        core = core_on(log)
        await core.assign([0])
        await core.take(0, 0, batch(1), lambda: None)
        await core.flush()
        strange = ((b"stranger", b"x"), (b"\xff|a|b|hot", b"x"), (b"1|live|toko|hot", b"x"))
        await log.append([Entry(STATE, key, value, 0) for key, value in strange])
        again = core_on(log)
        await again.assign([0])
        assert total(again) == 1
        await log.close()

    asyncio.run(main())
    assert sum("another program" in message for message in caplog.messages) == 3


def test_a_state_that_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [])
        await log.append([Entry(STATE, b"0|live|toko|hot", b"\xc1 of a newer schema", 0)])
        with pytest.raises(CannotStart, match=r"siaga\.state\.v1 0 at 0.*newer Siaga"):
            await core_on(log).assign([0])
        await log.close()

    asyncio.run(main())


def test_more_partitions_of_mentions_than_of_states_are_refused_in_a_sentence(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [])  # two partitions each
        with pytest.raises(CannotStart, match=r"partition 2, siaga\.state\.v1 has 2 partitions"):
            await core_on(log).assign([0, 1, 2])
        await log.close()

    asyncio.run(main())


class Slow(Watched):
    """An embedded log whose appends of one topic wait until they are let go."""

    slow: str = ""

    def __init__(self, path: Path, partitions: int = 2) -> None:
        super().__init__(path, partitions)
        self.began, self.go = asyncio.Event(), asyncio.Event()

    async def append(self, entries: Sequence[Entry]) -> None:
        await super().append(entries)
        if any(entry.topic == self.slow for entry in entries):
            self.began.set()
            await self.go.wait()


async def flushing(path: Path) -> tuple[Slow, Core, "asyncio.Task[None]", list[int]]:
    """A core in mid-flush of its first record, and what it has acknowledged."""
    await (await opened(path, [batch(0), batch(1)])).close()
    log = Slow(path / "log.db")
    core = core_on(log)
    await core.assign([0])
    done: list[int] = []
    await core.take(0, 0, batch(0), lambda: done.append(0))
    log.slow = SCORED
    task = asyncio.create_task(core.flush())
    await log.began.wait()
    return log, core, task, done


def test_a_flush_that_is_overtaken_by_a_rebalance_writes_nothing_more(tmp_path: Path) -> None:
    async def main() -> None:
        log, core, task, done = await flushing(tmp_path)
        core.drop()  # as an assignment does, and a session that is over
        log.go.set()
        await task
        assert {entry.topic for entry in log.appended} == {SCORED}
        assert done == []
        await log.close()

    asyncio.run(main())


def test_a_record_that_came_during_a_flush_is_not_acknowledged_by_it(tmp_path: Path) -> None:
    async def main() -> None:
        log, core, task, done = await flushing(tmp_path)
        await core.take(0, 1, batch(1), lambda: done.append(1))
        log.go.set()
        await task
        assert done == [0]
        await core.flush()
        assert done == [0, 1]
        await log.close()

    asyncio.run(main())


def test_no_record_is_worked_on_while_the_session_is_in_doubt(tmp_path: Path) -> None:
    async def main() -> None:
        log = await opened(tmp_path, [batch(0)])
        core = core_on(log)
        await core.assign([0])
        core.held = lambda: False
        taking = asyncio.create_task(core.take(0, 0, batch(0), lambda: None))
        await asyncio.sleep(0.3)
        assert total(core) == 0
        core.held = lambda: True
        async with asyncio.timeout(5):
            await taking
        assert total(core) == 1
        await log.close()

    asyncio.run(main())
