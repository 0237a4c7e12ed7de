"""The embedded log alone: what it survives, what it says, what it forgets on purpose."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.log import commands, database
from streams.log.backup import backup, restore
from streams.log.embedded import EmbeddedLog
from streams.log.port import Entry, LogRecord, Unavailable
from streams.log.survey import survey
from streams.log.upkeep import COMPACTION_LAG_MS, TOMBSTONES_MS, maintain
from streams.log.writer import acquire, release
from streams.service import CannotStart
from streams.topics import TopicSpec

NOW = 1_800_000_000_000
OLD = NOW - COMPACTION_LAG_MS - 1


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to its end, at most a minute."""
    asyncio.run(asyncio.wait_for(coroutine, 60))


async def all_of(log: EmbeddedLog, topic: str) -> list[LogRecord]:
    """All records of a topic."""
    return [record async for chunk in log.read(topic) for record in chunk]


# -- survives


WRITER = """
    import asyncio, sys
    from pathlib import Path
    from streams.log.embedded import EmbeddedLog
    from streams.log.port import Entry
    from streams.topics import TopicSpec

    async def main():
        log = EmbeddedLog(Path(sys.argv[1]))
        await log.ensure([TopicSpec("m", partitions=3)])
        async def write(lane):
            n = 0
            while True:
                await log.append([Entry("m", None, b"%d.%d" % (lane, n + i), lane) for i in (0, 1)])
                n += 2
                print(lane, n, flush=True)
        await asyncio.gather(*(write(lane) for lane in range(3)))

    asyncio.run(main())
"""


def test_kill_9_at_any_moment_loses_nothing_acknowledged_and_tears_no_append(
    tmp_path: Path,
) -> None:
    rng = random.Random(4)
    for number in range(4):
        path = tmp_path / f"{number}.db"
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(1 + rng.randrange(400))]
            os.kill(process.pid, signal.SIGKILL)
            lines += process.stdout.readlines()
        acknowledged = dict.fromkeys(range(3), 0)
        for line in lines:
            if line.endswith(b"\n"):
                lane, count = map(int, line.split())
                acknowledged[lane] = count

        async def check(path: Path = path, acknowledged: dict[int, int] = acknowledged) -> None:
            log = EmbeddedLog(path)
            records = await all_of(log, "m")
            for lane, count in acknowledged.items():
                values = [r.value for r in records if r.partition == lane]
                assert values == [b"%d.%d" % (lane, n) for n in range(len(values))]
                assert len(values) >= count
                assert len(values) % 2 == 0  # an append is there as a whole or not at all
            await log.close()

        run(check())


def test_a_full_disk_is_told_and_passes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=1)])
        await log.append([Entry("m", b"k", b"before")])
        writer = acquire(tmp_path / "log.db")

        async def pages(most: int) -> None:
            await writer.call(
                lambda s: s._file._db.execute(f"PRAGMA max_page_count={most}").fetchall()
            )

        await pages(1)  # SQLite takes the present size as the least: nothing more fits
        for _ in range(3):
            with pytest.raises(Unavailable, match="disk is full"):
                await log.append([Entry("m", b"k", bytes(200_000))])
        await pages(1_000_000)
        await log.append([Entry("m", b"k", b"after")])
        assert [r.value for r in await all_of(log, "m")] == [b"before", b"after"]
        release(writer)
        await log.close()

    run(main())
    told = [r.getMessage() for r in caplog.records if r.name == "streams.log.outage"]
    assert len(told) == 2  # one line when it began, one when it ended
    assert "disk is full" in told[0]
    assert "is back" in told[1]


def test_another_process_that_holds_the_lock_is_told_and_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)

    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=1)])
        other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another process"):
            await log.append([Entry("m", b"k", b"1")])
        assert await all_of(log, "m") == []  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        await log.append([Entry("m", b"k", b"2")])
        assert [r.value for r in await all_of(log, "m")] == [b"2"]
        await log.close()

    run(main())


def test_processes_append_side_by_side_and_never_share_an_offset(tmp_path: Path) -> None:
    script = """
        import asyncio, sys
        from pathlib import Path
        from streams.log.embedded import EmbeddedLog
        from streams.log.port import Entry

        async def main():
            log = EmbeddedLog(Path(sys.argv[1]))
            for i in range(200):
                await log.append([Entry("m", b"k", b"%s.%d" % (sys.argv[2].encode(), i), 0)])
            await log.close()

        asyncio.run(main())
    """

    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=1)])
        writers = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", textwrap.dedent(script), str(log.path), name
            )
            for name in ("a", "b")
        ]
        found: list[LogRecord] = []
        async for chunk in log.read("m", follow=True):  # sees both as they come
            found += chunk
            if len(found) == 400:
                break
        assert [await w.wait() for w in writers] == [0, 0]
        assert [r.offset for r in found] == list(range(400))
        for name in (b"a", b"b"):
            mine = [r.value for r in found if r.value and r.value.startswith(name)]
            assert mine == [b"%s.%d" % (name, i) for i in range(200)]
        await log.close()

    run(main())


# -- says


def test_a_damaged_foreign_or_newer_file_is_a_sentence(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"\x00not a database" * 500)
    with pytest.raises(CannotStart, match="damaged"):
        EmbeddedLog(damaged)

    foreign = tmp_path / "foreign.db"
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE guests(name)")
    db.close()
    with pytest.raises(CannotStart, match="another program"):
        EmbeddedLog(foreign)

    newer = tmp_path / "newer.db"
    run(EmbeddedLog(newer).close())
    db = sqlite3.connect(newer)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(CannotStart, match="newer Siaga"):
        EmbeddedLog(newer)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="folder"):
        EmbeddedLog(tmp_path / "file" / "log.db")


# -- forgets


def test_retention_takes_the_old_and_keeps_offsets(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=1, retention_ms=1_000), TopicSpec("kept")])
        old = [Entry("m", b"k", b"old", 0, NOW - 1_001) for _ in range(2_500)]
        await log.append([*old, Entry("m", b"k", b"young", 0, NOW - 999)])
        await log.append([Entry("kept", b"k", b"old", 0, 0)])
        assert (await maintain(log, now=NOW)).expired == 2_500
        assert [(r.offset, r.value) for r in await all_of(log, "m")] == [(2_500, b"young")]
        assert len(await all_of(log, "kept")) == 1
        assert (await maintain(log, now=NOW + 2)).expired == 1
        assert await log.starts("m") == await log.ends("m") == {0: 2_501}
        await log.append([Entry("m", b"k", b"next", 0, NOW)])
        assert [r.offset for r in await all_of(log, "m")] == [2_501]  # never used again
        await log.close()

    run(main())


def test_a_follower_passes_what_was_deleted_under_it(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m", partitions=1, retention_ms=1_000)])
        await log.append([Entry("m", b"k", b"1", 0, NOW)])
        values: list[bytes | None] = []
        idle = 0
        async for chunk in log.read("m", follow=True):
            values += [r.value for r in chunk]
            if not chunk:
                idle += 1
                if idle == 1:
                    await log.append([Entry("m", b"k", b"2", 0, NOW - 2_000)] * 3)
                    await maintain(log, now=NOW + 1_001)
                elif idle == 2:
                    await log.append([Entry("m", b"k", b"3", 0, NOW)])
            if b"3" in values:
                break
        assert values[0] == b"1"
        assert values[-1] == b"3"
        await log.close()

    run(main())


def test_compaction_keeps_the_newest_of_each_key_and_the_last_record(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("c", partitions=2, compacted=True)])
        entries = [Entry("c", b"%d" % (i % 10), b"%d" % i, 0, OLD) for i in range(3_000)]
        await log.append(entries)
        await log.append([Entry("c", b"5", b"other partition", 1, OLD)])
        kept = await maintain(log, now=NOW)
        assert kept.compacted == 2_990
        found = [(r.offset, r.key, r.value) for r in await all_of(log, "c") if r.partition == 0]
        assert found == [(i, b"%d" % (i % 10), b"%d" % i) for i in range(2_990, 3_000)]
        assert (await log.ends("c"))[0] == 3_000
        assert (await maintain(log, now=NOW)).compacted == 0  # nothing new, nothing read
        await log.close()

    run(main())


def test_compaction_leaves_the_young_to_those_who_follow(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("c", partitions=1, compacted=True)])
        await log.append([Entry("c", b"k", b"%d" % i, 0, OLD) for i in range(5)])
        await log.append([Entry("c", b"k", b"young %d" % i, 0, NOW) for i in range(3)])
        assert (await maintain(log, now=NOW, thorough=True)).compacted == 4
        assert [r.value for r in await all_of(log, "c")] == [
            b"4", b"young 0", b"young 1", b"young 2",
        ]  # fmt: skip
        await log.close()

    run(main())


def test_a_tombstone_goes_after_its_day_but_never_as_the_last_record(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("c", partitions=1, compacted=True)])
        day_ago = NOW - TOMBSTONES_MS - 1
        await log.append([Entry("c", b"a", b"1", 0, day_ago), Entry("c", b"a", None, 0, day_ago)])
        await log.append([Entry("c", b"b", b"1", 0, day_ago), Entry("c", b"b", None, 0, day_ago)])
        await maintain(log, now=NOW, thorough=True)
        assert [(r.offset, r.key, r.value) for r in await all_of(log, "c")] == [(3, b"b", None)]
        await log.close()

    run(main())


def test_reading_a_long_history_holds_little_of_it_in_memory(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db")
        await log.ensure([TopicSpec("m")])
        for _ in range(40):
            await log.append([Entry("m", b"%d" % i, bytes(50_000)) for i in range(40)])
        tracemalloc.start()
        total = 0
        async for chunk in log.read("m"):
            total += sum(len(r.value or b"") for r in chunk)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert total == 40 * 40 * 50_000  # 80 MB
        assert peak < 16 << 20
        await log.close()

    run(main())


# -- is copied


def test_a_backup_taken_while_the_service_writes_is_whole_and_can_be_put_back(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "log.db", tmp_path / "copies" / "monday.db"

    async def main() -> None:
        log = EmbeddedLog(path)
        await log.ensure([TopicSpec("m", partitions=1)])
        await log.append([Entry("m", b"k", b"%d" % i) for i in range(100)])
        stop = asyncio.Event()

        async def write() -> None:
            while not stop.is_set():
                await log.append([Entry("m", b"k", b"later")])

        writing = asyncio.create_task(write())
        size = await asyncio.to_thread(backup, path, copy)
        with pytest.raises(CannotStart, match="in use"):
            await asyncio.to_thread(restore, copy, path)
        stop.set()
        await writing
        assert size == copy.stat().st_size
        await log.append([Entry("m", b"k", b"after the copy")])
        await log.close()

    run(main())
    assert [p.name for p in copy.parent.iterdir()] == ["monday.db"]  # one file, no journal
    kept = restore(copy, path)
    assert kept is not None
    assert kept.exists()

    async def check() -> None:
        log = EmbeddedLog(path)
        values = [r.value for r in await all_of(log, "m")]
        assert values[:100] == [b"%d" % i for i in range(100)]
        assert b"after the copy" not in values
        await log.append([Entry("m", b"k", b"goes on")])
        (surveyed,) = await survey(log)
        assert (surveyed.name, surveyed.partitions, surveyed.records) == ("m", 1, len(values) + 1)
        await log.close()

    run(check())


def test_a_file_that_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    path, bad = tmp_path / "log.db", tmp_path / "bad.db"
    run(EmbeddedLog(path).close())
    before = path.read_bytes()
    bad.write_bytes(b"\x00rubbish" * 1_000)
    with pytest.raises(CannotStart, match=r"bad\.db is no usable backup"):
        restore(bad, path)
    with pytest.raises(CannotStart, match="no backup at"):
        restore(tmp_path / "missing.db", path)
    assert path.read_bytes() == before


def test_a_backup_never_takes_the_place_of_the_log_or_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = EmbeddedLog(path)
    inode = path.stat().st_ino
    (tmp_path / "link.db").symlink_to(path)
    for target in (path, path.with_name("log.db-wal"), tmp_path / "link.db"):
        with pytest.raises(CannotStart, match="belongs to the log itself"):
            backup(path, target)
    with pytest.raises(CannotStart, match="is a folder"):
        backup(path, tmp_path)
    assert path.stat().st_ino == inode
    run(log.close())


def test_an_empty_file_is_no_backup(tmp_path: Path) -> None:
    path, empty = tmp_path / "log.db", tmp_path / "empty.db"
    run(EmbeddedLog(path).close())
    before = path.read_bytes()
    empty.touch()
    with pytest.raises(CannotStart, match="empty"):
        restore(empty, path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.db", "log.db"]


def test_a_second_restore_keeps_what_the_first_one_kept(tmp_path: Path) -> None:
    path, copy = tmp_path / "log.db", tmp_path / "copy.db"
    run(EmbeddedLog(path).close())
    backup(path, copy)
    with path.open("ab") as file:
        file.write(b"the only whole history")
    first, second = restore(copy, path), restore(copy, path)
    assert first is not None
    assert first != second
    assert first.read_bytes().endswith(b"the only whole history")


def test_a_journal_that_stayed_behind_does_not_go_into_the_restored_log(tmp_path: Path) -> None:
    path, copy = tmp_path / "log.db", tmp_path / "copy.db"

    async def main() -> None:
        log = EmbeddedLog(path)
        await log.ensure([TopicSpec("t", partitions=1)])
        backup(path, copy)
        await log.append([Entry("t", b"k", b"after the backup", 0)])
        journal = path.with_name("log.db-wal").read_bytes()
        await log.close()
        # As after kill -9 by somebody who then moves what he takes for the log.
        path.unlink()
        path.with_name("log.db-wal").write_bytes(journal)

    run(main())
    assert restore(copy, path) is None
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (0,)
    assert tmp_path.joinpath("log.db.before-restore-wal").stat().st_size > 0
    path.with_name("log.db-wal").unlink(missing_ok=True)
    # Nothing that was kept is overwritten by the next one.
    assert restore(copy, path) == path.with_name("log.db.before-restore-2")


def test_after_a_restore_lessons_are_read_from_the_restored_log(tmp_path: Path) -> None:
    config, copy = tmp_path / "siaga.toml", tmp_path / "copy.db"
    config.write_text(f'data_dir = "{tmp_path}"\n[brands.toko]\nnames = ["Toko"]\n')
    run(EmbeddedLog(tmp_path / "log.db").close())
    for arguments in (["backup", str(copy)], ["restore", str(copy)]):
        (tmp_path / "lessons.snapshot").write_bytes(b"of labels that the copy does not hold")
        result = CliRunner().invoke(commands.app, [*arguments, "-c", str(config)])
        assert result.exit_code == 0, result.output
    assert not (tmp_path / "lessons.snapshot").exists()


def test_a_backup_of_a_damaged_log_names_the_log_and_leaves_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "log.db", tmp_path / "copies" / "copy.db"
    run(EmbeddedLog(path).close())
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    with pytest.raises(CannotStart, match=r"log\.db is damaged"):
        backup(path, target)
    assert list(target.parent.iterdir()) == []
