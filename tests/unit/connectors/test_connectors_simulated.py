"""The simulated shop: the same seed is the same run, and its crisis is where it says."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from connectors.contract import Context, Item, Page
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.sources.simulated import scenario
from connectors.sources.simulated.source import SimulatedConnector, SimulatedSettings
from connectors.sources.simulated.traffic import SEED_POST
from streams.config import parse

DEMO = (files("connectors.sources.simulated") / "demo.toml").read_text(encoding="utf-8")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2025, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def source(clock: Clock | None = None, **values: object) -> SimulatedConnector:
    settings = SimulatedSettings.model_validate({"weeks": 1, "base_rate": 0.5, **values})
    return SimulatedConnector(settings, Context(name="demo", now=clock or Clock()))


def play(fresh: bool = False, **values: object) -> list[Page]:
    async def run() -> list[Page]:
        connector, pages, cursor = source(**values), [], None
        while True:
            if fresh:
                connector = source(**values)
            page = await connector.fetch(cursor)
            pages.append(page)
            cursor = page.cursor
            if page.ended:
                return pages

    return asyncio.run(run())


def items(pages: list[Page]) -> list[Item]:
    return [i for p in pages for i in p.items if isinstance(i, Item)]


def test_the_same_seed_is_the_same_run_and_another_seed_is_not() -> None:
    once = items(play(seed=3))
    assert once == items(play(seed=3))
    assert once != items(play(seed=4))
    assert all(i.simulated for i in once)


def test_a_restart_at_any_hour_goes_on_with_the_very_same_mentions() -> None:
    assert items(play(seed=5, fresh=True)) == items(play(seed=5))


def test_ids_are_unique_and_watermarks_never_pass_what_is_still_to_come() -> None:
    pages = play(seed=6)
    seen = Counter((i.native_id, i.revision) for i in items(pages))
    assert max(seen.values()) == 1
    high = datetime.min.replace(tzinfo=UTC)
    for page in pages:
        fresh = [i for i in page.items if isinstance(i, Item) and not i.revision]
        assert all(i.published_at >= high for i in fresh)
        assert page.watermark is not None
        high = page.watermark


@pytest.mark.parametrize("seed", range(5))
def test_the_crisis_is_loud_negative_and_by_many_authors_and_not_before_its_onset(
    seed: int,
) -> None:
    run = scenario(seed, weeks=1, base_rate=0.5)
    assert run.onset is not None
    assert run.crisis is not None
    posts = items(play(seed=seed))
    hour = timedelta(hours=1)
    before = [i for i in posts if run.onset - hour <= i.published_at < run.onset]
    full = run.onset + timedelta(minutes=run.crisis.ramp)
    during = [i for i in posts if full <= i.published_at < full + hour]
    assert len(during) > 3 * len(before)
    assert len({i.author for i in during}) > len(during) / 2
    spread = [i.engagement.reposts for i in posts if i.native_id == SEED_POST]
    assert spread == sorted(spread)
    assert spread[-1] > 1000
    assert not any("BoikotTokoraya" in i.text for i in posts if i.published_at < run.onset)


def test_a_quiet_week_has_no_crisis_and_its_whole_length() -> None:
    run = scenario(9, weeks=1, quiet=True)
    assert run.onset is None
    assert run.end - run.start == timedelta(weeks=1)
    assert not any(i.native_id == SEED_POST for i in items(play(seed=9, quiet=True)))


def test_counts_vary_more_than_by_chance_and_follow_the_day() -> None:
    posts = items(play(seed=2, quiet=True, base_rate=2))
    by_minute = Counter(int(i.published_at.timestamp() // 60) for i in posts)
    start = int(scenario(2).start.timestamp() // 60)
    # 19:00 to 20:00 each day, so that the rhythm itself is not what varies
    evening = [by_minute[start + d * 1440 + 19 * 60 + m] for d in range(7) for m in range(60)]
    mean = sum(evening) / len(evening)
    variance = sum((n - mean) ** 2 for n in evening) / len(evening)
    assert variance > 1.15 * mean
    night = [by_minute[start + d * 1440 + 3 * 60 + m] for d in range(7) for m in range(60)]
    assert sum(evening) > 5 * sum(night)


def test_the_demo_configuration_matches_every_item_and_knows_the_own_replies() -> None:
    settings = parse(DEMO, Path("demo.toml"))
    door = Door("demo", Matcher(settings.brands))
    now = datetime(2025, 6, 1, tzinfo=UTC)
    brands: Counter[str] = Counter()
    own = 0
    for item in items(play(seed=1)):
        outcome = door.admit(item, now=now)
        assert outcome.mentions
        brands.update(b for b, _ in outcome.mentions)
        own += sum(m.own for _, m in outcome.mentions)
    assert set(brands) == set(scenario(1).brands)
    assert own > 20


def test_it_slows_down_for_people_when_the_crisis_comes() -> None:
    async def story() -> None:
        clock = Clock()
        connector = source(clock, seed=1, crisis_speed=60, approach_minutes=10)
        run = connector.scenario
        assert run.onset is not None
        cursor, page = None, Page((), None, more=True)
        while page.more:
            page = await connector.fetch(cursor)
            cursor = page.cursor
        assert page.clock == run.onset - timedelta(minutes=10)
        for _ in range(20):
            clock.now += timedelta(seconds=1)
            page = await connector.fetch(page.cursor)
        assert page.clock == run.onset + timedelta(minutes=10)
        assert not page.more

    asyncio.run(story())
