"""A brand's channel that falls silent beyond its habit: series hold, and it is told."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
import numpy as np

from detectors.anomaly.bank import BankConfig
from streams.pipeline.config import PipelineConfig
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.recovered import Recovered
from streams.pipeline.state import PartitionState
from streams.records import Batch, Mention, MentionsRecord, Minute, Tick
from streams.settings import RootSettings
from streams.worker.view import Families

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 1440
PIPELINE_CONFIG = PipelineConfig(brands=frozenset({"toko"}), lateness_s=0)


class Calm(NamedTuple):
    """What every mention of these tests says."""

    sentiment: str = "neutral"
    probabilities: tuple[float, float, float] = (0.1, 0.8, 0.1)
    topics: tuple[str, ...] = ()
    language: str = "id"
    flags: tuple[str, ...] = ()


class Reader:
    version = "test"

    def understand(self, _text, **_):
        return Calm()


PIPELINE = Pipeline(PIPELINE_CONFIG, Reader(), encode=False)


def history(minutes: int, rate) -> list[MentionsRecord]:
    """Batches of each minute and the tick that ends it; the connector itself is always well."""
    rng = np.random.default_rng(8)
    records: list[MentionsRecord] = []
    for minute in range(minutes):
        at = START + timedelta(minutes=minute)
        for channel in ("forum", "video"):
            if count := int(rng.poisson(rate(channel, minute))):
                mentions = tuple(
                    Mention(
                        id=f"{channel}:{minute}-{n}",
                        source=channel,
                        text="halo",
                        published_at=at,
                        collected_at=at,
                    )
                    for n in range(count)
                )
                records.append(Batch("toko", mentions))
        end = at + timedelta(minutes=1)
        records.append(Tick(source="connector", watermark=end, clock=end))
    return records


def outage(channel: str, minute: int) -> float:
    """Two a minute of one channel; nothing for four hours of the fourth day."""
    return 2.0 if channel == "forum" and not 3 * DAY <= minute < 3 * DAY + 240 else 0.0


def play(
    records: list[MentionsRecord], state: PartitionState | None = None, first: int = 0
) -> tuple[PartitionState, list[Minute]]:
    state = state or PartitionState(0, BankConfig())
    minutes: list[Minute] = []
    for offset, record in enumerate(records, first):
        minutes += PIPELINE.step(state, record, offset=offset).minutes
    return state, minutes


def recovered(state: PartitionState, without: str = "-") -> PartitionState:
    found = Recovered()
    for key, value in [*state.changes(), state.marks_change()]:
        if not key.endswith(without):
            found.feed(key, value)
    return found.take(0, BankConfig())


def minute_of(minute: Minute) -> int:
    return int((minute.start - START).total_seconds()) // 60


def expected(state: PartitionState) -> float:
    return state.brands["live", "toko"].bank.usual(60 * 20_000_000)


def metric(state: PartitionState) -> list[tuple[str, str, float]]:
    families = Families(RootSettings())
    families.add_brand(state.brands["live", "toko"], closed_s=0.0)
    return [
        (s.labels["brand"], s.labels["channel"], s.value) for s in families.channel_blind.samples
    ]


def test_an_outage_is_told_and_teaches_no_zeros():
    records = history(3 * DAY + 240, outage)
    before, _ = play([r for r in records if _end(r) <= START + timedelta(days=3)])
    state, minutes = play(records)
    blind = [m for m in minutes if m.blind]
    assert [m.blind for m in blind] == [("forum",)]
    # Told once, within the hour, though nothing was said in that minute.
    assert 15 <= minute_of(blind[0]) - 3 * DAY <= 60
    assert metric(state) == [("toko", "forum", 1.0)]
    held = expected(state)
    assert held > 0.9 * expected(before)
    taught = play(history(3 * DAY + 240, lambda c, m: outage(c, m) * (m < 3 * DAY)))[0]
    assert held == expected(taught)  # the same silence is the same


def _end(record: MentionsRecord) -> datetime:
    return record.clock if isinstance(record, Tick) else record.mentions[0].published_at


def test_when_the_channel_speaks_again_it_is_blind_no_more():
    state, minutes = play(history(3 * DAY + 300, outage))
    assert metric(state) == []
    assert minutes[-1].blind == ()


def test_a_channel_that_goes_silent_for_good_is_given_up_and_told():
    state, minutes = play(history(6 * DAY, lambda c, m: outage(c, m) * (m < 3 * DAY)))
    told = [m.blind for m in minutes if minute_of(m) >= 3 * DAY]
    assert told == [("forum",), ()]
    assert metric(state) == []
    assert state.brands["live", "toko"].habits.channels == {}


def test_one_silent_channel_of_two_holds_the_brand():
    def rate(channel: str, minute: int) -> float:
        return 0.5 if channel == "video" else outage(channel, minute)

    _, minutes = play(history(3 * DAY + 240, rate))
    last = minutes[-1]
    assert last.counts.by_channel.keys() == {"video"}
    assert last.blind == ("forum",)


def test_nights_and_quiet_brands_are_not_blind():
    def rate(channel: str, minute: int) -> float:
        if channel == "video":
            return 0.01
        return 1.0 if 6 <= minute // 60 % 24 < 22 else 0.0

    _, minutes = play(history(5 * DAY, rate))
    assert not any(m.blind for m in minutes)


def test_a_history_of_another_channel_makes_no_live_channel_blind():
    def rate(channel: str, minute: int) -> float:
        return 2.0 if channel == ("forum" if minute < 3 * DAY else "video") else 0.0

    records = history(4 * DAY, rate)
    live = next(n for n, r in enumerate(records) if _end(r) > START + timedelta(days=3))
    past = [msgspec.structs.replace(r, run="backfill") for r in records[:live]]
    state, minutes = play([*past, *records[live:]])
    assert state.brands["live", "toko"].bank.volume.seen_s > 3 * 86_400
    assert [m.blind for m in minutes if m.blind] == []


def test_a_restart_in_the_middle_of_the_silence_changes_nothing():
    records = history(3 * DAY + 300, outage)
    undisturbed, minutes = play(records)
    for cut_minute in (10, 20, 100):
        at = START + timedelta(days=3, minutes=cut_minute)
        cut = next(n for n, r in enumerate(records) if _end(r) > at)
        state, seen = play(records[:cut])
        state, rest = play(records[cut:], recovered(state), cut)
        assert seen + rest == minutes
        one, other = state.brands["live", "toko"], undisturbed.brands["live", "toko"]
        assert one.habits.snapshot() == other.habits.snapshot()
        assert one.bank.snapshot() == other.bank.snapshot()


def test_a_state_of_before_habits_were_kept_is_read_and_learns_them():
    records = history(3 * DAY, outage)
    state, _ = play(records[:100])
    old = recovered(state, without="|habits")
    assert old.brands["live", "toko"].habits.channels == {}
    again, _ = play(records[100:], old, 100)
    assert list(again.brands["live", "toko"].habits.channels) == ["forum"]
