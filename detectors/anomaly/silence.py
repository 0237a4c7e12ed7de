"""Is a source silent beyond its habit? Then its series hold instead of learning zeros."""

import math

from detectors.anomaly.config import BankConfig
from detectors.anomaly.level import Level

LN10 = math.log(10.0)
RESTLESS = 0.3
"""Dispersion of what a source brings: it varies by half, so silences are forgiven generously."""
BLIND_SCORE = 4.0
"""From this score on a source is called blind: such a silence comes once in 10,000."""
LEAST_MINUTES = 5


class Silence:
    """-log10 P(a source brings nothing for so long) under its own rate and rhythm.

    The expected mentions since the last one, L, are summed minute by minute; under a
    negative-binomial law of dispersion a the chance of none is (1 + a L)^(-1/a). While the source
    is blind nothing is learned, so that an outage does not become its habit.

    Examples
    --------
    >>> source = Silence()
    >>> for minute in range(2 * 1440):
    ...     source.learn_one(10, start_s=60 * minute)
    >>> for minute in range(30):
    ...     source.learn_one(0, start_s=60 * (2880 + minute))
    >>> source.blind
    True
    >>> source.learn_one(9, start_s=60 * 2910)
    >>> source.blind
    False
    """

    def __init__(self, config: BankConfig | None = None) -> None:
        config = config or BankConfig()
        self.block_s = config.block_s
        self.warm_up_s = config.warm_up_s
        self.level = Level(
            60,
            config.block_s,
            config.base_days,
            config.rhythm_days,
            config.rhythm_prior_days,
            config.carry_s,
            config.floor_per_minute,
        )
        self.seen_s = 0.0
        self.missed = 0.0
        self.minutes = 0.0
        self.block = -1
        self.block_x = 0.0
        self.block_n = 0.0

    def score_one(self) -> float:
        """-log10 of the chance of the silence so far; 0 while warming up."""
        if self.seen_s < self.warm_up_s or self.minutes < LEAST_MINUTES:
            return 0.0
        return math.log1p(RESTLESS * self.missed) / RESTLESS / LN10

    @property
    def blind(self) -> bool:
        return self.score_one() >= BLIND_SCORE

    def learn_one(self, mentions: float, *, start_s: int) -> None:
        """Learn what a source brought in the minute that starts at `start_s`, for all brands."""
        if mentions > 0:
            self.missed = 0.0
            self.minutes = 0.0
        else:
            self.missed += self.level.expect(start_s)
            self.minutes += 1.0
        block = start_s // self.block_s
        if block != self.block:
            self._close()
            self.block = block
        if not self.blind:
            self.block_x += mentions
            self.block_n += 1.0
            self.seen_s += 60.0

    def _close(self) -> None:
        if self.block_n > 0.0:
            middle = (self.block + 0.5) * self.block_s
            self.level.learn(
                self.block_x, self.block_n, middle, min(1.0, 60.0 * self.block_n / self.block_s)
            )
        self.block_x = 0.0
        self.block_n = 0.0

    def state(self) -> list[float]:
        return [
            self.seen_s, self.missed, self.minutes, float(self.block), self.block_x, self.block_n,
            *self.level.state(),
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        """Take the numbers that `state` gave."""
        self.seen_s, self.missed, self.minutes = state[:3]
        self.block, self.block_x, self.block_n = int(state[3]), state[4], state[5]
        self.level.load(state[6:])
