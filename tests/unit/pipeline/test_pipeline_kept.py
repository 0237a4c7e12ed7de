"""Parts of a brand stay encoded until they are asked for, and nobody can tell."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detectors.anomaly.bank import BankConfig, UnknownSnapshot
from detectors.language.understanding import Language
from streams import codec
from streams.pipeline.config import PipelineConfig
from streams.pipeline.decode import Origin
from streams.pipeline.pipeline import MOST_FOLDED, Pipeline
from streams.pipeline.recovered import Recovered
from streams.pipeline.series import Watched
from streams.pipeline.state import LAZY, BrandState, PartitionState
from streams.pipeline.topic_level import topic_levels
from streams.records import Batch, Mention, MentionsRecord, Tick
from streams.worker.scratch import Scratch

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BRANDS = frozenset({"toko", "warung"})
CONFIG = PipelineConfig(
    brands=BRANDS, lateness_s=60, watched=Watched(topics=frozenset({"delivery"}))
)
PIPELINE = Pipeline(CONFIG, Language())


def complaint(brand: str, minute: int) -> Batch:
    """One mention."""
    at = START + timedelta(minutes=minute)
    one = Mention(
        id=f"forum:{brand}.{minute}", source="forum", text="paket belum sampai, kecewa sekali",
        collected_at=at, published_at=at, author="zul",
    )  # fmt: skip
    return Batch(brand=brand, mentions=(one,))


def tick(minute: int) -> Tick:
    """The source's watermark at the end of a minute."""
    at = START + timedelta(minutes=minute + 1)
    return Tick("forum", watermark=at, clock=at)


def play(state: PartitionState, records: list[MentionsRecord]) -> None:
    """Apply records after those that the state covers."""
    for record in records:
        origin = Origin("m", 0, state.applied + 1)
        PIPELINE.apply(state, codec.encode(record), origin=origin, now=START)


def restored(changelog: list[tuple[str, bytes | None]], bank: BankConfig) -> PartitionState:
    """The state that a changelog leads to."""
    found = Recovered()
    for key, value in changelog:
        found.feed(key, value)
    return found.take(0, bank)


def written(state: PartitionState) -> list[tuple[str, bytes | None]]:
    """A flush."""
    return [*state.changes(), state.marks_change()]


@pytest.fixture
def changelog() -> list[tuple[str, bytes | None]]:
    """Two brands for twenty minutes, quiet at their end."""
    state = PartitionState(0, BankConfig())
    for minute in range(20):
        play(state, [complaint(brand, minute) for brand in sorted(BRANDS)] + [tick(minute)])
    play(state, [tick(minute) for minute in range(20, 24)])
    return written(state)


def decoded(brand: BrandState) -> set[str]:
    """The lazy parts that have been asked for."""
    return LAZY & set(vars(brand))


def test_only_a_brand_that_is_mentioned_is_decoded(
    changelog: list[tuple[str, bytes | None]],
) -> None:
    state = restored(changelog, BankConfig())
    play(state, [tick(24), complaint("toko", 25), tick(25), tick(27)])
    assert decoded(state.brands["live", "toko"]) == LAZY
    quiet = state.brands["live", "warung"]
    assert decoded(quiet) == set()
    # What metrics show of it is read beside the stream, and leaves it as it is.
    assert topic_levels(quiet, ["delivery", "price"], evidence=3.0) == {"delivery": 0}
    assert decoded(quiet) == set()


def test_what_was_kept_encoded_goes_on_as_if_it_had_been_decoded(
    changelog: list[tuple[str, bytes | None]],
) -> None:
    lazy, eager = (restored(changelog, BankConfig()) for _ in range(2))
    for brand in eager.brands.values():
        for name in LAZY:
            getattr(brand, name)
    for state in (lazy, eager):
        play(state, [tick(30), complaint("toko", 31), tick(31), tick(35)])
        written(state)
        play(state, [complaint("warung", 36), tick(36), tick(40)])
    for at, brand in eager.brands.items():
        for name in LAZY:
            assert getattr(lazy.brands[at], name).snapshot() == getattr(brand, name).snapshot()
        assert lazy.brands[at].hot.totals == brand.hot.totals


def test_other_windows_than_those_of_the_state_are_told_at_the_start(
    changelog: list[tuple[str, bytes | None]],
) -> None:
    with pytest.raises(UnknownSnapshot, match="windows"):
        restored(changelog, BankConfig(scales_s=(60, 300)))


def test_a_brand_that_rests_for_an_hour_is_encoded_again_and_goes_on_as_before() -> None:
    folded, open_ = PartitionState(0, BankConfig()), PartitionState(0, BankConfig())
    open_.fold = lambda *_args, **_options: None  # type: ignore[method-assign] # never
    hours = [complaint("toko", 0), complaint("warung", 0), tick(0), tick(5), tick(30)]
    for state in (folded, open_):
        play(state, hours)
        written(state)
        play(state, [complaint("warung", 40), tick(40), tick(45), tick(50), tick(80)])
        written(state)
    assert decoded(folded.brands["live", "toko"]) == set()
    assert decoded(folded.brands["live", "warung"]) == LAZY  # it was mentioned meanwhile
    for state in (folded, open_):
        play(state, [tick(200), complaint("toko", 201), tick(201), tick(205)])
    assert decoded(folded.brands["live", "warung"]) == set()
    for name in LAZY:
        toko, same = (state.brands["live", "toko"] for state in (folded, open_))
        assert getattr(toko, name).snapshot() == getattr(same, name).snapshot()


def test_what_is_encoded_before_its_flush_is_written_as_it_is() -> None:
    state, same = PartitionState(0, BankConfig()), PartitionState(0, BankConfig())
    for one in (state, same):
        play(one, [complaint("toko", 0), tick(0), tick(5)])
    play(state, [tick(200)])
    toko = state.brands["live", "toko"]
    assert decoded(toko) == set()
    assert toko.changed >= LAZY - {"series"}
    again = restored(written(state), BankConfig()).brands["live", "toko"]
    assert decoded(toko) == set()
    for name in LAZY:
        kept = getattr(same.brands["live", "toko"], name)
        assert getattr(again, name).snapshot() == kept.snapshot()


def test_a_brand_at_rest_holds_no_ids_in_memory(tmp_path: Path) -> None:
    brand = BrandState("live", "toko", BankConfig(), Scratch(tmp_path).keep)
    at_s = START.timestamp()

    def admitted() -> set[str]:
        return {
            brand.seen.admit(f"forum:{n}", 0, published_s=at_s, watermark_s=at_s)
            for n in range(900)
        }

    tracemalloc.start()
    try:
        assert admitted() == {"fresh"}
        list(brand.parts(b"token---"))
        awake, _ = tracemalloc.get_traced_memory()
        brand.fold()
        resting, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert resting < awake / 5
    assert admitted() == {"repeat"}


def test_brands_that_come_to_rest_together_are_encoded_a_few_at_a_tick() -> None:
    names = [f"toko{n}" for n in range(2 * MOST_FOLDED + 1)]
    pipeline = Pipeline(PipelineConfig(brands=frozenset(names), lateness_s=60), Language())
    state = PartitionState(0, BankConfig())
    records = [*(complaint(name, 0) for name in names), *map(tick, (0, 5, 6, 200, 201, 202))]
    encoded = []
    for offset, record in enumerate(records):
        pipeline.step(state, record, offset=offset)
        encoded.append(sum(not decoded(brand) for brand in state.brands.values()))
    assert encoded[-4:] == [0, MOST_FOLDED, 2 * MOST_FOLDED, len(names)]


def test_metrics_find_the_series_of_a_brand_that_is_decoded_as_they_look() -> None:
    state = PartitionState(0, BankConfig())
    play(state, [complaint("toko", 0), tick(0), tick(5)])
    toko = state.brands["live", "toko"]
    names = toko.series_names()
    assert names
    toko.fold()

    class Raced(dict[str, bytes]):
        """The stream decodes the series between the scraper's first look and its second."""

        def get(self, name: str, default: Any = None) -> Any:
            if name in self:
                toko.kept = dict(self)
                assert toko.series.names() == names
                return default
            return super().get(name, default)

    toko.kept = Raced(toko.kept)
    assert toko.series_names() == names
