"""The engine of every signal that is a count: level, windows and tail put together."""

import math

from detectors.anomaly.config import BankConfig
from detectors.anomaly.detector import Detector
from detectors.anomaly.features import Features
from detectors.anomaly.level import Level
from detectors.anomaly.reading import Reading
from detectors.anomaly.surprise import neg_log_tail
from detectors.anomaly.tail import Tail
from detectors.anomaly.windows import Windows

LOOKS_PER_SCALE = 0.6
"""Neighbouring windows share most of their mentions: four of them are some 2.4 looks."""
CAP_SD = 4.0
"""A block teaches the level at most its expectation and this many standard deviations."""
CAP_MENTIONS = 3.0
SETTLE_BLOCKS = 8
"""Blocks before anything is compared: the first ones only say how large the series is."""
NO_SURPRISE = neg_log_tail(0.0)
"""Of a step in which no window holds more than was expected: most of them."""


class CountEngine:
    """One pass over one count; the detectors below are this with a field and a set of scales."""

    def __init__(
        self, config: BankConfig, scales_s: tuple[int, ...], block_s: int, carry_s: float
    ) -> None:
        step = config.step_s
        self.step_s = step
        self.event = (config.event_steps, config.event_cap)
        self.block_s = max(block_s, step)
        lengths = tuple(w / step for w in scales_s if w > step)
        if scales_s[0] <= step:
            lengths = (1.0, *lengths)
        fade = math.exp(-self.block_s / (86_400.0 * config.base_days * 2.0))
        self.windows = Windows(lengths or (1.0,), config.restless, config.restless_blocks, fade)
        self.level = Level(
            step,
            self.block_s,
            config.base_days,
            config.rhythm_days,
            config.rhythm_prior_days,
            carry_s,
            config.floor_per_minute * step / 60.0,
            config.utc_offset_s,
        )
        self.unknown = 86_400.0 * config.rhythm_prior_days / self.block_s
        self.floor = config.floor_per_minute * step / 60.0
        self.block_x = 0.0
        self.block_n = 0.0
        self.mean = 0.0
        self.mean_block = -1
        self.blocks = 0.0
        self._known: tuple[float, float, float, int] | None = None
        """The last surprise until something is learned: who reads a minute then learns it."""
        self._falling: float | None = None
        """What no further empty step of this block exceeds; None: not known."""

    @property
    def settled(self) -> bool:
        return self.blocks >= SETTLE_BLOCKS

    def tail(self) -> Tail:
        looks = max(1.0, LOOKS_PER_SCALE * len(self.windows.lengths))
        return Tail(looks, event=self.event[0], cap=self.event[1])

    def expect(self, start_s: int) -> float:
        """Mean of the step that starts at `start_s` (one value a block)."""
        block = start_s // self.block_s
        if block == self.mean_block:
            return self.mean
        return self._mean_of(block)

    def surprise(self, x: float, mean: float) -> tuple[float, int]:
        """-ln p of the most surprising window, and which it is."""
        known = self._known
        if known is not None and known[0] == x and known[1] == mean:
            return known[2], known[3]
        z, where = self.windows.best(x, mean)
        s = neg_log_tail(z) if z > 0.0 else NO_SURPRISE
        self._known = (x, mean, s, where)
        return s, where

    def empty_surprise(self, mean: float, calm: float) -> float:
        """-ln p of an empty step; below `calm` it may be that of an earlier one of the stretch.

        It falls from step to step: what was seen fades and what was expected grows.
        """
        s = self._falling
        if s is None or s > calm:
            s = self._falling = self.surprise(0.0, mean)[0]
        return s

    def step(self, x: float, start_s: int) -> None:
        """Take in one closed step."""
        mean = self._enter(start_s)
        self._known = self._falling = None
        self.windows.push(x, mean)
        self.block_x += x
        self.block_n += 1.0
        if (start_s + self.step_s) // self.block_s != self.mean_block:
            self._leave(start_s + self.step_s)

    def steps_left(self, start_s: int) -> int:
        """Steps from `start_s` to the end of its block, at least 1."""
        left_s = self.block_s - start_s % self.block_s
        return -(-left_s // self.step_s)

    def empty(self, steps: int, start_s: int) -> None:
        """Take in `steps` empty steps, which end no later than their block."""
        mean = self._enter(start_s)
        self._known = None
        self.windows.push_empty(steps, mean)
        self.block_n += steps
        end_s = start_s + steps * self.step_s
        if end_s // self.block_s != self.mean_block:
            self._leave(end_s)

    def hold(self, steps: float, end_s: int) -> None:
        """Let time pass until `end_s` without learning."""
        self._known = self._falling = None
        self.windows.pass_time(steps)
        blocks = end_s // self.block_s - self.mean_block
        if self.mean_block >= 0 and blocks > 0:
            if self.block_n > 0:
                self._close()
            else:
                self.level.pass_time(1.0)
            if blocks > 1:
                self.level.pass_time(blocks - 1.0)
            self._open(end_s // self.block_s)

    def _mean_of(self, block: int) -> float:
        return max(self.floor, self.level.expect((block + 0.5) * self.block_s))

    def _enter(self, start_s: int) -> float:
        block = start_s // self.block_s
        if block != self.mean_block:
            if self.block_n > 0:
                self._close()
            self._open(block)
        return self.mean

    def _leave(self, end_s: int) -> None:
        self._close()
        self._open(end_s // self.block_s)

    def _open(self, block: int) -> None:
        self.mean = self._mean_of(block)
        self._falling = None
        self.mean_block = block
        self.block_x = 0.0
        self.block_n = 0.0

    def _close(self) -> None:
        settled = self.settled
        x = self.block_x
        if not settled:
            self.windows.settle()
        elif x > CAP_MENTIONS:
            usual = self.mean * self.block_n
            spread = max(self.windows.dispersion)
            x = min(x, usual + CAP_SD * math.sqrt(usual + spread * usual * usual) + CAP_MENTIONS)
        middle = (self.mean_block + 0.5) * self.block_s
        share = min(1.0, self.block_n * self.step_s / self.block_s)
        self.level.learn(x, self.block_n, middle, share)
        if settled:
            self.windows.learn_dispersion(self.blocks - self.unknown)
        self.blocks += 1.0
        self.block_x = 0.0
        self.block_n = 0.0

    def state(self) -> list[float]:
        return [
            self.block_x, self.block_n, self.mean, float(self.mean_block), self.blocks,
            *self.windows.state(), *self.level.state(),
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        self._known = self._falling = None
        self.block_x, self.block_n, self.mean = state[:3]
        self.mean_block = int(state[3])
        self.blocks = state[4]
        cut = 5 + self.windows.size
        self.windows.load(state[5:cut])
        self.level.load(state[cut:])


class CountDetector(Detector):
    """A count per step against the series' own level, over several windows at once."""

    def __init__(self, config: BankConfig | None = None) -> None:
        super().__init__(config)
        self.engine = self.make_engine()
        self.tail = self.engine.tail()
        self.refresh_upper()

    def make_engine(self) -> CountEngine:
        config = self.dials
        return CountEngine(config, config.scales_s, config.block_s, config.carry_s)

    def value(self, x: Features) -> float:
        """Return the count that this signal watches."""
        raise NotImplementedError

    def read(self, x: Features, *, start_s: int, elapsed_ratio: float = 1.0) -> Reading:
        engine = self.engine
        value = self.value(x)
        mean = engine.expect(start_s) * elapsed_ratio
        s, where = engine.surprise(value, mean)
        warming = self.warming
        return Reading(
            self.signal,
            value,
            mean,
            engine.windows.reach(self.upper_z, mean),
            None if warming else self.tail.score(s),
            warming,
            int(engine.windows.lengths[where] * engine.step_s),
        )

    def take(self, x: Features, *, start_s: int) -> float:
        """Score and learn in one go, for replays of one signal; 0.0 while warming up."""
        self._pass_gap(start_s)
        engine = self.engine
        value = self.value(x)
        s = engine.surprise(value, engine.expect(start_s))[0]
        score = 0.0 if self.warming else self.tail.score(s)
        self._learn(value, s, start_s)
        return score

    def learn(self, x: Features, *, start_s: int, held: bool = False) -> None:
        self._pass_gap(start_s)
        engine = self.engine
        if held:
            self.clock = start_s + engine.step_s
            engine.hold(1, self.clock)
            return
        value = self.value(x)
        self._learn(value, engine.surprise(value, engine.expect(start_s))[0], start_s)

    def _pass_gap(self, start_s: int) -> None:
        if start_s == self.clock:
            return
        gap = (start_s - self.clock) // self.engine.step_s if self.clock else 0
        if gap > 0:
            self.engine.hold(gap, start_s)

    def _learn(self, value: float, s: float, start_s: int) -> None:
        engine = self.engine
        self.clock = start_s + engine.step_s
        if engine.settled:
            self.tail.learn(s)
        block = engine.mean_block
        engine.step(value, start_s)
        self.seen_s += engine.step_s
        if engine.mean_block != block:
            self.refresh_upper()

    def quiet(self, steps: int, *, start_s: int) -> None:
        engine, tail = self.engine, self.tail
        step_s = engine.step_s
        self._pass_gap(start_s)
        at = start_s
        while steps > 0:
            now = left = min(steps, engine.steps_left(at))
            block = engine.mean_block
            mean = engine.expect(at)
            # The surprise falls from step to step of an empty stretch: look until it is calm.
            while left > 0:
                calm = tail.calm_below()
                s = engine.empty_surprise(mean, calm) if engine.settled else 0.0
                if s <= calm:
                    taken = left
                    tail.learn_calm(taken)
                else:
                    taken = 1
                    tail.learn(s)
                engine.empty(taken, at)
                at += taken * step_s
                left -= taken
            steps -= now
            self.seen_s += now * step_s
            if engine.mean_block != block:
                self.refresh_upper()
        self.clock = at

    def state(self) -> list[float]:
        return [
            float(self.clock), self.seen_s, self.upper_z, *self.tail.state(), *self.engine.state()
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        self.clock, self.seen_s, self.upper_z = int(state[0]), state[1], state[2]
        self.tail.load(state[3 : 3 + Tail.SIZE])
        self.engine.load(state[3 + Tail.SIZE :])
