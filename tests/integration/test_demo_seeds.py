"""Seeds of the scenario that nobody tuned on: each crisis alerts in time, ordinary weeks seldom.

An ordinary week holds small bursts, some of them of complaints; the three hours before a crisis
hold none.

Through the door and the pipeline in-process; the services' own tests play the demo as a whole.
"""

import multiprocessing
import tomllib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from connectors.ingest.door import Door
from connectors.ingest.history import as_records
from connectors.ingest.match import Matcher
from connectors.sources.simulated.scenario import MAIN, Scenario, scenario
from connectors.sources.simulated.traffic import Traffic
from detectors.language.understanding import Language
from streams.backtest.labels import paged_at_s
from streams.backtest.replay import Replay
from streams.backtest.result import Case
from streams.config import parse_values
from streams.records import Mention
from streams.settings import RootSettings
from streams.worker.service import pipeline_config

FRESH = range(101, 121)
QUIET = range(201, 206)

READER = Language()


def settings() -> RootSettings:
    packaged = files("connectors.sources.simulated").joinpath("demo.toml").read_text("utf-8")
    return parse_values(tomllib.loads(packaged), Path("demo.toml"))


def mentions(played: Scenario, brands: frozenset[str]) -> Iterator[tuple[datetime, str, Mention]]:
    door = Door("demo", Matcher(settings().brands))
    traffic = Traffic(played)
    now = datetime.now(UTC)
    for hour in range(traffic.hours):
        for seen in traffic.hour(hour):
            for brand, mention in door.admit(seen.item, now=now).mentions:
                if brand in brands:
                    yield mention.published_at, brand, mention


def paged(played: Scenario, brands: frozenset[str]) -> list[Case]:
    """Incidents that reached ALERT, in the order of time."""
    replay = Replay("demo", pipeline_config(settings()), READER)
    for record in as_records(mentions(played, brands)):
        replay.take(record)
    cases = [case for brand in replay.result().brands for case in brand.paged]
    return sorted(cases, key=paged_at_s)


def crisis(seed: int) -> list[float]:
    """Minutes from the onset to each page of the main brand."""
    played = scenario(seed, weeks=0.5, after_hours=3)
    assert played.onset is not None
    onset_s = played.onset.timestamp()
    return [(paged_at_s(case) - onset_s) / 60 for case in paged(played, frozenset({MAIN}))]


def quiet(seed: int) -> list[str]:
    """What pages in an ordinary week of all brands."""
    played = scenario(seed, weeks=1, quiet=True)
    return [
        f"{case.last.id} {case.signal} {(case.paged or case.last).sentences['en']}"
        for case in paged(played, frozenset(played.brands))
    ]


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    # Forked, so that the models are loaded once.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        yield workers


def test_twenty_fresh_crises_alert_while_they_grow_and_not_before(
    pool: ProcessPoolExecutor,
) -> None:
    pages = dict(zip(FRESH, pool.map(crisis, FRESH), strict=True))
    late = {seed: found for seed, found in pages.items() if not any(0 <= m <= 60 for m in found)}
    early = {seed: found for seed, found in pages.items() if any(m < 0 for m in found)}
    assert (late, early) == ({}, {})


def test_five_ordinary_weeks_of_four_brands_stay_silent(pool: ProcessPoolExecutor) -> None:
    pages = dict(zip(QUIET, pool.map(quiet, QUIET), strict=True))
    assert [page for found in pages.values() for page in found] == []
