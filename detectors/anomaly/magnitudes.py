"""The engine of signals that are magnitudes (reach): often zero, and heavy-tailed otherwise."""

import math

from detectors.anomaly.config import BankConfig
from detectors.anomaly.detector import UPPER_SCORE, Detector
from detectors.anomaly.features import Features
from detectors.anomaly.reading import Reading
from detectors.anomaly.surprise import THIRD, neg_log_tail
from detectors.anomaly.tail import Tail

LOGISTIC = math.sqrt(3.0) / math.pi
"""Scale of a logistic distribution of standard deviation 1."""
SPREAD_PRIOR = 1.5
"""Standard deviation of log reach before anything is known: reach varies by factors of ten."""
LEAST_SPREAD = 0.3
PRIOR_VALUES = 20.0
"""Values that this is worth; also the prior of how often there is one."""
OFTEN_PRIOR = 0.2
VALUE_CAP_SD = 4.0
MEMORY_VALUES = 5_000.0
STEP_CAP = 12.0
"""One step counts as at most this -ln p in a window: a window is about what lasts."""
WINDOWS_S = (300, 900)
WINDOW_CAP_SQUARED = 16.0
WINDOW_PRIOR_BLOCKS = 30.0
LOOKS = 1.8
"""A step and two windows around it are some 1.8 independent looks."""


_Known = tuple[float, float, float, int]
"""A value, its step's surprise, the largest surprise, and which window has it."""

_Shape = tuple[float, float]
"""Of a window's gamma variable: its variance over nine squared means, and the root of that."""


class MagnitudeDetector(Detector):
    """-log10 P(so large a value in a step, or such values for 5 or 15 minutes).

    A step: the chance that there is a value, times a log-logistic tail. That is a power law, which
    is what reach follows, so its surprise is linear in log reach. A window: the faded mean of the
    steps' surprises, whose own mean and variance are learned, as a gamma variable.
    """

    def __init__(self, config: BankConfig | None = None) -> None:
        super().__init__(config)
        config = self.dials
        step = config.step_s
        lengths = tuple(w / step for w in WINDOWS_S if w > step)
        self.lengths = (1.0, *lengths)
        self.keep = tuple((w - 1.0) / (w + 1.0) for w in lengths)
        self.block_s = max(config.block_s, step)
        self.tail = Tail(LOOKS, event=config.event_steps, cap=config.event_cap)
        self.refresh_upper()
        self.fade = math.exp(-step / (86_400.0 * config.base_days))
        self.often_x = OFTEN_PRIOR * PRIOR_VALUES
        self.often_n = PRIOR_VALUES
        self.values = 0.0
        self.middle = 0.0
        self.spread2 = SPREAD_PRIOR**2
        # A step's surprise is about exponential: mean and variance 1, those of a mean 1 and 1/W.
        self.average = [1.0] * len(self.keep)
        self.mean = [1.0] * len(self.keep)
        self.variance = [1.0 / w for w in lengths]
        self._shapes: tuple[_Shape, ...] | None = None
        """Of the windows, until their mean and variance are taught; None: not asked for."""
        self._known: _Known | None = None
        """The last value that was read, until something is learned: who reads then learns it."""
        self._bound: float | None = None
        """The upper bound, likewise: it is the same for every value."""
        self._falling: float | None = None
        """What no further empty step of this block exceeds; None: not known."""

    def value(self, x: Features) -> float:
        """Return the magnitude that this signal watches."""
        raise NotImplementedError

    def _scale(self) -> float:
        return max(math.sqrt(self.spread2), LEAST_SPREAD) * LOGISTIC

    def _step_surprise(self, value: float) -> float:
        if value <= 0.0:
            return 0.0
        t = (math.log1p(value) - self.middle) / self._scale()
        beyond = t + math.log1p(math.exp(-t)) if t > 0.0 else math.log1p(math.exp(t))
        return beyond - math.log(self.often_x / self.often_n)

    def _surprise(self, value: float) -> _Known:
        """-ln p of the step, and of it or of a window that ends with it, and which it is."""
        known = self._known
        if known is not None and known[0] == value:
            return known
        step = best = self._step_surprise(value)
        where = 0
        now = min(step, STEP_CAP)
        average, mean = self.average, self.mean
        for i, keep in enumerate(self.keep):
            ratio = (keep * average[i] + (1.0 - keep) * now) / mean[i]
            if ratio > 1.0:
                ninth, root = self._shape(i)
                # Wilson and Hilferty (1931): a gamma variable's cube root is close to normal.
                s = neg_log_tail((ratio**THIRD - 1.0 + ninth) / root)
                if s > best:
                    best, where = s, i + 1
        self._known = known = (value, step, best, where)
        return known

    def _shape(self, window: int) -> _Shape:
        shapes = self._shapes
        if shapes is None:
            ninths = [v / (9.0 * m * m) for m, v in zip(self.mean, self.variance, strict=True)]
            shapes = self._shapes = tuple([(ninth, math.sqrt(ninth)) for ninth in ninths])
        return shapes[window]

    def _upper(self) -> float:
        """Return the value at which the step or a window reaches `UPPER_SCORE`."""
        need = self.tail.surprise_at(UPPER_SCORE)
        upper_z = self.upper_z
        for i, keep in enumerate(self.keep):
            ninth, root = self._shape(i)
            ratio = max(upper_z * root + 1.0 - ninth, 0.0) ** 3
            now = (ratio * self.mean[i] - keep * self.average[i]) / (1.0 - keep)
            if now < min(need, STEP_CAP):
                need = now
        t = need + math.log(self.often_x / self.often_n)
        if t <= 0.0:
            return 0.0
        # The inverse of log1p(exp(t)), the surprise of a logistic variable.
        return math.expm1(
            min(max(self.middle + self._scale() * math.log(math.expm1(t)), 0.0), 60.0)
        )

    def read(self, x: Features, *, start_s: int, elapsed_ratio: float = 1.0) -> Reading:  # noqa: ARG002 - the chance of a value in part of a step is close to that of a whole one
        value = self.value(x)
        warming = self.warming
        _, _, s, where = self._surprise(value)
        bound = self._bound
        if bound is None:
            bound = self._bound = self._upper()
        return Reading(
            self.signal,
            value,
            self.often_x / self.often_n * math.expm1(min(self.middle, 60.0)),
            bound,
            None if warming else self.tail.score(s),
            warming,
            int(self.lengths[where] * self.dials.step_s),
        )

    def learn(self, x: Features, *, start_s: int, held: bool = False) -> None:
        self._pass_gap(start_s)
        self.clock = start_s + self.dials.step_s
        if held:
            self._fade_windows(1)
            return
        value = self.value(x)
        _, step, s, _ = self._surprise(value)
        self._falling = None
        self.tail.learn(s)
        now = min(step, STEP_CAP)
        average = self.average
        for i, keep in enumerate(self.keep):
            average[i] = keep * average[i] + (1.0 - keep) * now
        self._fade_often(1)
        self._learned()
        self.seen_s += self.dials.step_s
        if value > 0.0:
            self.often_x += 1.0
            self._learn_value(math.log1p(value))
        self._end_block(start_s)

    def quiet(self, steps: int, *, start_s: int) -> None:
        self._pass_gap(start_s)
        tail = self.tail
        step_s = self.dials.step_s
        at = start_s
        while steps > 0:
            end = (at // self.block_s + 1) * self.block_s
            now = min(steps, max(1, -(-(end - at) // step_s)))
            left = now
            while left > 0:
                calm = tail.calm_below()
                s = self._falling
                # As of a count: the surprise falls from step to step of an empty stretch.
                if s is None or s > calm:
                    s = self._falling = self._surprise(0.0)[2]
                if s <= calm:
                    taken = left
                    tail.learn_calm(taken)
                else:
                    taken = 1
                    tail.learn(s)
                self._fade_windows(taken)
                left -= taken
            self._fade_often(now)
            self.seen_s += now * step_s
            at += now * step_s
            steps -= now
            self._end_block(at - step_s)
        self.clock = at

    def _pass_gap(self, start_s: int) -> None:
        gap = (start_s - self.clock) // self.dials.step_s if self.clock else 0
        if gap > 0:
            self._fade_windows(gap)

    def _learned(self) -> None:
        self._known = self._bound = None

    def _fade_windows(self, steps: int) -> None:
        self._learned()
        average = self.average
        for i, keep in enumerate(self.keep):
            average[i] *= keep**steps

    def _fade_often(self, steps: int) -> None:
        f = self.fade**steps
        self.often_x = max(self.often_x * f, 1e-3)
        self.often_n = f * self.often_n + (1.0 - f) / (1.0 - self.fade)

    def _end_block(self, start_s: int) -> None:
        """Teach the windows' mean and variance once a block, as they stand then."""
        if (start_s + self.dials.step_s) // self.block_s == start_s // self.block_s:
            return
        steps = self.block_s / self.dials.step_s
        rate = steps / min(self.often_n + WINDOW_PRIOR_BLOCKS * steps, 1.0 / (1.0 - self.fade))
        rate = min(rate, 0.5)
        for i, average in enumerate(self.average):
            d = average - self.mean[i]
            self.mean[i] = max(self.mean[i] + rate * d, 1e-3)
            cap = WINDOW_CAP_SQUARED * self.variance[i]
            self.variance[i] += rate * (min(d * d, cap) - self.variance[i])
            self.variance[i] = max(self.variance[i], 1e-6)
        self.refresh_upper()
        self._taught()

    def _taught(self) -> None:
        self._shapes = self._falling = None
        self._learned()

    def _learn_value(self, y: float) -> None:
        if self.values == 0.0:
            self.middle = y
        self.values = min(self.values + 1.0, MEMORY_VALUES)
        sd = math.sqrt(self.spread2)
        d = min(max(y - self.middle, -VALUE_CAP_SD * sd), VALUE_CAP_SD * sd)
        self.middle += d / (self.values + 1.0)
        self.spread2 += (d * d - self.spread2) / (self.values + PRIOR_VALUES)

    def state(self) -> list[float]:
        return [
            float(self.clock), self.seen_s, self.upper_z, *self.tail.state(),
            self.often_x, self.often_n, self.values, self.middle, self.spread2,
            *self.average, *self.mean, *self.variance,
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        self.clock, self.seen_s, self.upper_z = int(state[0]), state[1], state[2]
        at = 3 + Tail.SIZE
        self.tail.load(state[3:at])
        self.often_x, self.often_n, self.values, self.middle, self.spread2 = state[at : at + 5]
        n = len(self.keep)
        at += 5
        parts = [list(state[at + k * n : at + (k + 1) * n]) for k in range(3)]
        self.average, self.mean, self.variance = parts
        self._taught()
