"""From a changelog back to a state: what a crash cut in half does not count.

The parts of one flush share a token, and `hot`, which comes last, names the token of each part that
belongs to it. A part counts once a `hot` names it, and until then the one before it is kept; so a
compacted changelog, in which most of the `hot` values are gone, restores as well as a whole one. A
`hot` that covers less than the one known is from a worker that came back from a pause, and is
dropped. Dedupe segments need no token: they only grow, and `hot` says how far they count.

(Compaction could take a good part away in favour of one that no `hot` names; it lags behind by a
minute, and by then the owner of the partition has replayed the records behind it and written it
again. A partition without an owner is not written, hence not compacted.)
"""

from collections.abc import Mapping

from detectors.anomaly.bank import BankConfig
from streams.pipeline.dedupe import SEGMENT_BYTES, SEGMENT_HEAD
from streams.pipeline.runs import Keep, Stored, in_memory
from streams.pipeline.state import (
    HOT,
    MARKS,
    SEEN,
    TOKEN_BYTES,
    PartitionState,
    applied_through,
    read_hot,
)
from streams.records import Run

BrandKey = tuple[int, Run, str]


class _Found:
    """What is known of one brand."""

    def __init__(self) -> None:
        self.hot: bytes | None = None
        self.covers = (-1, -1)
        self.named: dict[str, bytes] = {}
        self.versions: dict[str, dict[bytes, bytes]] = {}
        """Values of a part by their tokens, in the order in which they came."""
        self.segments: dict[str, Stored] = {}

    def commit(self, value: bytes) -> None:
        """Take a `hot`; forget the parts that came before those which it names."""
        token, hot = value[:TOKEN_BYTES], value[TOKEN_BYTES:]
        told = read_hot(hot)
        covers = (told.applied, told.acted)
        if covers[0] < self.covers[0] or covers[1] < self.covers[1]:
            return
        # States of before 1.0 named no parts: what came with the same flush belonged together.
        same = {name: token for name, known in self.versions.items() if token in known}
        self.hot, self.covers = hot, covers
        self.named = told.parts or {**self.named, **same}
        for name, wanted in self.named.items():
            known = self.versions.get(name, {})
            while wanted in known and next(iter(known)) != wanted:
                del known[next(iter(known))]

    def parts(self) -> dict[str, bytes]:
        """The committed parts."""
        if self.hot is None:
            return {}
        chosen = {
            # A part that compaction took away is better replaced by a later one than missing.
            name: known.get(token) or list(known.values())[-1]
            for name, token in self.named.items()
            if (known := self.versions.get(name))
        }
        return {**chosen, HOT: self.hot}


def _holds(known: Stored | None, segment: bytes) -> bool:
    """Whether a known segment begins with another one, which then is a stale one."""
    if known is None or len(known) < len(segment):
        return False
    return known[SEGMENT_HEAD : len(segment)] == segment[SEGMENT_HEAD:]


class Recovered:
    """Folds changelog events, in their order, into the last committed parts of every brand.

    Parameters
    ----------
    keep
        Where full segments of ids go until they are handed out: they are most of a large state.
    """

    def __init__(self, keep: Keep = in_memory) -> None:
        self._keep = keep
        self._found: dict[BrandKey, _Found] = {}
        self._marks: dict[int, bytes] = {}

    def feed(self, key: str, value: bytes | None) -> None:
        """Take one changelog event."""
        partition, run, brand, part = key.split("|", 3)
        if part == MARKS:
            marks = self._marks.get(int(partition))
            if value is not None and (
                marks is None or applied_through(value) >= applied_through(marks)
            ):
                self._marks[int(partition)] = value
            return
        at = (int(partition), run, brand)
        found = self._found.get(at)
        if found is None:
            found = self._found[at] = _Found()
        if part == HOT:
            if value is not None:
                found.commit(value)
        elif part.startswith(SEEN):
            name = part.removeprefix(SEEN)
            if value is None:
                found.segments.pop(name, None)
            elif not _holds(found.segments.get(name), segment := value[TOKEN_BYTES:]):
                full = len(segment) >= SEGMENT_HEAD + SEGMENT_BYTES
                found.segments[name] = self._keep(segment) if full else segment
        elif value is not None:
            versions = found.versions.setdefault(part, {})
            versions[value[:TOKEN_BYTES]] = value[TOKEN_BYTES:]

    def drop(self, partition: int) -> None:
        """Forget a partition that another worker owns now."""
        self._marks.pop(partition, None)
        for at in [at for at in self._found if at[0] == partition]:
            del self._found[at]

    def take(self, partition: int, bank: BankConfig, keep: Keep = in_memory) -> PartitionState:
        """Hand out the state of a partition; this object keeps nothing of it.

        Parameters
        ----------
        keep
            Where the state puts its ids from now on.
        """
        brands: Mapping[tuple[Run, str], tuple[Mapping[str, bytes], Mapping[str, Stored]]] = {
            (run, brand): (parts, found.segments)
            for (p, run, brand), found in self._found.items()
            if p == partition and (parts := found.parts())
        }
        marks = self._marks.get(partition)
        state = PartitionState.restore(partition, bank, brands, marks, keep)
        self.drop(partition)
        return state
