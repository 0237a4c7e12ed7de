"""The engine of signals that are magnitudes (reach): often zero, and heavy-tailed otherwise."""

import math

from detectors.anomaly.config import BankConfig
from detectors.anomaly.detector import UPPER_SCORE, Detector
from detectors.anomaly.features import Features
from detectors.anomaly.reading import Reading
from detectors.anomaly.tail import Tail

LOGISTIC = math.sqrt(3.0) / math.pi
"""Scale of a logistic distribution of standard deviation 1."""
SPREAD_PRIOR = 1.5
"""Standard deviation of log reach before anything is known: reach varies by factors of ten."""
PRIOR_VALUES = 20.0
"""Values that this is worth; also the prior of how often there is one."""
OFTEN_PRIOR = 0.2
VALUE_CAP_SD = 4.0
MEMORY_VALUES = 5_000.0


class MagnitudeDetector(Detector):
    """-log10 P(so large a value in one step): the chance that there is one, times a log-logistic.

    The upper tail of a log-logistic variable is a power law, which is what reach follows; in
    log value its surprise is linear, so the mean excess that `Tail` learns is Hill's estimate of
    the power.
    """

    def __init__(self, config: BankConfig = BankConfig()) -> None:  # noqa: B008 - a frozen value
        super().__init__(config)
        self.tail = Tail(looks=1.0)
        self.often_x = OFTEN_PRIOR * PRIOR_VALUES
        self.often_n = PRIOR_VALUES
        self.often_fade = math.exp(-config.step_s / (86_400.0 * config.base_days))
        self.values = 0.0
        self.middle = 0.0
        self.spread2 = SPREAD_PRIOR**2

    def value(self, x: Features) -> float:
        """Return the magnitude that this signal watches."""
        raise NotImplementedError

    def _scale(self) -> float:
        return max(math.sqrt(self.spread2), 0.3) * LOGISTIC

    def _surprise(self, value: float) -> float:
        if value <= 0.0:
            return 0.0
        t = (math.log1p(value) - self.middle) / self._scale()
        beyond = t + math.log1p(math.exp(-t)) if t > 0.0 else math.log1p(math.exp(t))
        return beyond - math.log(self.often_x / self.often_n)

    def read(self, x: Features, *, start_s: int, elapsed_ratio: float = 1.0) -> Reading:  # noqa: ARG002 - the chance of a value in part of a step is close to that of a whole one
        value = self.value(x)
        warming = self.warming
        often = self.often_x / self.often_n
        t = self.tail.surprise_at(UPPER_SCORE) + math.log(often)
        upper = math.expm1(min(self.middle + self._scale() * max(t, 0.0), 60.0))
        return Reading(
            self.signal,
            value,
            often * math.expm1(min(self.middle, 60.0)),
            upper,
            None if warming else self.tail.score(self._surprise(value)),
            warming,
            self.config.step_s,
        )

    def learn(self, x: Features, *, start_s: int, held: bool = False) -> None:
        self.clock = start_s + self.config.step_s
        if held:
            return
        value = self.value(x)
        self.tail.learn(self._surprise(value))
        self.often_x *= self.often_fade
        self.often_n = self.often_fade * self.often_n + 1.0
        self.seen_s += self.config.step_s
        if value > 0.0:
            self.often_x += 1.0
            self._learn_value(math.log1p(value))
        self.often_x = max(self.often_x, 1e-3)

    def _learn_value(self, y: float) -> None:
        if self.values == 0.0:
            self.middle = y
        self.values = min(self.values + 1.0, MEMORY_VALUES)
        sd = math.sqrt(self.spread2)
        d = min(max(y - self.middle, -VALUE_CAP_SD * sd), VALUE_CAP_SD * sd)
        self.middle += d / (self.values + 1.0)
        self.spread2 += (d * d - self.spread2) / (self.values + PRIOR_VALUES)

    def quiet(self, steps: int, *, start_s: int) -> None:
        self.clock = start_s + steps * self.config.step_s
        self.tail.learn_calm(steps)
        f = self.often_fade**steps
        self.often_x = max(self.often_x * f, 1e-3)
        self.often_n = f * self.often_n + (1.0 - f) / (1.0 - self.often_fade)
        self.seen_s += steps * self.config.step_s

    def state(self) -> list[float]:
        return [
            float(self.clock), self.seen_s, *self.tail.state(),
            self.often_x, self.often_n, self.values, self.middle, self.spread2,
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        self.clock, self.seen_s = int(state[0]), state[1]
        self.tail.load(state[2:7])
        self.often_x, self.often_n, self.values, self.middle, self.spread2 = state[7:12]
