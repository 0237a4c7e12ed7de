"""Records of other programs in the mentions topic: each leads to a dead letter or is counted.

None may stop the worker, tear its state, silence its metrics or make a value that no log takes.
"""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from detectors.anomaly.bank import BankConfig
from detectors.language.understanding import Language
from streams import codec
from streams.exposition import head, lines
from streams.log.port import MAX_RECORD_BYTES
from streams.pipeline.channels import MOST, OTHER
from streams.pipeline.config import PipelineConfig
from streams.pipeline.decode import Origin
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.recovered import Recovered
from streams.pipeline.state import TOKEN_BYTES, PartitionState, read_hot
from streams.settings import BrandSettings, RootSettings
from streams.topics import SCORED
from streams.worker.view import StateView

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PIPELINE = Pipeline(PipelineConfig(brands=frozenset({"toko"}), lateness_s=60), Language())
SETTINGS = RootSettings(brands={"toko": BrandSettings(names=("Toko",))})
HALF_MB = 512 << 10


def mention(n: int = 1, **values: Any) -> dict[str, Any]:
    """A mention as JSON values."""
    common = {"id": f"x:{n}", "source": "x", "text": "toko rusak", "author": f"a{n}"}
    times = {"published_at": stamp(NOW), "collected_at": stamp(NOW)}
    return {**common, **times, **values}


def stamp(at: datetime) -> str:
    """RFC 3339."""
    return at.isoformat().replace("+00:00", "Z")


def batch(*mentions: dict[str, Any], run: str = "live") -> bytes:
    """A record as another program writes it."""
    return json.dumps({"type": "batch", "brand": "toko", "run": run, "mentions": mentions}).encode()


def tick(watermark: str, clock: str = "", run: str = "live") -> bytes:
    """A heartbeat as another program writes it."""
    return json.dumps(
        {"type": "tick", "source": "x", "watermark": watermark, "clock": clock or watermark,
         "run": run}
    ).encode()  # fmt: skip


class Played:
    """Records through the pipeline, each with its flush; then the state is read back."""

    def __init__(self, *records: bytes) -> None:
        self.dead: list[str] = []
        self.largest: dict[str, int] = {}
        self.scored: list[tuple[str, int]] = []
        self.written: dict[str, bytes | None] = {}
        state, found = PartitionState(0, BankConfig()), Recovered()
        after = tick(stamp(NOW + timedelta(minutes=10)))
        for offset, raw in enumerate((*records, after)):
            out = PIPELINE.apply(state, raw, origin=Origin("m", 0, offset), now=NOW)
            self.dead += [letter.reason for letter in out.dead]
            for entry in out.entries:
                self._size(entry.topic, entry.value)
                if entry.topic == SCORED:
                    one = codec.scored.decode(entry.value or b"")
                    self.scored.append((one.id, len(one.mentions)))
            for key, value in (*state.changes(), state.marks_change()):
                self._size(key, value)
                self.written[key] = value
                found.feed(key, value)
        self.live = state
        self.state = found.take(0, BankConfig())

    def _size(self, where: str, value: bytes | None) -> None:
        self.largest[where] = max(self.largest.get(where, 0), len(value or b""))

    def counted(self) -> dict[str, int]:
        """Totals of the restored state, over all runs."""
        totals: dict[str, int] = {}
        for brand in self.state.brands.values():
            for key, count in brand.hot.totals.items():
                channel = key.rpartition("|")[0]
                totals[channel] = totals.get(channel, 0) + count
        return totals


GOOD = mention(7)
STRANGE = {
    "before 1970": mention(published_at="1969-12-31T23:59:59Z"),
    "the year 1": mention(published_at="0001-01-01T00:00:00+14:00"),
    "the year 9999": mention(published_at="9999-12-31T23:59:59Z"),
    "likes beyond a float": mention(engagement={"likes": 10**400}),
    "negative followers": mention(engagement={"followers": -(10**15)}),
    "a text of 900 KB": mention(text="toko " * 180_000),
    "an author of 500 KB": mention(author="x" * 500_000),
    "an id of 500 KB": mention(id="x" * 500_000),
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_a_mention_that_the_stream_cannot_carry_is_a_dead_letter_beside_the_good_ones(
    strange: dict[str, Any],
) -> None:
    played = Played(batch(strange, GOOD))
    assert played.dead == ["bad_mention"]
    assert played.counted() == {"x": 1}
    assert max(played.largest.values()) < HALF_MB


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_a_tick_of_before_all_times_stops_nobody(at: str) -> None:
    assert Played(tick(at), batch(GOOD)).counted() == {"x": 1}


def test_a_tick_of_the_year_9999_makes_no_later_mention_late() -> None:
    played = Played(tick("9999-12-31T23:59:59Z"), tick("9999-12-31T23:59:59Z", stamp(NOW)),
                    batch(GOOD))  # fmt: skip
    assert played.dead == ["not_a_record", "not_a_record"]
    assert played.state.brands["live", "toko"].hot.late == 0


@pytest.mark.parametrize("run", ["a|b", "", "\x00", "x" * 64])
def test_a_run_that_would_tear_the_keys_of_the_state_is_a_dead_letter(run: str) -> None:
    bad = mention(published_at="kemarin")
    played = Played(batch(GOOD, run=run), tick(stamp(NOW), run=run), batch(bad, run=run))
    assert played.dead == ["not_a_record"] * 3
    assert list(played.state.marks) == ["live"]


@pytest.mark.parametrize("channel", ["a|b", 'a"\n\\', "", "Kanal Baru", "x" * 64])
def test_a_channel_that_is_no_name_counts_as_other_and_the_metrics_stay_readable(
    channel: str,
) -> None:
    played = Played(batch(mention(source=channel), GOOD))
    assert played.counted() == {OTHER: 1, "x": 1}
    assert metrics(played.state) == {(OTHER, 1), ("x", 1)}


def test_metrics_of_an_old_state_with_a_bar_in_a_channel_are_readable() -> None:
    state = Played(batch(GOOD)).state
    state.brands["live", "toko"].hot.totals = {"a|b|negative": 3}
    assert metrics(state) == {("a|b", 3)}


def test_channels_without_end_are_bounded_and_no_mention_is_lost() -> None:
    played = Played(batch(*(mention(n, source=f"c{n}") for n in range(3 * MOST))))
    counted = played.counted()
    assert len(counted) == MOST + 1
    assert counted[OTHER] == 2 * MOST
    assert sum(counted.values()) == 3 * MOST


@pytest.mark.parametrize(("count", "chars"), [(5_000, 10), (4, 60_000), (14, 60_000), (501, 1_500)])
def test_a_record_as_large_as_the_log_takes_leads_to_outputs_that_it_takes_too(
    count: int, chars: int
) -> None:
    raw = batch(*(mention(n, text="a" * chars) for n in range(count)))
    assert len(raw) < MAX_RECORD_BYTES
    played = Played(raw)
    assert played.largest[SCORED] < HALF_MB
    names = [name for name, _ in played.scored]
    assert len(set(names)) == len(names)
    assert sum(held for _, held in played.scored) == count
    assert names[0] == "live/mentions/0/0"


def test_minutes_that_stay_open_make_no_large_value_and_come_back_after_a_restart() -> None:
    minutes = 2_000
    begin = NOW - timedelta(minutes=minutes)
    records = [
        batch(mention(n, published_at=stamp(begin + timedelta(minutes=n)), author=f"a{n}"))
        for n in range(minutes)
    ]
    played = Played(*records)  # the last record is the first tick: it closes them all
    closed = played.state.brands["live", "toko"]
    assert max(played.largest.values()) < HALF_MB
    assert closed.hot.minutes == played.live.brands["live", "toko"].hot.minutes
    assert not [key for key, value in played.written.items() if "|open." in key and value]


def test_closed_minutes_stay_closed_where_no_other_part_is_written() -> None:
    records = [
        batch(mention(n, published_at=stamp(NOW - timedelta(minutes=n)), own=True))
        for n in range(40)
    ]
    assert Played(*records).state.brands["live", "toko"].hot.minutes == {}


def test_open_minutes_come_back_as_they_were() -> None:
    state, found = PartitionState(0, BankConfig()), Recovered()
    for offset in range(300):
        # Up and down: minutes of a part change again after it was written.
        n = offset if offset % 7 else offset // 2
        at = stamp(NOW + timedelta(minutes=n))
        raw = batch(mention(offset, published_at=at))
        PIPELINE.apply(state, raw, origin=Origin("m", 0, offset), now=NOW)
        for key, value in state.changes():
            found.feed(key, value)
    live = state.brands["live", "toko"].hot.minutes
    assert found.take(0, BankConfig()).brands["live", "toko"].hot.minutes == live
    assert len(live) > 200


def test_minutes_that_an_older_worker_closed_do_not_come_back() -> None:
    state, found = PartitionState(0, BankConfig()), Recovered()
    for offset in range(40):
        raw = batch(mention(offset, published_at=stamp(NOW + timedelta(minutes=offset))))
        PIPELINE.apply(state, raw, origin=Origin("m", 0, offset), now=NOW)
    hot = state.brands["live", "toko"].hot
    for key, value in state.changes():
        # It does not know these parts: to it they are open no more, and named for ever.
        if key.endswith("|hot") and value is not None:
            read = read_hot(value[TOKEN_BYTES:])
            read.closed_through_s = max(hot.minutes)
            value = value[:TOKEN_BYTES] + msgspec.msgpack.encode(read)
        found.feed(key, value)
    minutes = found.take(0, BankConfig()).brands["live", "toko"].hot.minutes
    assert list(minutes) == [max(hot.minutes)]


def metrics(state: PartitionState) -> set[tuple[str, int]]:
    """Channel and total of what a scrape shows."""

    owner: Any = SimpleNamespace(states={0: state})
    families = list(StateView(owner, SETTINGS).collect())
    text = "".join(head(family) + lines(family) for family in families)
    return {
        (sample.labels["channel"], int(sample.value))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "siaga_mentions_total"
    }
