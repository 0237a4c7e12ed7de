"""The Faust driver of the embedded log: the worker's habits hold without a broker."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.types import TP

from streams.log.embedded import EmbeddedLog
from streams.log.port import Entry
from streams.log.upkeep import maintain
from streams.log.writer import acquire, release
from streams.topics import TopicSpec
from streams.worker.transport import embedded_url

OPTIONS: dict[str, Any] = {
    "store": "memory://",
    "topic_disable_leader": True,
    "web_enabled": False,
    "stream_wait_empty": False,
    "stream_recovery_delay": 0.0,
    "broker_commit_interval": 0.1,
}
RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to its end, at most a minute."""
    asyncio.run(asyncio.wait_for(coroutine, 60))


async def until(app: faust.App, done: Callable[[], bool]) -> None:
    """Wait for a condition, failing on a crash of the app."""
    while not done():
        if app.crashed:
            raise app.crash_reason  # type: ignore[misc] # set when crashed
        await asyncio.sleep(0.01)


async def with_app(app: faust.App, body: Callable[[], Awaitable[None]]) -> None:
    """Run an app around a body."""
    app.finalize()
    await app.start()
    try:
        await body()
    finally:
        await app.stop()


COUNTER = """
    import asyncio, struct, sys
    from pathlib import Path
    import faust
    from streams.worker.rebalance import cure
    from streams.worker.transport import embedded_url

    app = faust.App("counter", broker=embedded_url(Path(sys.argv[1])), store="memory://",
                    topic_partitions=2, topic_disable_leader=True, web_enabled=False,
                    stream_wait_empty=False, stream_recovery_delay=0.0,
                    broker_commit_interval=0.05)
    raw = dict(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    source, out = app.topic("m", **raw), app.topic("out", **raw)
    counts = app.Table("counts", key_type=bytes, value_type=bytes, partitions=2)

    @app.agent(source)
    async def count(stream):
        async for event in stream.events():
            message = event.message
            n, applied = struct.unpack(">qq", counts.get(event.key) or struct.pack(">qq", 0, -1))
            if message.offset <= applied:
                continue  # a replay changes nothing
            # The output goes first and nothing is awaited: the log keeps the order.
            await out.send(key=event.key, value=b"%d" % (n + 1), partition=message.partition)
            counts[event.key] = struct.pack(">qq", n + 1, message.offset)

    async def positions(tps):
        found = {}
        for key, value in counts.items():
            tp = faust.types.TP("m", int(key) % 2)
            found[tp] = max(found.get(tp, -1), struct.unpack(">qq", value)[1])
        return {tp: offset for tp, offset in found.items() if tp in tps}

    async def main():
        cure(app, positions)
        app.finalize()
        await app.start()
        print("started", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
"""


def test_a_worker_killed_with_9_again_and_again_counts_every_record_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    records, keys = 12_000, 10
    rng = random.Random(7)

    async def fill() -> None:
        log = EmbeddedLog(path)
        await log.ensure([TopicSpec("m", partitions=2), TopicSpec("out", partitions=2)])
        numbers = [i % keys for i in range(records)]
        await log.append([Entry("m", b"%d" % k, b"v", k % 2) for k in numbers])
        await log.close()

    async def outputs() -> dict[bytes, list[int]]:
        log = EmbeddedLog(path)
        found: dict[bytes, list[int]] = {}
        async for chunk in log.read("out"):
            for r in chunk:
                found.setdefault(r.key or b"", []).append(int(r.value or b"0"))
        await log.close()
        return found

    run(fill())
    kills = 0
    while True:
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(COUNTER), str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                # Ever longer: the first kill finds work left on a fast machine, the last none
                # on a slow one.
                process.wait(timeout=0.15 * (kills + 1) + rng.uniform(0.0, 0.3))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
        kills += 1
        found = asyncio.run(outputs())
        if all(max(found.get(b"%d" % k, [0])) == records // keys for k in range(keys)):
            break
        assert kills < 25
    assert kills > 1, "all was done before the first kill: the test proved nothing"
    for k in range(keys):
        # Outputs may repeat after a kill, never lack: the state is never ahead of them.
        assert set(found[b"%d" % k]) == set(range(1, records // keys + 1))


def test_a_table_comes_back_from_its_compacted_changelog(tmp_path: Path) -> None:
    async def life(log: EmbeddedLog, expected: dict[bytes, bytes], first: bool) -> None:
        app = faust.App("t", broker=embedded_url(log.path), topic_partitions=2, **OPTIONS)
        table = app.Table("last", key_type=bytes, value_type=bytes, partitions=2)
        done = 0

        @app.agent(app.topic("m", **RAW))
        async def keep(stream: Any) -> None:
            nonlocal done
            async for event in stream.events():
                table[event.key] = event.value
                done += 1

        async def body() -> None:
            if first:
                await until(app, lambda: done == 3_000)
            else:
                await until(app, lambda: dict(table.items()) == expected)
                assert done == 0  # recovered, not processed again

        await with_app(app, body)

    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=2)])
        values = [(b"%d" % (i % 7), b"%d" % i) for i in range(3_000)]
        await log.append([Entry("m", k, v) for k, v in values])
        await life(log, dict(values), first=True)
        assert sum((await log.ends("t-last-changelog")).values()) == 3_000
        kept = await maintain(log, now=2**41, thorough=True)
        assert kept.compacted == 3_000 - 7
        await life(log, dict(values), first=False)
        await log.close()

    run(main())


def test_a_full_disk_makes_the_worker_wait_and_lose_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=1), TopicSpec("out", partitions=1)])
        await log.append([Entry("m", b"k", b"%d" % i) for i in range(50)])
        writer = acquire(log.path)

        async def pages(most: int) -> None:
            await writer.call(
                lambda s: s._file._db.execute(f"PRAGMA max_page_count={most}").fetchall()
            )

        app = faust.App("t", broker=embedded_url(log.path), topic_partitions=1, **OPTIONS)
        out = app.topic("out", **RAW)

        @app.agent(app.topic("m", **RAW))
        async def copy(stream: Any) -> None:
            async for event in stream.events():
                await out.send(key=event.key, value=event.value + bytes(20_000))

        async def body() -> None:
            await pages(1)
            for _ in range(40):
                await asyncio.sleep(0.05)
                assert not app.crashed
            assert sum((await log.ends("out")).values()) < 50
            await pages(1_000_000)
            async for _ in log.read("out", start="latest", follow=True):
                if (await log.ends("out"))[0] == 50:
                    break

        await with_app(app, body)
        values = [r.value async for c in log.read("out") for r in c]
        assert [int((v or b"").rstrip(b"\0")) for v in values] == list(range(50))
        release(writer)
        await log.close()

    run(main())


def test_records_of_another_process_are_consumed_while_the_worker_runs(tmp_path: Path) -> None:
    script = """
        import asyncio, sys
        from pathlib import Path
        from streams.log.embedded import EmbeddedLog
        from streams.log.port import Entry

        async def main():
            log = EmbeddedLog(Path(sys.argv[1]))
            await log.append([Entry("m", b"k", b"from outside")])
            await log.close()

        asyncio.run(main())
    """

    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=2)])
        app = faust.App("t", broker=embedded_url(log.path), topic_partitions=2, **OPTIONS)
        seen: list[tuple[bytes, bytes, TP]] = []

        @app.agent(app.topic("m", **RAW))
        async def note(stream: Any) -> None:
            async for event in stream.events():
                record = (event.key, event.value, event.message.tp)
                seen.append(record)

        async def body() -> None:
            await log.append([Entry("m", b"k", b"from inside", 1)])
            await until(app, lambda: len(seen) == 1)
            other = await asyncio.create_subprocess_exec(
                sys.executable, "-c", textwrap.dedent(script), str(log.path)
            )
            assert await other.wait() == 0
            await until(app, lambda: len(seen) == 2)

        await with_app(app, body)
        assert seen[0] == (b"k", b"from inside", TP("m", 1))
        assert seen[1][:2] == (b"k", b"from outside")
        await log.close()

    run(main())


def test_a_missing_source_topic_stops_the_worker_instead_of_reading_nothing(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        app = faust.App("t", broker=embedded_url(log.path), topic_partitions=2, **OPTIONS)

        @app.agent(app.topic("nope", **RAW))
        async def note(stream: Any) -> None:
            async for _ in stream:
                pass

        async def body() -> None:
            with pytest.raises(LookupError, match="nope"):
                await until(app, lambda: False)

        await with_app(app, body)
        await log.close()

    run(main())


def test_headers_and_times_travel(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=1)])
        app = faust.App("t", broker=embedded_url(log.path), topic_partitions=1, **OPTIONS)
        topic = app.topic("m", **RAW)
        seen: list[Any] = []

        @app.agent(topic)
        async def note(stream: Any) -> None:
            async for event in stream.events():
                seen.append(event.message)  # noqa: PERF401 - seen as they come

        async def body() -> None:
            await topic.send(key=b"k", value=b"v", headers={"a": b"\x00b"}, timestamp=1.5)
            await until(app, lambda: len(seen) == 1)

        await with_app(app, body)
        assert dict(seen[0].headers) == {"a": b"\x00b"}
        assert seen[0].timestamp == 1.5
        await log.close()

    run(main())
