"""A crisis is looked at when its batch arrives; all else waits for the next tick."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import pytest

from detectors.anomaly.bank import BankConfig
from detectors.incidents.incident import IncidentState
from detectors.incidents.severity import CRISIS, SeverityConfig
from detectors.incidents.usual import Usual
from streams.pipeline.config import PipelineConfig
from streams.pipeline.hurry import hurries
from streams.pipeline.minutes import OpenMinute
from streams.pipeline.outcome import Outcome
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.state import BrandState, PartitionState
from streams.pipeline.watermark import Marks
from streams.records import Batch, Engagement, Mention, Scored, Tick

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY_S = 86_400
DAYS = 2
"""By then the detectors are warm."""
S = timedelta(seconds=1)


class Said(NamedTuple):
    """What was understood of a text: here it says so itself."""

    sentiment: str
    probabilities: tuple[float, float, float]
    topics: tuple[str, ...] = ()
    language: str = "id"
    flags: tuple[str, ...] = ()


class Reader:
    version = "test"

    def understand(self, text, **_):
        if text == "calm":
            return Said("neutral", (0.1, 0.8, 0.1))
        return Said("negative", (0.9, 0.1, 0.0), flags=("security",) if text == "hacked" else ())


class Stream:
    """One partition with a brand that is mentioned twice a minute, a complaint every fourth."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(
            PipelineConfig(brands=frozenset({"toko"}), lateness_s=120), Reader(), encode=False
        )
        self.state = PartitionState(0, BankConfig())
        self.offset = self.n = 0
        self.now = START
        for _ in range(DAYS * 1440):
            calm = ("calm", "bad" if self.n % 4 == 3 else "calm")
            self.batch(*calm, over_s=50)
            self.now += 60 * S
            self.tick()

    @property
    def brand(self) -> BrandState:
        return self.state.brands["live", "toko"]

    def take(self, record: Batch | Tick) -> Outcome:
        out = self.pipeline.step(self.state, record, offset=self.offset)
        self.offset += 1
        return out

    def tick(self) -> Outcome:
        return self.take(Tick(source="forum", watermark=self.now, clock=self.now))

    def batch(
        self, *texts: str, over_s: float = 100.0, collected: datetime | None = None
    ) -> Outcome:
        """Mentions of the last seconds, in one batch."""
        mentions = []
        for k, text in enumerate(texts):
            self.n += 1
            ago_s = over_s * (1 - k / len(texts))
            mentions.append(
                Mention(
                    id=f"forum:{self.n}",
                    source="forum",
                    text=text,
                    author=f"a{self.n}",
                    published_at=self.now - ago_s * S,
                    collected_at=collected or self.now,
                )
            )
        return self.take(Batch("toko", tuple(mentions)))


@cache
def _past() -> Stream:
    return Stream()


@pytest.fixture
def stream() -> Stream:
    return deepcopy(_past())


def test_a_crisis_that_comes_in_one_batch_alerts_before_the_next_tick(stream: Stream) -> None:
    stream.now += 3 * S
    [opened] = stream.batch(*["bad"] * 60).incidents
    assert (opened.change, opened.level) == ("opened", 2)
    assert opened.updated_at <= stream.now
    assert stream.brand.hot.looked_s == stream.now.timestamp()


def test_three_complaints_about_security_alert_before_the_next_tick(stream: Stream) -> None:
    stream.now += 3 * S
    assert [i.signal for i in stream.batch(*["hacked"] * 3).incidents] == ["security"]


def test_what_is_usual_waits_for_the_tick(stream: Stream) -> None:
    for _ in range(4):
        stream.now += 3 * S
        stream.batch("calm", "bad", over_s=2)
        assert stream.brand.hot.touched


@pytest.mark.parametrize(
    ("negative", "pressing"), [(100.0, False), (119.0, False), (121.0, True)], ids=str
)
def test_a_busy_brand_hurries_for_twice_what_is_usual(negative: float, pressing: bool) -> None:
    brand = BrandState("live", "toko", BankConfig())
    brand.incident = IncidentState(usual=Usual(minutes=2_000, negative=25.0, lately=30.0))
    brand.hot.minutes = {
        60: OpenMinute(negative_mass=negative / 2),
        120: OpenMinute(negative_mass=negative / 2),
    }
    bad = Scored(
        mention=Mention(id="forum:1", source="forum", published_at=START, collected_at=START),
        sentiment="negative",
        probabilities=(0.9, 0.1, 0.0),
    )
    assert hurries(SeverityConfig(), brand, (), Marks(clock_s=180.0)) is None
    at_s = hurries(SeverityConfig(), brand, (bad,), Marks(clock_s=180.0))
    assert at_s == (180.0 if pressing else None)


def test_who_was_alerted_already_waits_for_the_tick(stream: Stream) -> None:
    stream.now += 3 * S
    stream.batch(*["bad"] * 60)
    stream.now += 1.5 * S
    stream.batch(*["bad"] * 60)
    assert stream.brand.hot.touched
    stream.tick()
    assert not stream.brand.hot.touched


def test_many_batches_a_second_are_looked_at_once_a_second(stream: Stream) -> None:
    looked = []
    for _ in range(100):
        stream.now += 0.04 * S
        # Praise among them: much to look at, and no alarm that would end the looking.
        stream.batch("bad", *["calm"] * 40, over_s=1)
        looked.append(stream.brand.hot.looked_s)
    assert stream.brand.level() < 2
    looks = sorted(set(looked) - {looked[0]})
    assert 2 <= len(looks) <= 4
    assert all(b - a >= 1.0 for a, b in pairwise(looks))


@pytest.mark.parametrize("ahead_s", [16.0, 3600.0, 400 * DAY_S])
def test_a_stamp_from_the_future_moves_no_clock(stream: Stream, ahead_s: float) -> None:
    told = stream.batch(*["bad"] * 60, collected=stream.now + ahead_s * S).incidents
    stream.now += 5 * S
    told += stream.tick().incidents
    assert told[-1].level == 2
    assert all(incident.updated_at <= stream.now for incident in told)
    assert stream.brand.hot.looked_s <= stream.now.timestamp()


def test_the_clock_of_a_brand_never_goes_back(stream: Stream) -> None:
    stream.now += 14 * S
    stream.batch(*["bad"] * 60)
    ahead_s = stream.brand.hot.looked_s
    stream.batch("bad", over_s=1)
    stream.now -= 9 * S
    stream.tick()
    assert stream.brand.hot.looked_s == ahead_s


def test_a_minute_that_has_not_begun_is_looked_at_once_it_has(stream: Stream) -> None:
    minute_s = stream.now.timestamp() // 60 * 60 + 60
    stream.now += 70 * S
    # Its stamp tells no time, and on the clock of the last tick that minute is still to come.
    assert not stream.batch(*["bad"] * 60, over_s=8, collected=stream.now + DAY_S * S).incidents
    assert minute_s in stream.brand.hot.touched
    list(stream.state.changes())
    now, stream.now = stream.now, stream.now - 69 * S
    stream.tick()
    assert not list(stream.state.changes())  # nothing to look at yet, hence nothing to write
    stream.now = now
    stream.tick()
    assert not stream.brand.hot.touched


@pytest.mark.parametrize("ahead", [False, True], ids=["quiet brand", "beside a wrong stamp"])
def test_a_post_that_is_passed_on_is_seen_whatever_minutes_are_open(
    stream: Stream, ahead: bool
) -> None:
    stream.batch("bad", over_s=50)
    post = f"forum:{stream.n}"
    published = stream.now - 50 * S
    stream.now += 3600 * S
    stream.tick()
    assert not stream.brand.hot.minutes
    if ahead:
        later = stream.now + 7 * 3600 * S  # local time, called UTC
        stray = Mention(id="forum:stray", source="forum", text="calm", author="a",
                        published_at=later, collected_at=stream.now)  # fmt: skip
        stream.take(Batch("toko", (stray,)))
    viral = Mention(
        id=post, source="forum", text="bad", author="a1", published_at=published,
        collected_at=stream.now, revision=1, engagement=Engagement(views=5_000_000),
    )  # fmt: skip
    stream.take(Batch("toko", (viral,)))
    stream.now += 5 * S
    stream.tick()
    assert stream.brand.level() == CRISIS
    mentions = sum(stream.brand.hot.totals.values())
    assert mentions == stream.n + ahead
