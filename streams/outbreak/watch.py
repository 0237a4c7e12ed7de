"""The fold of all brands' minutes into outbreaks, run by run, and its snapshot."""

import msgspec

from detectors.incidents.outbreak import (
    Outbreak,
    OutbreakConfig,
    OutbreakState,
    observe,
    settle,
)
from detectors.incidents.severity import ALERT
from streams.records import Minute

MOST_RUNS = 20
"""Runs remembered: the live one and the last replays."""


class _Kept(msgspec.Struct):
    positions: dict[int, int]
    runs: dict[str, bytes]


_kept = msgspec.msgpack.Decoder(_Kept)


def leading_topic(minute: Minute) -> str:
    """The topic of most complaints, "" if there is none."""
    counts = minute.counts.by_topic
    return max(counts, key=counts.__getitem__, default="")


class Watch:
    """States of all runs and the position in the minutes topic that they cover."""

    def __init__(self, config: OutbreakConfig | None = None) -> None:
        self.config = config or OutbreakConfig()
        self.positions: dict[int, int] = {}
        """Next offset by partition."""
        self.runs: dict[str, OutbreakState] = {}

    def take(self, minute: Minute) -> Outbreak | None:
        """Fold one minute, in the order of time; the outbreak if it changed."""
        return self.fold(
            minute.run,
            minute.brand,
            int(minute.start.timestamp()),
            minute.level,
            minute.incident,
            leading_topic(minute),
        )

    def fold(
        self, run: str, brand: str, start_s: int, level: int, incident: str = "", topic: str = ""
    ) -> Outbreak | None:
        """Fold what matters of a minute."""
        state = self.runs.pop(run, None) or OutbreakState()
        changed: Outbreak | None = None
        if state.minute_s and start_s > state.minute_s + 60:
            # The former minute is over for all brands.
            state, changed = settle(state, run=run, minute_s=start_s - 60, config=self.config)
        state = observe(
            state, brand=brand, minute_s=start_s, level=level, incident=incident, topic=topic
        )
        if not state.minute_s:
            state, _ = settle(state, run=run, minute_s=start_s - 60, config=self.config)
        self.runs[run] = state
        while len(self.runs) > MOST_RUNS:
            del self.runs[next(iter(self.runs))]
        return changed

    def brands_in_crisis(self, run: str) -> int:
        """Brands of a run at ALERT or above."""
        state = self.runs.get(run)
        return sum(m.level >= ALERT for m in state.members.values()) if state else 0

    def outbreak(self, run: str) -> Outbreak | None:
        """The open outbreak of a run."""
        state = self.runs.get(run)
        found = state.outbreak if state else None
        return found if found is not None and found.closed_s is None else None

    def snapshot(self) -> bytes:
        """A value to store."""
        runs = {run: state.snapshot() for run, state in self.runs.items()}
        return msgspec.msgpack.encode(_Kept(self.positions, runs))

    @classmethod
    def restore(cls, data: bytes, config: OutbreakConfig | None = None) -> "Watch":
        """The watch of a snapshot.

        Raises
        ------
        ValueError
            If it is of a later version or damaged.
        """
        watch = cls(config)
        kept: _Kept = _kept.decode(data)
        watch.positions = kept.positions
        watch.runs = {run: OutbreakState.restore(state) for run, state in kept.runs.items()}
        return watch
