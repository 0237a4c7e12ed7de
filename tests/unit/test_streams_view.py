"""The view of brands writes anew only what has changed, and never shows what is over."""

import gc
import random
import weakref
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from detectors.anomaly.bank import BankConfig
from detectors.language.understanding import Language
from streams import codec
from streams.exporter import render
from streams.pipeline.config import PipelineConfig
from streams.pipeline.decode import Origin
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.state import PartitionState
from streams.records import Action, Batch, Mention, MentionsRecord, Tick
from streams.settings import RootSettings
from streams.worker.core import Core
from streams.worker.view import Families, StateView

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BRANDS = ("toko", "warung", "kedai")
TEXTS = ("paket belum sampai, kecewa sekali", "mantap", "data bocor, akun dibobol")
PIPELINE = Pipeline(PipelineConfig(brands=frozenset(BRANDS), lateness_s=60), Language())


def view_of(state: PartitionState) -> StateView:
    """A view of one partition."""
    return StateView(cast("Core", SimpleNamespace(states={0: state})), RootSettings())


def text_of(view: StateView) -> str:
    """What a scraper reads."""
    registry = CollectorRegistry()
    registry.register(view)
    return render(registry).decode()


def play(state: PartitionState, record: MentionsRecord) -> None:
    """Apply the next record."""
    origin = Origin("m", 0, state.applied + 1)
    PIPELINE.apply(state, codec.encode(record), origin=origin, now=START)


def batch(brand: str, minute: float, text: str, count: int = 1) -> Batch:
    """Mentions of one minute."""
    at = START + timedelta(minutes=minute)
    mentions = tuple(
        Mention(
            id=f"forum:{brand}.{minute}.{n}", source="forum", text=text, collected_at=at,
            published_at=at, author=f"a{n}",
        )
        for n in range(count)
    )  # fmt: skip
    return Batch(brand=brand, mentions=mentions)


def tick(minute: float) -> Tick:
    """The source's watermark."""
    at = START + timedelta(minutes=minute)
    return Tick("forum", watermark=at, clock=at)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_kept_of_a_brand_is_what_would_be_written_now(seed: int) -> None:
    rng = random.Random(seed)
    state = PartitionState(0, BankConfig(warm_up_s=600))
    view = view_of(state)
    levels = set()
    for minute in range(60):
        for brand in BRANDS:
            if rng.random() < 0.3:
                count = 60 if minute > 40 else rng.randrange(1, 4)
                play(state, batch(brand, minute, rng.choice(TEXTS), count))
        if rng.random() < 0.5:
            play(state, tick(minute + rng.random()))
        for (_, brand), at in state.brands.items():
            episode = at.open_episode()
            if episode is not None and rng.random() < 0.1:
                did = Action(
                    id=f"{minute}", kind="ack", incident=episode.id, brand=brand,
                    who="sari", at=START + timedelta(minutes=minute),
                )  # fmt: skip
                PIPELINE.act(state, did, offset=minute, now=START)
            levels.add(at.level())
        if rng.random() < 0.7:
            list(state.changes())  # a flush
        assert text_of(view) == text_of(view_of(state))
    assert max(levels) > 0  # incidents came and were told


def test_a_quiet_brand_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state = PartitionState(0, BankConfig())
    for brand in BRANDS:
        play(state, batch(brand, 0, "mantap"))
    list(state.changes())
    view = view_of(state)
    written: list[str] = []
    add = Families.add_brand

    def noted(families: Families, brand: Any, *, closed_s: float) -> None:
        written.append(brand.brand)
        add(families, brand, closed_s=closed_s)

    monkeypatch.setattr(Families, "add_brand", noted)
    text_of(view)
    assert sorted(written) == sorted(BRANDS)
    written.clear()
    play(state, batch("toko", 1, "mantap"))
    text_of(view)
    assert written == ["toko"]


def test_what_was_read_in_the_middle_of_a_change_is_written_anew() -> None:
    state = PartitionState(0, BankConfig())
    play(state, batch("toko", 0, "mantap"))
    brand = state.brands["live", "toko"]
    view = view_of(state)
    text_of(view)
    state.touch(brand)
    text_of(view)  # the scraper comes between the touch and the count
    brand.count("forum", "positive")
    list(state.changes())
    assert 'sentiment="positive"} 2.0' in text_of(view)


def test_a_state_that_was_dropped_is_gone_though_nobody_scrapes() -> None:
    state = PartitionState(0, BankConfig())
    play(state, batch("toko", 0, "mantap"))
    view = view_of(state)
    text_of(view)
    dropped = weakref.ref(state.brands["live", "toko"])
    state.brands.clear()
    gc.collect()
    assert dropped() is None
