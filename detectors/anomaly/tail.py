"""How often does a series really reach a surprise? Learned, so that 3 means once in a thousand."""

import math

LN10 = math.log(10.0)


class Tail:
    """Turns a model's surprise s = -ln p into -log10 of how often the series itself exceeds it.

    If the model were right, s would be exponential with mean 1. It never is: several windows are
    looked at, and real conversations have heavier tails than any textbook distribution. So two
    quantiles of s are tracked (exceeded in 10 % and in 1 % of the steps) by stochastic
    approximation (Robbins and Monro, 1951), and above the second one the excess is exponential
    with a learned mean (peaks over threshold; Siffer et al., KDD 2017, with shape 0). Between the
    knots log p is linear in s.

    Constant memory: four numbers.

    Parameters
    ----------
    looks
        How many independent looks the statistic is the largest of, before anything is learned.
    memory
        Steps that are remembered.
    prior
        Steps that the starting point is worth.

    Examples
    --------
    >>> import random
    >>> rng, tail = random.Random(1), Tail(looks=1)
    >>> for _ in range(20_000):
    ...     tail.learn(2.0 * rng.expovariate(1.0))  # twice as surprising as the model thinks
    >>> bool(abs(tail.score(2.0 * 3 * LN10) - 3.0) < 0.3)
    True
    """

    __slots__ = ("excess", "high", "low", "memory", "n", "peaks", "prior")

    EXCESS_PRIOR = 20.0
    """Exceedances that the prior excess of 1 is worth."""
    PEAKS_MEMORY = 400.0
    """Exceedances of the 1 % quantile that the mean excess remembers."""
    EXCESS_CAP = 6.0
    """An excess counts as at most so many mean excesses: a crisis teaches little."""

    def __init__(self, looks: float, memory: float = 20_000.0, prior: float = 2_000.0) -> None:
        self.memory = memory
        self.prior = prior
        self.low = math.log(10.0 * looks)
        self.high = math.log(100.0 * looks)
        self.excess = 1.0
        self.n = 0.0
        self.peaks = 0.0

    def score(self, s: float) -> float:
        """-log10 of the share of steps in which the series exceeds `s`; 0 where s <= 0."""
        if s >= self.high:
            return 2.0 + (s - self.high) / (self.excess * LN10)
        if s >= self.low:
            return 1.0 + (s - self.low) / (self.high - self.low)
        return s / self.low if s > 0.0 else 0.0

    def surprise_at(self, score: float) -> float:
        """Return the s at which `score` is reached, for score >= 2 (the inverse of `score`)."""
        return self.high + (score - 2.0) * self.excess * LN10

    def learn(self, s: float, weight: float = 1.0) -> None:
        """Learn that one step had surprise `s`; `weight` < 1 in a crisis."""
        self.n = min(self.n + 1.0, self.memory)
        rate = weight / min(self.n + self.prior, self.memory)
        gap = self.high - self.low
        # A quantile moves by (local scale) / p per exceedance, and back by p of that otherwise.
        low_step = gap / LN10 * rate
        high_step = self.excess * rate
        low, high = self.low, self.high
        self.low += low_step * (9.0 if s > low else -1.0)
        if s > high:
            self.high += high_step * 99.0
            self.peaks = min(self.peaks + weight, self.PEAKS_MEMORY)
            over = min(s - high, self.EXCESS_CAP * self.excess)
            self.excess += (over - self.excess) * weight / (self.peaks + self.EXCESS_PRIOR)
        else:
            self.high -= high_step
        self.low = max(self.low, 0.05)
        self.high = max(self.high, self.low + 0.1)

    def learn_calm(self, steps: int) -> None:
        """Learn `steps` steps below both quantiles at once (closed form up to rounding)."""
        if steps <= 0:
            return
        rate = steps / min(self.n + self.prior + 0.5 * steps, self.memory)
        self.n = min(self.n + steps, self.memory)
        self.low = max(self.low - (self.high - self.low) / LN10 * rate, 0.05)
        self.high = max(self.high - self.excess * rate, self.low + 0.1)

    def state(self) -> tuple[float, ...]:
        return self.low, self.high, self.excess, self.n, self.peaks

    def load(self, state: tuple[float, ...]) -> None:
        self.low, self.high, self.excess, self.n, self.peaks = state
