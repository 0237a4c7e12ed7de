"""What every detector of the bank shares: River's shape, the clock, warm-up and flat state."""

import abc
from typing import Any, ClassVar

from river import base

from detectors.anomaly.config import BankConfig
from detectors.anomaly.features import EMPTY, Features, from_dict
from detectors.anomaly.reading import Reading
from detectors.anomaly.surprise import tail_z
from detectors.anomaly.tail import Tail

DEFAULT = BankConfig()
UPPER_SCORE = 3.0
"""`Reading.upper` is the value at this score: once in a thousand steps."""


class Detector(base.AnomalyDetector, abc.ABC):
    """A signal of one series: `score_one` reads, `learn_one` learns, in that order.

    River's `score_one(x)` and `learn_one(x)` take a dictionary of the fields of `Features` and,
    optionally, `start_s` (epoch seconds of the step's start; by default the step after the last
    one learned). The bank calls `read` and `learn`, which take the same as arguments.
    """

    signal: ClassVar[str]

    def __init__(self, config: BankConfig | None = None) -> None:
        self.config = config
        self.dials = config or DEFAULT
        self.clock = 0
        self.seen_s = 0.0
        self.tail = Tail(looks=1.0)
        self._upper_z = 0.0
        self._upper_s: float | None = None

    # River's side.

    def score_one(self, x: dict[Any, Any]) -> float:
        """-log10 P of what `x` holds under the series' own history; 0.0 while warming up."""
        start_s = int(x.get("start_s", self.clock))
        seen = self._after_gap(start_s) if 0 < self.clock < start_s else self
        return seen.read(from_dict(x), start_s=start_s).score or 0.0

    def _after_gap(self, start_s: int) -> "Detector":
        """A copy for which the unseen steps up to `start_s` have passed."""
        later = type(self)(self.config)
        later.load(self.state())
        later.learn(EMPTY, start_s=start_s - self.dials.step_s, held=True)
        return later

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Learn one step."""
        self.learn(from_dict(x), start_s=int(x.get("start_s", self.clock)))

    # The bank's side.

    @abc.abstractmethod
    def read(self, x: Features, *, start_s: int, elapsed_ratio: float = 1.0) -> Reading:
        """Score without learning; `elapsed_ratio` < 1 is a step that is still filling."""

    @abc.abstractmethod
    def learn(self, x: Features, *, start_s: int, held: bool = False) -> None:
        """Learn a closed step. `held`: time passes, nothing is learned of it."""

    @abc.abstractmethod
    def quiet(self, steps: int, *, start_s: int) -> None:
        """Learn `steps` empty steps."""

    @abc.abstractmethod
    def state(self) -> list[float]:
        """All that was learned, as numbers in a fixed order."""

    @abc.abstractmethod
    def load(self, state: list[float]) -> None:
        """Take the numbers that `state` gave."""

    def refresh_upper(self) -> None:
        """Take the tail as it stands for the upper bound of the readings to come."""
        self._upper_s = self.tail.surprise_at(UPPER_SCORE)

    @property
    def upper_z(self) -> float:
        """Z-score of the upper bound, worked out when it is asked for: quiet blocks never do."""
        if self._upper_s is not None:
            self._upper_z = tail_z(self._upper_s)
            self._upper_s = None
        return self._upper_z

    @upper_z.setter
    def upper_z(self, z: float) -> None:
        self._upper_z = z
        self._upper_s = None

    @property
    def warming(self) -> bool:
        return self.seen_s < self.dials.warm_up_s
