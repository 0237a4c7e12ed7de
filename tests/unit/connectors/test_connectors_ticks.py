"""What a runner's ticks promise: never ahead of a mention, never back, blind when it is blind."""

import asyncio
from datetime import UTC, datetime, timedelta

from scripted import (
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

from connectors.contract import Fatal, Page, Retryable
from connectors.ingest import cursors
from streams import codec
from streams.records import Tick
from streams.topics import MENTIONS


def test_a_fatal_source_says_that_it_is_blind_and_the_others_go_on() -> None:
    async def story() -> None:
        log = await new_log()
        bad = runner(Script([Fatal("set SIAGA_TOKEN")]), log, "bad")
        good = runner(Script(pages(2)), log, "good")
        task = asyncio.create_task(bad.run())
        await good.run()
        await until(lambda: bad.stopped.is_set())
        await asyncio.sleep(0.15)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ticks = [r for r in await records(log) if isinstance(r, Tick) and r.source == "bad"]
        assert ticks
        assert not any(t.healthy for t in ticks)
        saved = (await cursors.load(log))["bad", "r"]
        assert (saved.state, saved.detail) == ("stopped", "set SIAGA_TOKEN")
        assert sorted(await ids(log)) == sorted(f"good:{n}" for n in range(6))

    asyncio.run(story())


def test_a_tick_never_overtakes_a_mention_before_its_watermark() -> None:
    async def story() -> None:
        log = await new_log()
        minutes = [
            Page(
                tuple(item(m * 10 + n, T0 + timedelta(minutes=m, seconds=n)) for n in range(5)),
                str(m),
                more=True,
                watermark=T0 + timedelta(minutes=m),
                clock=T0 + timedelta(minutes=m),
            )
            for m in range(20)
        ]
        await runner(Script(minutes), log).run()
        for p in (0, 1):
            high = datetime.min.replace(tzinfo=UTC)
            async for chunk in log.read(MENTIONS, partitions=[p]):
                for record in chunk:
                    found = codec.mentions.decode(record.value or b"")
                    if isinstance(found, Tick):
                        assert found.watermark >= high
                        high = found.watermark
                    else:
                        assert all(m.published_at >= high for m in found.mentions)
        ticks = [r for r in await records(log) if isinstance(r, Tick) and not r.ended]
        assert len(ticks) >= 20 * 2  # each minute of the replay's clock, to both partitions

    asyncio.run(story())


def test_a_live_source_that_answers_moves_its_watermark_without_items() -> None:
    async def story() -> None:
        log = await new_log()
        quiet = Script([Page((), None)] * 200)
        task = asyncio.create_task(runner(quiet, log, settings=settings(lateness_s=5)).run())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        marks = [r.watermark for r in (await records(log, [0])) if isinstance(r, Tick)]
        assert marks == sorted(marks)
        assert marks[-1] > marks[0]
        assert datetime.now(UTC) - marks[-1] < timedelta(seconds=10)

    asyncio.run(story())


def test_a_failing_source_keeps_its_watermark_and_ticks_unhealthy() -> None:
    async def story() -> None:
        log = await new_log()
        script = Script([Page((item(1),), "1"), Retryable("down", after_s=60)])
        run = runner(script, log)
        task = asyncio.create_task(run.run())
        await until(lambda: run.standing.state == "failing")
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ticks = [r for r in await records(log) if isinstance(r, Tick)]
        sick = [t for t in ticks if not t.healthy]
        assert len(sick) >= 2
        assert len({t.watermark for t in sick}) == 1

    asyncio.run(story())
