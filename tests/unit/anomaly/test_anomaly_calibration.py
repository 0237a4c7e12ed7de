"""A score of s is reached in 10^-s of the minutes: within a factor 2, never above twice it."""

import csv
from pathlib import Path

import numpy as np
import pytest

from detectors.anomaly.bank import BankConfig, Features
from detectors.anomaly.negative_share import NegativeShare
from detectors.anomaly.reach import Reach
from detectors.anomaly.volume import Volume

DAY = 1440
WARM = 2 * DAY
START_S = 1_750_000_020
SHARED = Path(__file__).resolve().parents[4] / "shared"


def counts(kind, rate, days, rng):
    n = days * DAY
    if kind == "poisson":
        return rng.poisson(rate, n)
    if kind == "negative binomial":
        return rng.negative_binomial(4, 4 / (4 + rate), n)
    day = np.exp(1.1 * np.cos(2 * np.pi * np.arange(n) / DAY))
    return rng.poisson(rate * day / day.mean())


def multiples(scores, levels):
    return {s: float((scores >= s).mean() * 10**s) for s in levels}


def volume_scores(values, config, warm):
    volume = Volume(config)
    return np.array(
        [
            volume.take(Features(x), start_s=START_S + config.step_s * i)
            for i, x in enumerate(values.tolist())
        ]
    )[warm:]


@pytest.mark.parametrize("kind", ["poisson", "negative binomial", "seasonal"])
@pytest.mark.parametrize("rate", [20.0, 200.0])
def test_a_busy_series_is_calibrated_within_a_factor_of_two(kind, rate):
    values = counts(kind, rate, 42, np.random.default_rng(5))
    found = multiples(volume_scores(values, BankConfig(), WARM), (1, 2, 3))
    assert all(0.5 <= m <= 2.0 for m in found.values()), found


@pytest.mark.parametrize("kind", ["poisson", "negative binomial", "seasonal"])
@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_a_quiet_series_is_never_above_twice_the_promised_rate(kind, rate):
    values = counts(kind, rate, 42, np.random.default_rng(6))
    found = multiples(volume_scores(values, BankConfig(), WARM), (1, 2, 3))
    assert all(m <= 2.0 for m in found.values()), found


@pytest.mark.shared
@pytest.mark.parametrize("ticker", ["CRM", "GOOG"])
def test_real_hours_in_random_order_are_calibrated(ticker):
    path = SHARED / "data" / "nab" / f"Twitter_volume_{ticker}.csv"
    with path.open(encoding="utf-8") as f:
        values = np.array([float(r["value"]) for r in csv.DictReader(f)])
    hours = values[: len(values) // 12 * 12].reshape(-1, 12)
    shuffled = hours[np.random.default_rng(7).permutation(len(hours))].ravel()
    found = multiples(volume_scores(shuffled, BankConfig(step_s=300), 750), (1, 2, 3))
    assert all(0.5 <= m <= 2.0 for m in found.values()), found


def test_the_share_is_calibrated_whatever_the_volume_does():
    rng = np.random.default_rng(8)
    mentions = counts("seasonal", 20.0, 28, rng)
    share, scores = NegativeShare(), []
    for i, n in enumerate(mentions.tolist()):
        x = Features(n, float(rng.binomial(n, 0.25)))
        at = START_S + 60 * i
        scores.append(share.read(x, start_s=at).score or 0.0)
        share.learn(x, start_s=at)
    found = multiples(np.array(scores[WARM:]), (1, 2, 3))
    assert all(0.5 <= m <= 2.0 for m in found.values()), found


def test_heavy_tailed_reach_is_calibrated():
    rng = np.random.default_rng(9)
    mentions = rng.poisson(5.0, 28 * DAY)
    reach, scores = Reach(), []
    for i, n in enumerate(mentions.tolist()):
        x = Features(n, reach=float((120 * (rng.pareto(1.3, n) + 1)).sum()))
        at = START_S + 60 * i
        scores.append(reach.read(x, start_s=at).score or 0.0)
        reach.learn(x, start_s=at)
    found = multiples(np.array(scores[WARM:]), (1, 2, 3))
    assert all(0.5 <= m <= 2.0 for m in found.values()), found
