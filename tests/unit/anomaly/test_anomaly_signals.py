"""What each signal promises: crises seen, rhythms and gaps not taken for crises."""

import math
import random

import pytest

from detectors.anomaly.bank import SIGNALS, Bank, BankConfig, Features
from detectors.anomaly.volume import Volume

DAY = 1440
START_S = 1_749_945_600  # a midnight, UTC


def minute(rng, rate, share=0.2):
    mentions = poisson(rng, rate)
    negative = sum(0.85 if rng.random() < share else 0.1 for _ in range(mentions))
    reach = sum(120 * rng.paretovariate(1.3) for _ in range(mentions))
    return Features(mentions, negative, math.ceil(0.93 * mentions), reach, 0.3 * reach)


def poisson(rng, rate):
    if rate > 30:
        return max(0, round(rng.gauss(rate, math.sqrt(rate))))
    product, n = rng.random(), 0
    while product > math.exp(-rate):
        product *= rng.random()
        n += 1
    return n


class Brand:
    """A bank and its clock."""

    def __init__(self, seed=1, config=None):
        self.rng = random.Random(seed)
        self.bank = Bank(config or BankConfig())
        self.at = START_S

    def live(self, minutes, rate, share=0.2, *, held=False, change=lambda x: x):
        """Score and learn; the highest score of each signal."""
        best = dict.fromkeys(SIGNALS, 0.0)
        for i in range(minutes):
            x = change(minute(self.rng, rate(i) if callable(rate) else rate, share))
            for r in self.bank.score_one(x, start_s=self.at):
                best[r.signal] = max(best[r.signal], r.score or 0.0)
            self.bank.learn_one(x, start_s=self.at, held=held)
            self.at += 60
        return best


def daily(rate, factor):
    """Mean `rate`; the busiest hour has `factor` times the mentions of the quietest."""
    depth = math.log(factor) / 2
    return lambda i: rate * math.exp(depth * math.sin(2 * math.pi * i / DAY)) / 1.35


def test_the_first_day_warms_up_and_says_so():
    brand = Brand()
    brand.live(60, 5.0)
    readings = brand.bank.score_one(Features(500, 400), start_s=brand.at)
    assert all(r.warming and r.score is None for r in readings)
    assert readings[0].expected == pytest.approx(5.0, rel=0.3)


@pytest.mark.parametrize(("rate", "factor"), [(3.0, 6.0), (30.0, 10.0)])
def test_a_daily_rhythm_does_not_alert_on_day_two_nor_later(rate, factor):
    brand = Brand(seed=4)
    first = brand.live(DAY, daily(rate, factor))
    assert set(first.values()) == {0.0}
    best = brand.live(2 * DAY, daily(rate, factor))
    assert max(best["volume"], best["negative"], best["authors"], best["slow_burn"]) < 4.5, best


def test_an_hours_rhythm_is_expected_after_a_week():
    brand = Brand(seed=5)
    brand.live(7 * DAY, daily(5.0, 8.0))
    peak = brand.bank.score_one(Features(), start_s=brand.at + 6 * 3600)[0].expected
    night = brand.bank.score_one(Features(), start_s=brand.at + 18 * 3600)[0].expected
    assert peak > 2.0 * night


@pytest.mark.parametrize("rate", [0.5, 5.0, 60.0])
def test_three_times_the_volume_is_seen_within_minutes(rate):
    brand = Brand(seed=6)
    brand.live(4 * DAY, rate)
    best = brand.live(20, 3 * rate, 0.6)
    assert best["volume"] > 3.5
    assert best["negative"] > 4.5


def test_half_an_hours_ramp_is_seen_before_it_is_over():
    brand = Brand(seed=7)
    brand.live(4 * DAY, 4.0)
    assert brand.live(30, lambda i: 4.0 * (1 + 2 * i / 30), 0.5)["negative"] > 4.0


def test_a_tenfold_murmur_of_a_quiet_series_is_seen_within_the_hour():
    brand = Brand(seed=8)
    brand.live(6 * DAY, 0.05)
    assert brand.live(60, 0.5)["volume"] > 3.5


def test_a_worse_mood_at_the_same_volume_is_a_matter_of_share_not_of_volume():
    brand = Brand(seed=9)
    brand.live(4 * DAY, 8.0)
    best = brand.live(60, 8.0, 0.5)
    assert best["negative_share"] > 5.0
    assert best["volume"] < 4.0


def test_a_burn_of_half_a_day_is_seen():
    brand = Brand(seed=10)
    brand.live(8 * DAY, 2.0)
    best = brand.live(720, lambda i: 2.0 * (1 + 2 * min(i / 240, 1)), 0.4)
    assert best["slow_burn"] > 4.0


def test_one_complaint_that_goes_viral_is_seen_without_any_volume():
    brand = Brand(seed=11)
    brand.live(4 * DAY, 4.0)
    viral = brand.live(
        40,
        4.0,
        change=lambda x: Features(x.mentions, x.negative, x.authors, x.reach, 400_000.0),
    )
    assert viral["velocity"] > 5.0
    assert viral["volume"] < 4.0


def test_a_past_crisis_does_not_blind_the_bank_for_the_next_one():
    brand = Brand(seed=12)
    brand.live(6 * DAY, 5.0)
    first = brand.live(180, 25.0, 0.7)
    brand.live(DAY, 5.0)
    second = brand.live(30, 25.0, 0.7)
    assert first["negative"] > 6.0
    assert second["negative"] > 5.0


def test_a_blind_source_is_held_and_its_return_is_no_crisis():
    brand = Brand(seed=13)
    brand.live(5 * DAY, 10.0)
    expected = brand.bank.score_one(Features(10), start_s=brand.at)[0].expected
    for _ in range(6 * 60):
        brand.bank.learn_one(Features(), start_s=brand.at, held=True)
        brand.at += 60
    after = brand.bank.score_one(Features(10), start_s=brand.at)[0].expected
    assert after == pytest.approx(expected, rel=0.25)
    assert max(brand.live(120, 10.0).values()) < 4.5


def test_an_announced_campaign_does_not_become_the_usual():
    brand = Brand(seed=14)
    brand.live(5 * DAY, 10.0)
    expected = brand.bank.score_one(Features(10), start_s=brand.at)[0].expected
    brand.live(240, 60.0, 0.05, held=True)
    after = brand.bank.score_one(Features(10), start_s=brand.at)[0].expected
    assert after == pytest.approx(expected, rel=0.25)


def test_minutes_that_nobody_sent_are_unknown_not_zero():
    brand = Brand(seed=15)
    brand.live(4 * DAY, 6.0)
    brand.at += 8 * 3600
    expected = brand.bank.score_one(Features(6), start_s=brand.at)[0].expected
    assert expected == pytest.approx(6.0, rel=0.3)


def test_a_lasting_new_level_becomes_the_usual_one():
    brand = Brand(seed=16)
    brand.live(4 * DAY, 4.0)
    brand.live(6 * DAY, 16.0)
    assert brand.bank.score_one(Features(16), start_s=brand.at)[0].expected > 12.0
    assert brand.live(DAY, 16.0)["volume"] < 4.5


def test_upper_is_the_value_from_which_the_score_is_three():
    brand = Brand(seed=17)
    brand.live(5 * DAY, 12.0)
    reading = brand.bank.score_one(Features(12, 4, 11), start_s=brand.at)[0]
    at_upper = brand.bank.score_one(Features(reading.upper, 4, 11), start_s=brand.at)[0]
    assert at_upper.score == pytest.approx(3.0, abs=0.3)


def test_a_gap_is_time_that_passed_an_hour_ago_is_not_just_now():
    rng = random.Random(3)
    volume, at = Volume(), 1_760_000_400
    for _ in range(2 * 1440):
        volume.learn(Features(sum(rng.random() < 0.1 for _ in range(60))), start_s=at)
        at += 60
    for _ in range(20):
        volume.learn(Features(60.0), start_s=at)
        at += 60
    assert volume.read(Features(6.0), start_s=at).score > 3.0
    later = at + 6 * 3600
    volume.learn(Features(6.0), start_s=later)
    assert volume.read(Features(6.0), start_s=later + 60).score < 1.5


@pytest.mark.parametrize("number", [float("nan"), float("inf")], ids=str)
def test_what_is_no_number_is_refused_and_not_learned(number: float) -> None:
    volume = Volume()
    with pytest.raises(ValueError, match="mentions is"):
        volume.learn_one({"mentions": number})
    assert volume.state() == Volume().state()


def test_a_weekend_begins_at_local_midnight() -> None:
    """Six weeks in Jakarta, weekends at two fifths of a workday: the score 3 of their edges."""
    jakarta_s = 7 * 3600
    rng = random.Random(4)

    def rate(at_s: int) -> float:
        local_s = at_s + jakarta_s
        day = 1 + 0.6 * math.cos(2 * math.pi * (local_s / 86_400 - 0.6))
        # The epoch was a Thursday.
        return 40.0 * day * (0.42 if local_s // 86_400 % 7 in (2, 3) else 1.0)

    times = range(START_S, START_S + 42 * 86_400, 60)
    counts = [poisson(rng, rate(at_s)) for at_s in times]

    def surprises(utc_offset_s: int) -> int:
        volume = Volume(BankConfig(utc_offset_s=utc_offset_s))
        scores = [
            volume.take(Features(x), start_s=at_s) for at_s, x in zip(times, counts, strict=True)
        ]
        return sum(score >= 3.0 for score in scores[28 * DAY :])

    assert surprises(jakarta_s) < surprises(0) / 4


def test_a_usual_minute_hours_after_a_burst_is_usual() -> None:
    volume, at = Volume(), START_S
    for i in range(3 * DAY + 20):
        volume.learn_one({"mentions": 60 if i >= 3 * DAY else 5 + i % 3, "start_s": at})
        at += 60
    assert volume.score_one({"mentions": 6, "start_s": at}) > 3.0
    assert volume.score_one({"mentions": 6, "start_s": at + 6 * 3600}) < 1.0
