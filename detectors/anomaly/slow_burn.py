"""Signal "slow_burn": hours and days that are each a little too much."""

from dataclasses import replace

from detectors.anomaly.config import BankConfig
from detectors.anomaly.counts import CountEngine
from detectors.anomaly.detector import Detector
from detectors.anomaly.features import Features
from detectors.anomaly.reading import Reading
from detectors.anomaly.tail import Tail

MEMORY_BLOCKS = 4_000.0
"""Blocks (some six weeks of quarters of an hour) that the tail remembers."""
PRIOR_BLOCKS = 200.0
EVENT_BLOCKS = 1.0
"""A burn of half a day is one event: with the minutes' five it would teach for fifteen hours."""


class SlowBurn(Detector):
    """-log10 P(so much negative mass over 4, 12 or 36 hours), at the pace of a quarter of an hour.

    The same engine as a count's, with a block as its step and with nothing carried over: a burn
    that lasts must not become its own expectation.

    Examples
    --------
    >>> burn = SlowBurn()
    >>> for i in range(7 * 1440):
    ...     burn.learn_one({"mentions": 2, "negative": i % 2})
    >>> for i in range(360):
    ...     burn.learn_one({"mentions": 6, "negative": 3})
    >>> burn.score_one({"mentions": 6, "negative": 3}) > 3.0
    True
    """

    signal = "slow_burn"

    def __init__(self, config: BankConfig | None = None) -> None:
        super().__init__(config)
        config = self.dials
        self.block_s = max(config.block_s, config.step_s)
        blocks = replace(config, step_s=self.block_s)
        self.engine = CountEngine(blocks, config.slow_scales_s, self.block_s, 0.0)
        self.tail = self.engine.tail()
        self.tail.memory = MEMORY_BLOCKS
        self.tail.prior = PRIOR_BLOCKS
        self.tail.event = EVENT_BLOCKS
        self.refresh_upper()
        self.block = -1
        self.block_x = 0.0
        self.block_n = 0.0

    def value(self, x: Features) -> float:
        """Return what burns: negative mass."""
        return x.negative

    def read(self, x: Features, *, start_s: int, elapsed_ratio: float = 1.0) -> Reading:
        engine = self.engine
        steps = self.block_s / self.dials.step_s
        same = start_s // self.block_s == self.block
        n = (self.block_n if same else 0.0) + elapsed_ratio
        x_now = (self.block_x if same else 0.0) + self.value(x)
        mean = engine.expect(start_s) * min(n / steps, 1.0)
        s, where = engine.surprise(x_now, mean)
        windows = engine.windows
        keep = windows.keep[where]
        per_minute = 60.0 / self.dials.step_s * (1.0 - keep) / steps
        observed = (keep * windows.observed[where] + x_now) * per_minute
        expected = (keep * windows.usual[where] + mean) * per_minute
        upper = observed + (windows.reach(self.upper_z, mean) - x_now) * per_minute
        warming = self.warming
        return Reading(
            self.signal,
            observed,
            expected,
            max(upper, 0.0),
            None if warming else self.tail.score(s),
            warming,
            int(windows.lengths[where] * self.block_s),
        )

    def learn(self, x: Features, *, start_s: int, held: bool = False) -> None:
        self._enter(start_s)
        self.clock = start_s + self.dials.step_s
        if held:
            return
        self.block_x += self.value(x)
        self.block_n += 1.0
        self.seen_s += self.dials.step_s

    def quiet(self, steps: int, *, start_s: int) -> None:
        step = self.dials.step_s
        at = start_s
        while steps > 0:
            self._enter(at)
            end = (at // self.block_s + 1) * self.block_s
            now = min(steps, max(1, -(-(end - at) // step)))
            self.block_n += now
            self.seen_s += now * step
            at += now * step
            steps -= now
        self.clock = at

    def _enter(self, start_s: int) -> None:
        block = start_s // self.block_s
        if block == self.block:
            return
        if self.block >= 0:
            self._close()
            gap = block - self.block - 1
            if gap > 0:
                self.engine.hold(gap, block * self.block_s)
        self.block = block
        self.block_x = 0.0
        self.block_n = 0.0

    def _close(self) -> None:
        start_s = self.block * self.block_s
        whole = self.block_s / self.dials.step_s
        if self.block_n < 0.5 * whole:
            self.engine.hold(1, start_s + self.block_s)
            return
        x = self.block_x * whole / self.block_n
        if self.engine.settled:
            s, _ = self.engine.surprise(x, self.engine.expect(start_s))
            self.tail.learn(s)
        self.engine.step(x, start_s)
        self.refresh_upper()

    def state(self) -> list[float]:
        return [
            float(self.clock), self.seen_s, self.upper_z, float(self.block), self.block_x,
            self.block_n, *self.tail.state(), *self.engine.state(),
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        self.clock, self.seen_s, self.upper_z = int(state[0]), state[1], state[2]
        self.block, self.block_x, self.block_n = int(state[3]), state[4], state[5]
        self.tail.load(state[6 : 6 + Tail.SIZE])
        self.engine.load(state[6 + Tail.SIZE :])
