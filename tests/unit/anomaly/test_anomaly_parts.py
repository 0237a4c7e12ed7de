"""The parts: surprise against exact tails, the tail's memory, the level, the onset gate."""

import math

import numpy as np
import pytest
from scipy import stats

from detectors.anomaly.level import Level
from detectors.anomaly.onset import OnsetGate
from detectors.anomaly.surprise import LN10, beta_z, count_z, neg_log_tail, tail_z
from detectors.anomaly.tail import Tail


@pytest.mark.parametrize("mean", [0.5, 3.0, 20.0, 300.0])
@pytest.mark.parametrize("dispersion", [1e-9, 0.05, 0.5])
@pytest.mark.parametrize("score", [1.0, 2.0, 3.0, 4.0])
def test_a_counts_surprise_is_exact_to_a_tenth_of_its_score(mean, dispersion, score):
    r = 1 / dispersion
    law = stats.nbinom(r, r / (r + mean)) if dispersion > 1e-6 else stats.poisson(mean)
    x = float(law.isf(10**-score)) + 1
    exact = -math.log10(law.sf(x - 1))
    found = neg_log_tail(count_z(x, mean, dispersion)) / LN10
    assert found == pytest.approx(exact, rel=0.1, abs=0.05)


@pytest.mark.parametrize(("n", "p", "x"), [(20, 0.2, 9), (200, 0.3, 80), (1000, 0.1, 140)])
def test_a_shares_surprise_is_the_binomial_tail(n, p, x):
    exact = -math.log10(stats.binom(n, p).sf(x - 1))
    found = neg_log_tail(beta_z(x, n - x + 1, p / (1 - p))) / LN10
    assert found == pytest.approx(exact, rel=0.05)


def test_the_normal_tail_and_its_inverse_agree_far_out():
    for z in (1.0, 2.0, 8.0, 11.9, 12.1, 30.0, 100.0):
        assert tail_z(neg_log_tail(z)) == pytest.approx(z, rel=0.01)
    assert neg_log_tail(30.0) == pytest.approx(-stats.norm.logsf(30.0), rel=1e-4)


def test_a_count_of_nothing_surprises_nobody():
    assert count_z(0.0, 3.0, 0.1) == -math.inf


@pytest.mark.parametrize("factor", [0.8, 1.0, 3.0])
def test_the_tail_learns_how_often_a_surprise_really_comes(factor):
    rng = np.random.default_rng(1)
    tail = Tail(looks=2.4)
    values = factor * rng.exponential(1.0, 60_000)
    scores = []
    for i, s in enumerate(values.tolist()):
        if i > 20_000:
            scores.append(tail.score(s))
        tail.learn(s)
    for level in (1, 2, 3):
        rate = (np.array(scores) >= level).mean() * 10**level
        assert 0.5 < rate < 2.0, (level, rate)


def test_six_hours_of_crisis_cost_the_tail_at_most_a_third_of_its_sight():
    rng = np.random.default_rng(2)
    tail = Tail(looks=2.4)
    for s in rng.exponential(1.0, 14 * 1440).tolist():
        tail.learn(s)
    before = tail.score(100.0)
    for _ in range(360):
        tail.learn(100.0)
    assert tail.score(100.0) > 0.6 * before


def test_calm_steps_at_once_are_calm_steps_one_by_one():
    one, many = Tail(looks=2.4), Tail(looks=2.4)
    for _ in range(15):
        one.learn(0.0)
    many.learn_calm(15)
    assert one.state() == pytest.approx(many.state(), rel=1e-4)


def test_the_score_grows_with_the_surprise_and_surprise_at_is_its_inverse():
    tail = Tail(looks=2.4)
    scores = [tail.score(s / 10) for s in range(400)]
    assert scores == sorted(scores)
    assert tail.score(tail.surprise_at(3.0)) == pytest.approx(3.0)


def level(**changes):
    settings = {
        "step_s": 60, "block_s": 900, "base_days": 5.0, "rhythm_days": 10.0,
        "rhythm_prior_days": 1.0, "carry_s": 5400.0, "prior_rate": 0.01,
    }  # fmt: skip
    return Level(**(settings | changes))


def test_noise_of_a_small_series_is_not_carried_over():
    rng = np.random.default_rng(3)
    small, busy = level(), level()
    wave = 1.0
    for i in range(14 * 96):
        wave = 0.95 * wave + 0.05 + rng.normal(0, 0.12)
        small.learn(float(rng.poisson(0.3)), 15, 900.0 * i + 450, 1.0)
        busy.learn(float(rng.poisson(900 * max(wave, 0.1))), 15, 900.0 * i + 450, 1.0)
    assert small.persistence() < 0.2
    assert busy.persistence() > 0.6


def test_the_rhythm_is_flat_until_it_is_known():
    fresh = level()
    assert all(fresh.rhythm(3600.0 * h) == 1.0 for h in range(24))
    for i in range(96):
        fresh.learn(15.0 if i < 48 else 0.0, 15, 900.0 * i + 450, 1.0)
    assert 0.2 < fresh.rhythm(18 * 3600.0) < 0.9  # half believed after a day


def test_an_onset_is_told_once_and_again_when_it_grows_or_returns():
    gate = OnsetGate(margin=0.3, fade_per_hour=0.1)
    out = [gate.one(s, start_s=300 * i) for i, s in enumerate([0.2, 3.0, 3.1, 2.0, 4.0, 3.9])]
    assert out == [0.2, 3.0, 0.0, 0.0, 4.0, 0.0]
    assert gate.one(3.9, start_s=20 * 3600) == 3.9
