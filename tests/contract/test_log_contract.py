"""What the product may rely on, asked of both logs by the same tests."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from streams.log.embedded import EmbeddedLog
from streams.log.port import MAX_RECORD_BYTES, Entry, Log, LogRecord, UnknownTopic
from streams.settings import LogSettings
from streams.topics import TopicSpec

Open = Callable[[], Log]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def open_it(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same log anew at each call."""
    if request.param == "embedded":
        yield lambda: EmbeddedLog(tmp_path / "log.db", partitions=4, prefix="t.")
        return
    from streams.log.kafka import KafkaLog

    broker = request.getfixturevalue("kafka")
    settings = LogSettings(
        kind="kafka",
        bootstrap=(broker.address,),
        partitions=4,
        prefix=f"t{uuid.uuid4().hex[:8]}.",
    )
    yield lambda: KafkaLog(settings)


def run(open_it: Open, promise: Callable[[Log], Awaitable[None]]) -> None:
    """Run a promise in a loop of its own, with the log open."""

    async def main() -> None:
        log = open_it()
        try:
            await promise(log)
        finally:
            await log.close()
            await log.close()  # twice is harmless

    asyncio.run(asyncio.wait_for(main(), 60))


async def all_of(log: Log, topic: str, **options: object) -> list[LogRecord]:
    """All records of a bounded read."""
    chunks = log.read(topic, **options)  # type: ignore[arg-type]  # passed on as they are
    return [record async for chunk in chunks for record in chunk]


def test_what_was_appended_is_read_back_in_order_by_key(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m")])
        entries = [Entry("m", f"k{i % 7}".encode(), str(i).encode()) for i in range(500)]
        await log.append(entries[:100])
        await log.append(entries[100:])
        found = await all_of(log, "m")
        assert len(found) == 500
        for key in {e.key for e in entries}:
            values = [r.value for r in found if r.key == key]
            assert values == [e.value for e in entries if e.key == key]
            assert len({r.partition for r in found if r.key == key}) == 1

    run(open_it, promise)


def test_offsets_of_a_partition_start_at_zero_and_grow_by_one(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m", partitions=1)])
        for i in range(20):
            await log.append([Entry("m", None, b"%d" % i, partition=0)])
        assert [r.offset for r in await all_of(log, "m")] == list(range(20))
        assert await log.starts("m") == {0: 0}
        assert await log.ends("m") == {0: 20}

    run(open_it, promise)


def test_key_value_and_time_come_back_as_they_were(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m")])
        await log.append(
            [
                Entry("m", b"\x00\xff", b"\xf0\x9f\x94\xa5\x00", 2, 1_700_000_000_123),
                Entry("m", b"k", None, 2, 1_700_000_000_124),
                Entry("m", None, b"", 2, 1_700_000_000_125),
            ]
        )
        found = [(r.key, r.value, r.partition, r.timestamp_ms) for r in await all_of(log, "m")]
        assert found == [
            (b"\x00\xff", b"\xf0\x9f\x94\xa5\x00", 2, 1_700_000_000_123),
            (b"k", None, 2, 1_700_000_000_124),
            (None, b"", 2, 1_700_000_000_125),
        ]

    run(open_it, promise)


def test_a_record_outlives_the_log_that_wrote_it(open_it: Open) -> None:
    async def write(log: Log) -> None:
        await log.ensure([TopicSpec("m")])
        await log.append([Entry("m", b"k", b"v")])

    async def read(log: Log) -> None:
        assert [r.value for r in await all_of(log, "m")] == [b"v"]

    run(open_it, write)
    run(open_it, read)


def test_reading_starts_where_it_is_told(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m", partitions=2)])
        for p in (0, 1):
            await log.append([Entry("m", b"k", b"%d" % i, partition=p) for i in range(10)])
        found = await all_of(log, "m", start={0: 7})
        assert sorted((r.partition, r.offset) for r in found if r.partition == 0) == [
            (0, 7), (0, 8), (0, 9),
        ]  # fmt: skip
        assert len([r for r in found if r.partition == 1]) == 10  # not named: earliest
        assert await all_of(log, "m", start="latest") == []
        assert {r.partition for r in await all_of(log, "m", partitions=[1])} == {1}
        assert await all_of(log, "m", start={0: 10, 1: 10}) == []
        with pytest.raises(ValueError, match="start"):
            await all_of(log, "m", start="newest")

    run(open_it, promise)


def test_a_bounded_read_ends_where_the_log_ended_when_it_began(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m", partitions=1)])
        await log.append([Entry("m", b"k", b"before") for _ in range(3)])
        found = []
        async for chunk in log.read("m"):
            found += [r.value for r in chunk]
            await log.append([Entry("m", b"k", b"after")])
        assert found == [b"before"] * 3

    run(open_it, promise)


def test_a_follower_sees_new_records_and_idles_about_once_a_second(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m")])
        await log.append([Entry("m", b"k", b"0")])
        found: list[bytes | None] = []
        idle = 0
        async for chunk in log.read("m", follow=True):
            found += [r.value for r in chunk]
            if chunk and len(found) < 3:
                await log.append([Entry("m", b"k", b"%d" % len(found))])
            idle += not chunk
            if idle == 2:
                break
        assert found == [b"0", b"1", b"2"]

    run(open_it, promise)


def test_a_follower_of_latest_sees_only_what_comes(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m")])
        await log.append([Entry("m", b"k", b"old")])
        async for chunk in log.read("m", start="latest", follow=True):
            if chunk:
                assert [r.value for r in chunk] == [b"new"]
                break
            await log.append([Entry("m", b"k", b"new")])  # at the first idle turn

    run(open_it, promise)


def test_a_follower_waits_for_a_topic_that_is_yet_to_come(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        made = False
        async for chunk in log.read("m", follow=True):
            if chunk:
                break
            if not made:
                made = True
                await log.ensure([TopicSpec("m")])
                await log.append([Entry("m", b"k", b"v")])

    run(open_it, promise)


def test_a_missing_topic_is_empty_to_read_and_a_mistake_to_write(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        assert await log.ends("nope") == {}
        assert await log.starts("nope") == {}
        assert await all_of(log, "nope") == []
        with pytest.raises(UnknownTopic, match="nope"):
            await log.append([Entry("nope", b"k", b"v")])

    run(open_it, promise)


def test_ensure_creates_what_is_missing_and_leaves_the_rest(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("a"), TopicSpec("b", partitions=1, compacted=True)])
        await log.append([Entry("a", b"k", b"v")])
        await log.ensure([TopicSpec("a", partitions=9), TopicSpec("c", retention_ms=1_000_000)])
        assert sorted(await log.topics()) == ["a", "b", "c"]
        assert len(await log.ends("a")) == 4
        assert len(await log.ends("b")) == 1
        assert len(await all_of(log, "a")) == 1

    run(open_it, promise)


def test_a_record_over_the_limit_is_refused_and_one_at_it_is_kept(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m")])
        with pytest.raises(ValueError, match="bytes"):
            await log.append([Entry("m", b"k", b"x" * MAX_RECORD_BYTES)])
        noise = bytes(i * i % 251 for i in range(MAX_RECORD_BYTES - 1))
        await log.append([Entry("m", b"k", noise)])
        assert [r.value for r in await all_of(log, "m")] == [noise]

    run(open_it, promise)


def test_many_appends_at_once_are_all_kept(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        await log.ensure([TopicSpec("m")])
        await asyncio.gather(
            *(log.append([Entry("m", b"%d" % i, b"%d.%d" % (i, n)) for n in range(10)])
              for i in range(50))
        )  # fmt: skip
        found = await all_of(log, "m")
        assert len(found) == 500
        for i in range(50):
            mine = [r.value for r in found if r.key == b"%d" % i]
            assert mine == [b"%d.%d" % (i, n) for n in range(10)]

    run(open_it, promise)


def test_another_open_log_sees_what_was_appended(open_it: Open) -> None:
    async def promise(log: Log) -> None:
        other = open_it()
        try:
            await log.ensure([TopicSpec("m")])
            await log.append([Entry("m", b"k", b"1")])
            await other.append([Entry("m", b"k", b"2")])
            assert [r.value for r in await all_of(other, "m")] == [b"1", b"2"]
        finally:
            await other.close()

    run(open_it, promise)
