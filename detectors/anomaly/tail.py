"""How often does a series really reach a surprise? Learned, so that 3 means once in a thousand."""

import math
from collections.abc import Sequence

LN10 = math.log(10.0)


def _share(run: float, most: float) -> float:
    """Weight of the next step of a run; the weights of an endless run add up to about `most`."""
    w = most / (most + run)
    return w * w


class Tail:
    """Turns a model's surprise s = -ln p into -log10 of how often the series itself exceeds it.

    If the model were right, s would be exponential with mean 1. It never is: several windows are
    looked at, and real conversations have heavier tails than any textbook distribution. So two
    quantiles of h = sqrt(s), which is about a z-score, are tracked (exceeded in 10 % and in 1 % of
    the steps) by stochastic approximation (Robbins and Monro, 1951), and above the second one the
    excess is exponential with a learned mean (peaks over threshold; Siffer et al., KDD 2017, with
    shape 0). Between the knots log p is linear in h. On labelled tweet counts the excess of h
    transfers between series better than that of s: an exponential z is a heavier tail.

    Constant memory: six numbers.

    Parameters
    ----------
    looks
        How many independent looks the statistic is the largest of, before anything is learned.
    memory
        Steps that are remembered.
    prior
        Steps that the starting point is worth.
    event
        Steps in a row above the 1 % quantile are one event, and all of them together teach the
        excess as much as so many (declustering): an hour of crisis must not teach that crises are
        usual.
    cap
        An excess counts as at most so many mean excesses.

    Examples
    --------
    >>> import random
    >>> rng, tail = random.Random(1), Tail(looks=1)
    >>> for _ in range(20_000):
    ...     tail.learn(2.0 * rng.expovariate(1.0))  # twice as surprising as the model thinks
    >>> bool(abs(tail.score(2.0 * 3 * LN10) - 3.0) < 0.3)
    True
    """

    __slots__ = ("cap", "event", "excess", "high", "low", "memory", "n", "peaks", "prior", "run")

    EXCESS_PRIOR = 10.0
    """Exceedances that the prior excess is worth."""
    PEAKS_MEMORY = 400.0
    """Exceedances of the 1 % quantile that the mean excess remembers."""
    STRETCH = 1.15
    """The learned mean excess is too small by so much: the beginnings of events, which are lower,
    count most. Measured on Poisson, negative-binomial and seasonal streams (make bench-detection):
    without it a score of 3 comes 1.4 times as often as it should."""
    LONG_EVENTS = 12.0
    """The 1 % quantile itself gives way only to runs shorter than so many times `event`."""
    LEAST = 0.1
    """The 10 % quantile stays above this, and the 1 % quantile so far above it."""

    def __init__(
        self,
        looks: float,
        memory: float = 20_000.0,
        prior: float = 2_000.0,
        event: float = 5.0,
        cap: float = 10.0,
    ) -> None:
        self.memory = memory
        self.prior = prior
        self.event = event
        self.cap = cap
        self.low = math.sqrt(math.log(10.0 * looks))
        self.high = math.sqrt(math.log(100.0 * looks))
        self.excess = (self.high - self.low) / LN10
        self.n = 0.0
        self.peaks = 0.0
        self.run = 0.0

    def score(self, s: float) -> float:
        """-log10 of the share of steps in which the series exceeds `s`; 0 where s <= 0."""
        if s <= 0.0:
            return 0.0
        h = math.sqrt(s)
        if h >= self.high:
            return 2.0 + (h - self.high) / (self.STRETCH * self.excess * LN10)
        if h >= self.low:
            return 1.0 + (h - self.low) / (self.high - self.low)
        return h / self.low

    def surprise_at(self, score: float) -> float:
        """Return the s at which `score` is reached, for score >= 2 (the inverse of `score`)."""
        h = self.high + (score - 2.0) * self.STRETCH * self.excess * LN10
        return h * h

    def learn(self, s: float) -> None:
        """Learn that one step had surprise `s`."""
        h = math.sqrt(s) if s > 0.0 else 0.0
        self.n = min(self.n + 1.0, self.memory)
        rate = 1.0 / min(self.n + self.prior, self.memory)
        low, high, excess = self.low, self.high, self.excess
        # A quantile rises by (local scale) / p per exceedance, and falls by p of that otherwise.
        low_step = (high - low) / LN10 * rate
        low = low + low_step * (9.0 if h > low else -1.0)
        if h > high:
            self.high = high + excess * rate * 99.0 * _share(
                self.run, self.LONG_EVENTS * self.event
            )
            weight = _share(self.run, self.event)
            self.run += 1.0
            self.peaks = min(self.peaks + weight, self.PEAKS_MEMORY)
            over = min(h - high, self.cap * excess)
            self.excess = excess + (over - excess) * weight / (self.peaks + self.EXCESS_PRIOR)
        else:
            self.high = high - excess * rate
            self.run = 0.0
        self._in_order(low, self.high)

    def learn_calm(self, steps: int) -> None:
        """Learn `steps` steps below both quantiles at once."""
        if steps <= 0:
            return
        rate = steps / min(self.n + self.prior + 0.5 * (steps + 1.0), self.memory)
        self.n = min(self.n + steps, self.memory)
        self.run = 0.0
        low, high = self.low, self.high
        low += (high - low) * math.expm1(-rate / LN10)
        self._in_order(low, high - self.excess * rate)

    def calm_below(self) -> float:
        """Return a surprise that is safely below both quantiles while few steps are learned."""
        return 0.8 * self.low * self.low

    def _in_order(self, low: float, high: float) -> None:
        least = self.LEAST
        if low < least:
            low = least
        self.low = low
        self.high = max(high, low + least)

    SIZE = 6

    def state(self) -> tuple[float, ...]:
        return self.low, self.high, self.excess, self.n, self.peaks, self.run

    def load(self, state: Sequence[float]) -> None:
        self.low, self.high, self.excess, self.n, self.peaks, self.run = state
