"""The runner's promises: nothing lost, the cursor last, others untouched."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from scripted import (
    FAST,
    T0,
    Script,
    ids,
    item,
    new_log,
    pages,
    records,
    runner,
    settings,
    until,
)

from connectors.contract import Item, Page, Retryable, SourceSettings
from connectors.ingest import cursors, publisher
from connectors.ingest.cursors import Saved
from connectors.ingest.memory import BrandMemory, is_memory, key_prefix, load
from connectors.memory_log import MemoryLog
from connectors.settings import ConnectorsSettings
from streams import codec
from streams.log.port import Entry, Unavailable
from streams.records import Batch, Tick
from streams.topics import CURSORS, DEAD


def test_all_pages_arrive_once_and_the_end_closes_every_minute() -> None:
    async def story() -> None:
        log, script = await new_log(), Script(pages(3))
        await runner(script, log, closing_s=120).run()
        assert sorted(await ids(log)) == sorted(f"s:{n}" for n in range(9))
        ended = [r for r in await records(log) if isinstance(r, Tick) and r.ended]
        assert len(ended) == 2  # one a partition
        assert all(t.watermark > T0 + timedelta(seconds=8 + 120) for t in ended)
        saved = (await cursors.load(log))["s", "r"]
        assert (saved.cursor, saved.state, saved.mentions) == ("3", "ended", 9)
        assert script.closed == 1

    asyncio.run(story())


def test_a_restart_goes_on_at_the_saved_cursor() -> None:
    async def story() -> None:
        log, script = await new_log(), Script([])
        saved = Saved(source="s", run="r", cursor="7", saved_at=T0, mentions=4)
        await runner(script, log, saved=saved).run()
        assert script.asked[0] == "7"
        assert (await cursors.load(log))["s", "r"].mentions == 4

    asyncio.run(story())


def test_while_the_log_is_away_nothing_is_fetched_no_cursor_moves_and_nothing_is_lost(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "LOG_BACKOFF", FAST)
    caplog.set_level(logging.WARNING)

    async def story() -> None:
        log, script = await new_log(), Script([Page((item(1),), "1"), *pages(2)])
        run = runner(script, log)
        run._publisher._backoff = FAST
        log.away = True
        task = asyncio.create_task(run.run())
        await until(lambda: log.refused >= 5)
        assert script.asked == [None]
        assert await cursors.load(log) == {}
        log.away = False
        await task
        assert sorted(await ids(log)) == sorted(f"s:{n}" for n in range(6))

    asyncio.run(story())
    told = [r.getMessage() for r in caplog.records if "log is" in r.getMessage()]
    assert len(told) == 2  # one line when it goes, one when it is back


class Streaming:
    """Streams as fast as it is let."""

    Settings: ClassVar[type[SourceSettings]] = SourceSettings

    def __init__(self, count: int) -> None:
        self.count = count
        self.given = 0

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        for n in range(int(cursor or 0), self.count):
            self.given = n + 1
            yield Page((item(n),), str(n + 1), ended=n + 1 == self.count)
            await asyncio.sleep(0)

    async def close(self) -> None:
        pass


def test_an_outage_in_mid_reading_holds_back_every_source_in_bounds_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Polled and streamed: a page a source is held, cursors stand, and all go on by themselves."""
    caplog.set_level(logging.WARNING)

    async def story() -> None:
        log, outage = await new_log(), publisher.Outage()
        scripts, stream = [Script(pages(200)) for _ in range(3)], Streaming(600)
        options = ConnectorsSettings(tick_every_s=0.01, batch_wait_ms=0)
        made: list[Any] = [*scripts, stream]
        runs = [runner(c, log, f"s{n}", options=options, outage=outage) for n, c in enumerate(made)]
        for run in runs:
            run._publisher._backoff = FAST
        tasks = [asyncio.create_task(r.run()) for r in runs]
        await until(lambda: stream.given > 20 and all(len(s.asked) > 5 for s in scripts))
        log.away = True
        await until(lambda: all(r._publisher.away for r in runs))
        asked, places = [len(s.asked) for s in scripts], await cursors.load(log)
        refused, published = log.refused, len(await ids(log))
        await until(lambda: log.refused > refused + 200)  # a long outage
        assert [len(s.asked) for s in scripts] == asked
        assert all(len(r._outbox) <= 3 for r in runs)
        assert all(len(r._outbox._waiting) <= 3 for r in runs)
        assert await cursors.load(log) == places
        assert len(await ids(log)) == published
        log.away = False
        await asyncio.gather(*tasks)
        assert sorted(await ids(log)) == sorted(f"s{r}:{n}" for r in range(4) for n in range(600))

    asyncio.run(story())
    told = [r.getMessage() for r in caplog.records]
    assert [t[:15] for t in told] == ["the log is away", "the log is back"]


class NoCursors(MemoryLog):
    """Takes everything but cursors: what a crash between the two appends leaves behind."""

    async def append(self, entries: Sequence[Entry]) -> None:
        if any(e.topic == CURSORS and not is_memory(e.key or b"") for e in entries):
            raise Unavailable("crashed")
        await super().append(entries)


def test_a_crash_after_the_append_and_before_the_cursor_repeats_and_loses_nothing() -> None:
    async def story() -> None:
        log = NoCursors()
        await log.ensure()
        await runner(Script(pages(2)), log).run()
        assert await cursors.load(log) == {}
        again = Script(pages(2))
        await runner(again, log).run()
        assert again.asked[0] is None
        assert sorted(await ids(log)) == sorted(f"s:{n}" for n in [*range(6), *range(6)])

    asyncio.run(story())


def test_what_has_no_time_keeps_its_first_one_over_a_crash_before_the_cursor() -> None:
    async def story() -> None:
        log = NoCursors()
        await log.ensure()
        live = settings(run="live")
        for minutes in (0, 10):  # the stream takes another five minutes for another mention
            now = T0 + timedelta(minutes=minutes)
            undated = Item(native_id="1", published_at=now, keeps_time=True, text="kopi")
            saved = (await load(log)).get(key_prefix("s", "live"), [])
            memory = BrandMemory("s", saved=saved)
            page = Page((undated,), "1")
            await runner(Script([page]), log, settings=live, memory=memory).run()
        batches = [r for r in await records(log) if isinstance(r, Batch)]
        assert [m.published_at for b in batches for m in b.mentions] == [T0, T0]

    asyncio.run(story())


def test_a_cancelled_runner_drains_what_it_holds() -> None:
    async def story() -> None:
        log = await new_log()
        slow = Page((item(1),), "1", more=True)
        script = Script([slow, Retryable("wait", after_s=60)])
        options = ConnectorsSettings(tick_every_s=60, batch_wait_ms=60_000)
        run = runner(script, log, options=options)
        task = asyncio.create_task(run.run())
        await until(lambda: len(script.asked) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await ids(log) == ["s:1"]
        assert (await cursors.load(log))["s", "r"].cursor == "1"
        assert script.closed == 1

    asyncio.run(story())


def test_failures_are_retried_with_the_same_cursor_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        log = await new_log()
        flaky = [Retryable("no"), RuntimeError("secret-token-123"), Retryable("no", after_s=0)]
        script = Script([Page((item(1),), "1", more=True), *flaky, Page((item(2),), "2")])
        await runner(script, log).run()
        assert script.asked == [None, "1", "1", "1", "1", "2"]
        assert sorted(await ids(log)) == ["s:1", "s:2"]

    asyncio.run(story())
    assert "secret-token-123" not in caplog.text
    assert sum("next try" in r.getMessage() for r in caplog.records) == 1


def test_a_fetch_that_hangs_counts_as_failed() -> None:
    class Hanging(Script):
        async def fetch(self, cursor: str | None) -> Page:
            if len(self.asked) < 1:
                self.asked.append(cursor)
                await asyncio.sleep(60)
            return await super().fetch(cursor)

    async def story() -> None:
        log, script = await new_log(), Hanging(pages(1))
        await runner(script, log, settings=settings(timeout_s=0.05)).run()
        assert len(await ids(log)) == 3

    asyncio.run(story())


def test_what_overlapping_pages_repeat_is_published_once() -> None:
    async def story() -> None:
        log = await new_log()
        await runner(
            Script([Page((item(1), item(2)), "1"), Page((item(2), item(3)), "2")]), log
        ).run()
        assert sorted(await ids(log)) == ["s:1", "s:2", "s:3"]

    asyncio.run(story())


def test_a_stream_gets_its_turn_back_only_after_the_log_has_the_page() -> None:
    acknowledged: list[int] = []

    class Pushing:
        Settings: ClassVar[type[SourceSettings]] = SourceSettings

        async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
            assert cursor is None
            for n in range(3):
                yield Page((item(n),), str(n))
                acknowledged.append(len(await ids(log_box[0])))
            yield Page((), "2", ended=True)

        async def close(self) -> None:
            pass

    log_box: list[MemoryLog] = []

    async def story() -> None:
        log_box.append(await new_log())
        await runner(Pushing(), log_box[0]).run()
        assert acknowledged == [1, 2, 3]

    asyncio.run(story())


def test_a_broken_stream_is_opened_again_at_its_cursor() -> None:
    class Breaking:
        Settings: ClassVar[type[SourceSettings]] = SourceSettings
        opened: ClassVar[list[str | None]] = []

        async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
            self.opened.append(cursor)
            start = int(cursor or -1) + 1
            yield Page((item(start),), str(start), ended=start == 2)
            if start == 1:
                raise Retryable("connection lost")

        async def close(self) -> None:
            pass

    async def story() -> None:
        log = await new_log()
        await runner(Breaking(), log).run()
        assert Breaking.opened == [None, "0", "1"]
        assert sorted(await ids(log)) == ["s:0", "s:1", "s:2"]

    asyncio.run(story())


def test_dead_letters_are_on_the_log_before_the_cursor_passes_them() -> None:
    async def story() -> None:
        log = await new_log()
        naive = Item(native_id="x", published_at=datetime(2025, 1, 1), text="kopi")  # noqa: DTZ001  # the point
        await runner(Script([Page((naive, item(1)), "1")]), log).run()
        [dead] = [codec.dead_letter.decode(r.value or b"") async for c in log.read(DEAD) for r in c]
        assert (dead.reason, dead.origin) == ("naive_time", "s/x")
        assert await ids(log) == ["s:1"]

    asyncio.run(story())


def test_a_source_is_never_asked_more_often_than_its_budget() -> None:
    async def story() -> None:
        log, script = await new_log(), Script(pages(50))
        run = runner(script, log, settings=settings(requests_per_minute=5))
        task = asyncio.create_task(run.run())
        await until(lambda: len(script.asked) == 5)
        await asyncio.sleep(0.3)
        assert len(script.asked) == 5
        assert len(await ids(log)) == 15  # what was fetched does not wait for the next request
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
