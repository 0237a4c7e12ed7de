"""From a changelog back to a state: what a crash cut in half does not count.

The parts of one flush share a token and `hot` comes last. A part waits until a `hot` with its token
arrives; a `hot` that covers less than the one known is from a worker that came back from a pause,
and is dropped with its parts. (Compaction could take a good part away in favour of a dropped one
only after `min.compaction.lag.ms`; by then the owner of the partition has replayed the records
behind it and written it again.)
"""

from collections.abc import Mapping

from detectors.anomaly.bank import BankConfig
from streams.pipeline.state import HOT, MARKS, TOKEN_BYTES, PartitionState, applied_of
from streams.records import Run

BrandKey = tuple[int, Run, str]


class Recovered:
    """Folds changelog events, in their order, into the last committed parts of every brand."""

    def __init__(self) -> None:
        self._committed: dict[BrandKey, dict[str, bytes]] = {}
        self._covers: dict[BrandKey, tuple[int, int]] = {}
        self._waiting: dict[BrandKey, dict[str, bytes]] = {}
        self._marks: dict[int, bytes] = {}

    def feed(self, key: str, value: bytes | None) -> None:
        """Take one changelog event."""
        partition, run, brand, part = key.split("|", 3)
        if part == MARKS:
            if value is not None:
                self._marks[int(partition)] = value
            return
        at = (int(partition), run, brand)
        if value is None:
            # Only forgotten dedupe hours are deleted: right whatever became of the flush.
            self._committed.get(at, {}).pop(part, None)
            return
        if part != HOT:
            self._waiting.setdefault(at, {})[part] = value
            return
        token, hot = value[:TOKEN_BYTES], value[TOKEN_BYTES:]
        waiting = self._waiting.pop(at, {})
        covers = applied_of(hot)
        known = self._covers.get(at)
        if known is not None and (covers[0] < known[0] or covers[1] < known[1]):
            return
        self._covers[at] = covers
        parts = self._committed.setdefault(at, {})
        parts.update(
            (name, waited[TOKEN_BYTES:])
            for name, waited in waiting.items()
            if waited[:TOKEN_BYTES] == token
        )
        parts[HOT] = hot

    def drop(self, partition: int) -> None:
        """Forget a partition that another worker owns now."""
        self._marks.pop(partition, None)
        for values in (self._committed, self._covers, self._waiting):
            for at in [at for at in values if at[0] == partition]:
                del values[at]

    def take(self, partition: int, bank: BankConfig) -> PartitionState:
        """Hand out the state of a partition; this object keeps nothing of it."""
        brands: Mapping[tuple[Run, str], Mapping[str, bytes]] = {
            (run, brand): parts
            for (p, run, brand), parts in self._committed.items()
            if p == partition
        }
        state = PartitionState.restore(partition, bank, brands, self._marks.get(partition))
        self.drop(partition)
        return state
