"""The feed reads through the log port."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

from response.page.feed import Feed
from response.page.view import View
from streams.codec import encode
from streams.log.port import Entry, Unavailable
from streams.records import Batch, Mention, ScoredBatch, Tick
from streams.topics import MENTIONS, MINUTES, SCORED, TOPICS


async def fed(log: Any, view: View, wanted: Any, brands: int = 1) -> Feed:
    feed = Feed(log, view, brands=brands, clock=lambda: 2_000_000_000.0)
    task = asyncio.create_task(feed.run())
    for _ in range(500):
        if wanted():
            break
        await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert wanted()
    return feed


def test_history_is_as_old_as_it_was_written_and_news_are_new(make: SimpleNamespace) -> None:
    async def test() -> None:
        log, view = make.log(), View()
        await log.ensure(TOPICS)
        await log.append([Entry(MINUTES, b"kirana", encode(make.minute(0)))])
        await fed(log, view, lambda: bool(view.runs))
        assert view.run("live").arrived == 1_700_000_000.0

    asyncio.run(test())


def test_what_comes_later_is_followed_from_every_topic(make: SimpleNamespace) -> None:
    async def test() -> None:
        log, view = make.log(), View()
        await log.ensure(TOPICS)
        feed = Feed(log, view, brands=1, clock=lambda: 2_000_000_000.0)
        task = asyncio.create_task(feed.run())
        await asyncio.sleep(0.05)
        mention = Mention(id="a", source="forum", published_at=make.now, collected_at=make.now)
        tick = encode(Tick("forum", make.now, make.now))
        await log.append(
            [
                Entry(MINUTES, b"kirana", encode(make.minute(0))),
                Entry(SCORED, b"kirana", encode(ScoredBatch("x", "kirana", (make.scored("f:1"),)))),
                Entry(MENTIONS, b"kirana", encode(Batch("kirana", (mention,))), 0),
                *(Entry(MENTIONS, None, tick, p) for p in range(4)),
                make.entry(make.incident()),
            ]
        )
        for _ in range(300):
            run = view.runs.get("live")
            if run and run.sources and run.incidents and run.mentions and run.brands:
                break
            await asyncio.sleep(0.01)
        task.cancel()
        run = view.run("live")
        assert list(run.sources) == ["forum"]
        assert len(run.mentions) == 1
        assert len(run.open_incidents()) == 1
        assert run.arrived == 2_000_000_000.0

    asyncio.run(test())


def test_a_start_reads_back_a_bounded_number_of_minutes(make: SimpleNamespace) -> None:
    async def test() -> None:
        log, view = make.log(), View(history=60)
        await log.ensure(TOPICS)
        entries = [Entry(MINUTES, b"kirana", encode(make.minute(n))) for n in range(300)]
        await log.append(entries)
        read = 0
        real = view.minute

        def counted(*args: Any) -> None:
            nonlocal read
            read += 1
            real(*args)

        view.minute = counted  # type: ignore[method-assign] # counts what is read
        await fed(log, view, lambda: read >= 60)
        assert read == 60

    asyncio.run(test())


def test_an_unreadable_record_is_left_out_and_the_rest_is_shown(make: SimpleNamespace) -> None:
    async def test() -> None:
        log, view = make.log(), View()
        await log.ensure(TOPICS)
        await log.append(
            [
                Entry(MINUTES, b"kirana", b"{"),
                Entry(MINUTES, b"kirana", None),
                Entry(MINUTES, b"kirana", encode(make.minute(0))),
            ]
        )
        feed = await fed(log, view, lambda: bool(view.runs))
        assert feed.undecodable == 1

    asyncio.run(test())


def test_a_log_that_is_away_is_waited_for(make: SimpleNamespace, monkeypatch: Any) -> None:
    monkeypatch.setattr("streams.log.patience.AGAIN_S", 0.01)

    async def test() -> None:
        log, view = make.log(), View()
        await log.ensure(TOPICS)
        await log.append([Entry(MINUTES, b"kirana", encode(make.minute(0)))])
        real, calls = log.ends, 0

        async def away(topic: str) -> dict[int, int]:
            nonlocal calls
            calls += 1
            if calls < 12:
                raise Unavailable("broker away")
            ends: dict[int, int] = await real(topic)
            return ends

        log.ends = away
        await fed(log, view, lambda: bool(view.runs))

    asyncio.run(test())
