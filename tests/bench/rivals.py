"""The alerts that teams have today, on the same minutes."""

import pickle

import numpy as np
from crises import DAY, Array, Weeks

HOUR = 60
BIN = 5
"""Minutes; a tree a minute is too slow for a bench, and five is the usual scrape window."""
FLOOR_SD = 0.5
"""Mentions; keeps a silent hour's deviation from dividing by zero."""


def _hours(values: Array) -> Array:
    n = len(values) // HOUR
    return values[: n * HOUR].reshape(n, HOUR).sum(1)


def _spread(hourly: Array, length: int) -> Array:
    """An hour's score is known in the last minute of that hour."""
    out = np.zeros(length)
    ends = (np.arange(len(hourly)) + 1) * HOUR - 1
    out[ends] = hourly
    return out


def _rolling(values: Array, window: int) -> tuple[Array, Array]:
    """Mean and deviation of the `window` values before each (itself not included)."""
    one = np.concatenate([[0.0], np.cumsum(values)])
    two = np.concatenate([[0.0], np.cumsum(values * values)])
    at = np.arange(len(values))
    first = np.maximum(at - window, 0)
    n = np.maximum(at - first, 1)
    mean = (one[at] - one[first]) / n
    var = np.maximum((two[at] - two[first]) / n - mean * mean, 0.0)
    return mean, np.sqrt(var)


def three_sigma_hourly(w: Weeks) -> Array:
    """Mean + k sigma of the hourly mentions of the last seven days."""
    x = _hours(w.mentions)
    mean, sd = _rolling(x, 7 * 24)
    return _spread((x - mean) / np.maximum(sd, FLOOR_SD), len(w))


def negative_majority_hourly(w: Weeks) -> Array:
    """7-day mean of the same hour + k sigma, only where most of the hour is negative."""
    x, bad = _hours(w.mentions), _hours(w.negative)
    out = np.zeros(len(x))
    for i in range(24, len(x)):
        same = x[max(i - 7 * 24, i % 24) : i : 24]
        if bad[i] > 0.5 * x[i]:
            out[i] = (x[i] - same.mean()) / max(same.std(), FLOOR_SD)
    return _spread(out, len(w))


def prometheus_band(w: Weeks) -> Array:
    """(avg over 5 m - avg over 1 d) / stddev over 1 d, as recording rules do; every minute."""
    best = np.zeros(len(w))
    for x in (w.mentions, w.negative):
        short = np.convolve(x, np.ones(5) / 5, mode="full")[: len(x)]
        mean, sd = _rolling(short, DAY)
        best = np.maximum(best, (short - mean) / np.maximum(sd, FLOOR_SD / 5))
    return best


class HalfSpaceTrees:
    """River's HalfSpaceTrees in a QuantileFilter on five-minute sums, scaled to 0..1."""

    def __init__(self) -> None:
        from river import anomaly, preprocessing

        self.scale = preprocessing.MinMaxScaler()
        self.model = anomaly.QuantileFilter(
            anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=288, seed=42), q=0.995
        )

    def run(self, w: Weeks, stops: list[int]) -> tuple[Array, dict[int, bytes]]:
        """Score `w`; also return the model as it was at each of the minutes `stops`."""
        sums = [
            np.add.reduceat(v, np.arange(0, len(v), BIN))
            for v in (w.mentions, w.negative, w.authors, w.reach, w.top_reach)
        ]
        wanted = {s // BIN for s in stops}
        kept: dict[int, bytes] = {}
        out = np.zeros(len(w))
        for i in range(len(sums[0])):
            if i in wanted:
                kept[i * BIN] = pickle.dumps(self)
            row = {str(k): float(np.log1p(v[i])) for k, v in enumerate(sums)}
            self.scale.learn_one(row)
            x = self.scale.transform_one(row)
            out[min(BIN * i + BIN - 1, len(w) - 1)] = self.model.score_one(x)
            self.model.learn_one(x)
        return out, kept


CHEAP = {
    "mean + 3 sigma, hourly": three_sigma_hourly,
    "7-day hour + 2 sigma, negative": negative_majority_hourly,
    "Prometheus z band": prometheus_band,
}
