"""Ordinary weeks stay silent and crises are found, with the real detectors in front."""

import math
import random

import pytest

from detectors.anomaly.bank import Bank, BankConfig, Features
from detectors.incidents.detection import Detection
from detectors.incidents.episode import Change
from detectors.incidents.incident import IncidentState, step
from detectors.incidents.severity import ALERT, WATCH, SeverityConfig

T0 = 1_767_225_600
DAY = 1440
CONFIG = SeverityConfig()


def poisson(rng: random.Random, mean: float) -> int:
    count, chance = 0, math.exp(-mean)
    whole, draw = chance, rng.random()
    while draw > whole and count < 1000:
        count += 1
        chance *= mean / count
        whole += chance
    return count


def live(
    rate: float, seed: int, days: int, *, at: int = -1, length: int = 0, angry: float = 0.0,
    glad: float = 0.0,
) -> list[tuple[int, Change]]:  # fmt: skip
    """Weeks with a daily rhythm and restless half hours; complaints or praise from minute `at`."""
    rng = random.Random(seed)
    bank, state, told = Bank(BankConfig()), IncidentState(), []
    restless = 1.0
    for m in range(days * DAY):
        start_s = T0 + 60 * m
        if m % 30 == 0:
            restless = math.exp(rng.gauss(0.0, 0.25))
        rhythm = 1.0 + 0.8 * math.sin(2.0 * math.pi * (m % DAY / DAY - 0.3))
        storm = at <= m < at + length
        calm = poisson(rng, rate * rhythm * restless)
        bad = sum(rng.random() < 0.2 for _ in range(calm))
        bad += poisson(rng, angry) if storm else 0
        good = calm - min(bad, calm) + (poisson(rng, glad) if storm else 0)
        mass = sum(rng.betavariate(8, 2) for _ in range(bad))
        mass += sum(rng.betavariate(1, 9) for _ in range(good))
        count = bad + good
        reach = sum(rng.lognormvariate(4.0, 1.0) for _ in range(count))
        features = Features(
            mentions=count, negative=mass, authors=count, reach=reach, top_reach=min(reach, 500.0)
        )
        if count or state.level:
            detection = Detection(
                brand="toko",
                start_s=start_s,
                readings=bank.score_one(features, start_s=start_s),
                mentions=count,
                negative=mass,
                authors=count,
                reach=reach,
                top_reach=features.top_reach,
            )
            state, changes = step(state, detection, now_s=start_s + 60, config=CONFIG)
            told += [(m, change) for change in changes]
        bank.learn_one(features, start_s=start_s)
    return told


@pytest.mark.parametrize("rate", [0.02, 0.2, 1.0, 5.0])
def test_two_ordinary_weeks_page_nobody(rate: float) -> None:
    told = live(rate, seed=17, days=14)
    assert [c.episode for _, c in told if c.episode.level >= ALERT] == []
    assert sum(c.kind == "opened" for _, c in told) <= 2


@pytest.mark.parametrize("rate", [0.05, 1.0, 5.0])
def test_a_viral_crisis_alerts_within_fifteen_minutes_and_ends(rate: float) -> None:
    at = 4 * DAY + 700
    told = live(rate, seed=23, days=5, at=at, length=45, angry=max(1.2, 3.0 * rate))
    alerts = [m for m, c in told if c.episode.level >= ALERT]
    assert alerts, "never alerted"
    assert at <= alerts[0] <= at + 15
    ends = [m for m, c in told if c.kind == "closed" and m > alerts[0]]
    assert ends, "never ended"
    assert ends[0] <= at + 45 + 90


def test_a_wave_of_praise_is_at_most_a_watch() -> None:
    at = 4 * DAY + 700
    told = live(1.0, seed=29, days=5, at=at, length=60, glad=10.0)
    assert {c.episode.level for m, c in told if m >= at} <= {0, WATCH}
