"""All signals of one series: what the pipeline calls."""

import struct
from functools import cache

from detectors.anomaly.authors import Authors
from detectors.anomaly.config import BankConfig
from detectors.anomaly.counts import CountDetector
from detectors.anomaly.detector import Detector
from detectors.anomaly.features import EMPTY, Features
from detectors.anomaly.level import DAYS
from detectors.anomaly.negative import Negative
from detectors.anomaly.negative_share import NegativeShare
from detectors.anomaly.reach import Reach
from detectors.anomaly.reading import Reading
from detectors.anomaly.slow_burn import SlowBurn
from detectors.anomaly.velocity import Velocity
from detectors.anomaly.volume import Volume

__all__ = ["SIGNALS", "Bank", "BankConfig", "Features", "UnknownSnapshot"]

DETECTORS: tuple[type[Detector], ...] = (
    Volume,
    Negative,
    NegativeShare,
    Reach,
    Authors,
    Velocity,
    SlowBurn,
)
SIGNALS = tuple(d.signal for d in DETECTORS)
"""The closed set of signal names, in the order of the readings."""

VERSION = 2
"""First byte of a snapshot. A change of any detector's `state` makes a new version and a reader.

1: levels without weekdays, whose numbers are the last of a count's state."""


READABLE = (1, VERSION)


@cache
def _sizes(config: BankConfig, version: int) -> tuple[int, ...]:
    missing = 2 * DAYS if version == 1 else 0
    fresh = (d(config) for d in DETECTORS)
    return tuple(
        len(d.state()) - (missing if isinstance(d, (CountDetector, SlowBurn)) else 0) for d in fresh
    )


class UnknownSnapshot(ValueError):
    """A snapshot that this version cannot read: written by a newer one, or damaged."""


class Bank:
    """All signals of one series; constant memory; score before you learn.

    Examples
    --------
    >>> bank = Bank()
    >>> for minute in range(2 * 1440):
    ...     bank.learn_one(Features(mentions=4 + minute % 3), start_s=60 * minute)
    >>> readings = bank.score_one(Features(mentions=90), start_s=60 * 2880)
    >>> [r.signal for r in readings if (r.score or 0) > 3]
    ['volume']
    >>> Bank.restore(BankConfig(), bank.snapshot()).snapshot() == bank.snapshot()
    True
    """

    __slots__ = ("config", "detectors", "volume")

    def __init__(self, config: BankConfig = BankConfig()) -> None:  # noqa: B008 - a frozen value
        self.config = config
        self.volume = Volume(config)
        self.detectors: tuple[Detector, ...] = (
            self.volume,
            *(d(config) for d in DETECTORS if d is not Volume),
        )

    def score_one(
        self, x: Features, *, start_s: int, elapsed_ratio: float = 1.0
    ) -> tuple[Reading, ...]:
        """Score the minute that starts at `start_s` (epoch seconds); changes nothing.

        `elapsed_ratio` < 1 is the open minute: what is expected of it is scaled by that share.
        """
        return tuple(
            [d.read(x, start_s=start_s, elapsed_ratio=elapsed_ratio) for d in self.detectors]
        )

    def learn_one(self, x: Features, *, start_s: int, held: bool = False) -> None:
        """Learn a closed minute.

        `held` (a blind source, an announced event): time passes and nothing is learned, so that
        silence is not taken for zero nor a campaign for the usual.
        """
        if x == EMPTY and not held:
            self.learn_quiet(1, start_s=start_s)
            return
        for d in self.detectors:
            d.learn(x, start_s=start_s, held=held)

    def learn_quiet(self, minutes: int, *, start_s: int) -> None:
        """Learn `minutes` empty minutes from `start_s` on: as `learn_one` of each, but fast."""
        if minutes > 0:
            for d in self.detectors:
                d.quiet(minutes, start_s=start_s)

    def usual(self, start_s: int) -> float:
        """Mentions that are usual in a minute of the block that holds `start_s`."""
        block_s = self.config.block_s
        return self.volume.engine.level.usual((start_s // block_s + 0.5) * block_s)

    def snapshot(self) -> bytes:
        """All that was learned, in at most 8 KB: a version byte, then little-endian doubles."""
        flat: list[float] = []
        for d in self.detectors:
            flat += d.state()
        return struct.pack(f"<B{len(flat)}d", VERSION, *flat)

    @classmethod
    def restore(cls, config: BankConfig, snapshot: bytes) -> "Bank":
        """Build the bank that `snapshot` was taken of.

        Raises
        ------
        UnknownSnapshot
            If the version is unknown or the length does not fit the configuration's windows.
        """
        bank = cls(config)
        if not snapshot or snapshot[0] not in READABLE:
            found = snapshot[0] if snapshot else "nothing"
            msg = f"bank snapshot of version {found}; this release reads up to version {VERSION}"
            raise UnknownSnapshot(msg)
        sizes = _sizes(config, snapshot[0])
        if len(snapshot) != 1 + 8 * sum(sizes):
            msg = (
                f"bank snapshot of {len(snapshot)} bytes, {1 + 8 * sum(sizes)} expected: "
                "were the windows of the configuration changed? Rebuild the state by a backfill"
            )
            raise UnknownSnapshot(msg)
        flat = struct.unpack_from(f"<{sum(sizes)}d", snapshot, 1)
        at = 0
        for d, size in zip(bank.detectors, sizes, strict=True):
            d.load(list(flat[at : at + size]))
            at += size
        return bank
