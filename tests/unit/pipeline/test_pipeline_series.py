"""Topics and channels that are watched apart: their own history, small states, exact restores."""

import random
from datetime import UTC, datetime

import msgspec

from detectors.anomaly.config import BankConfig
from streams.pipeline.series import Part, Series, Watched
from streams.records import Mention, Scored

DAY_MINUTES = 1440
START_S = 1_767_225_600


def scored(topics: tuple[str, ...], *, negative: float = 0.9, source: str = "forum") -> Scored:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    mention = Mention(id="forum:1", source=source, published_at=at, collected_at=at)
    return Scored(
        mention=mention,
        sentiment="negative" if negative > 0.5 else "positive",
        probabilities=(negative, 0.0, 1.0 - negative),
        topics=topics,
    )


def taught(days: float, seed: int = 1) -> Series:
    """A series with a complaint about the app every 20 minutes or so."""
    rng = random.Random(seed)
    series = Series(BankConfig())
    for n in range(int(days * DAY_MINUTES)):
        if rng.random() < 0.05:
            series.learn({"topic/app": Part(1, 0.8)}, start_s=START_S + 60 * n, held=False)
    return series


def read(series: Series, start_s: int, part: Part) -> float | None:
    topics, _ = series.read({"topic/app": part}, start_s=start_s, closed_s=start_s)
    return topics["app"][1].score


def test_only_what_is_configured_is_counted_and_praise_is_no_complaint() -> None:
    watched = Watched(topics=frozenset({"app"}), channels=frozenset({"forum"}))
    parts: dict[str, Part] = {}
    watched.add(parts, scored(("app", "price")))
    watched.add(parts, scored(("app",), negative=0.1))
    watched.add(parts, scored(("app",), source="news"))
    assert {name: part.mentions for name, part in parts.items()} == {
        "topic/app": 2,
        "channel/forum": 2,
    }


def test_a_burst_about_a_topic_is_surprising_and_its_usual_rate_is_not() -> None:
    series = taught(4)
    end_s = START_S + 60 * 4 * DAY_MINUTES
    assert (read(series, end_s, Part(9, 8.0)) or 0) > 4
    assert (read(series, end_s, Part(1, 0.8)) or 0) < 2.5


def test_a_new_topic_is_unknown_not_calm() -> None:
    assert read(taught(0.5), START_S + 60 * 800, Part(9, 8.0)) is None


def test_a_restored_series_goes_on_as_if_nothing_had_happened() -> None:
    series = taught(3)
    again = Series.restore(BankConfig(), series.snapshot())
    end_s = START_S + 60 * 3 * DAY_MINUTES
    assert read(again, end_s, Part(5, 4.0)) == read(series, end_s, Part(5, 4.0))
    assert again.snapshot() == series.snapshot()


def test_a_series_of_before_weekdays_were_learned_is_read() -> None:
    kept = msgspec.msgpack.decode(taught(3).snapshot())
    old = {name: state[:-14] for name, state in kept.items()}
    again = Series.restore(BankConfig(), msgspec.msgpack.encode(old))
    assert msgspec.msgpack.decode(again.snapshot()) == {
        n: [*s, *[0.0] * 14] for n, s in old.items()
    }


def test_a_series_is_kept_in_under_a_kilobyte() -> None:
    assert len(taught(4).snapshot()) < 1000


def test_looking_at_an_open_minute_does_not_forget_the_ones_before_it() -> None:
    looked, other = taught(2), taught(2)
    at_s = START_S + 60 * (2 * DAY_MINUTES + 5)
    looked.read({"topic/app": Part(3, 2.5)}, start_s=at_s + 120, closed_s=at_s)
    for series in (looked, other):
        series.learn({"topic/app": Part(2, 1.5)}, start_s=at_s, held=False)
    assert looked.snapshot() == other.snapshot()
