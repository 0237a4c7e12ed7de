"""A worker of this version takes up what a former one wrote."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detectors.anomaly.bank import BankConfig
from detectors.language.understanding import Language
from streams import codec
from streams.pipeline.config import PipelineConfig
from streams.pipeline.decode import Origin
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.recovered import Recovered
from streams.pipeline.state import PartitionState
from streams.records import Batch, Mention

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
FIXTURES = sorted((Path(__file__).parent / "data").glob("state_*.json"))
"""Changelogs as former versions wrote them, one a schema: twelve minutes of one brand."""


def mention(name: str) -> bytes:
    """A record of the fixture's last minute, which is open."""
    one = Mention(
        id=f"forum:{name}", source="forum", text="mantap", collected_at=START,
        published_at=START + timedelta(minutes=11, seconds=40), author="zul",
    )  # fmt: skip
    return codec.encode(Batch(brand="toko", mentions=(one,)))


def restored(changelog: list[tuple[str, bytes | None]]) -> PartitionState:
    """The state that a changelog leads to."""
    found = Recovered()
    for key, value in changelog:
        found.feed(key, value)
    return found.take(0, BankConfig())


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_states_of_former_versions_are_read_and_nothing_is_lost(path: Path) -> None:
    fixture = json.loads(path.read_text())
    told = fixture["told"]
    changelog = [(key, value and b64decode(value)) for key, value in fixture["changelog"]]
    pipeline = Pipeline(PipelineConfig(brands=frozenset({"toko"}), lateness_s=60), Language())

    state = restored(changelog)
    brand = state.brands["live", "toko"]
    assert state.applied == told["applied"]
    assert brand.hot.totals == told["totals"]
    assert brand.hot.closed_through_s == told["closed_through_s"]
    assert brand.level() == told["level"]
    assert len(brand.seen) == told["seen"]

    open_minute = brand.hot.minutes[max(brand.hot.minutes)]
    authors = open_minute.counts().authors

    # It goes on: a repeat of then is a repeat now, and what is written reads back.
    next_offset = state.applied + 1
    for n, record in enumerate((mention("3.1"), mention("new"))):
        pipeline.apply(state, record, origin=Origin("m", 0, next_offset + n), now=START)
    changelog += [*state.changes(), state.marks_change()]
    again = restored(changelog).brands["live", "toko"]
    assert sum(again.hot.totals.values()) == sum(told["totals"].values()) + 1
    assert again.hot.repeats == 1
    assert again.hot.minutes[max(again.hot.minutes)].counts().authors == authors + 1


def test_there_is_a_fixture() -> None:
    assert FIXTURES
