"""Dedupe over a bounded horizon: connectors are at-least-once, a repeat is not a second complaint.

A mention is known by its id and the five minutes in which it was published (a repeat carries the
same time), as a 64-bit hash. Hashes are kept apart by the hour of publication, in segments small
enough to be single changelog values. An hour is forgotten when the watermark is a horizon past its
last use.

Segments only grow, so a count of ids per hour says exactly which of them a state had seen: what a
torn flush wrote beyond it is cut off.

In memory stay the last segment of each hour and the ids of the newest slots of five minutes, in
which nearly every mention falls. A full segment goes to where `keep` puts it (runs.py), and only a
mention of a slot that rests is looked up there (docs/adr/0004).
"""

import sys
from collections.abc import Mapping
from hashlib import blake2b
from math import inf
from typing import Literal

import msgspec

from streams.pipeline.runs import (
    ID_BYTES,
    MOST_RUN_BYTES,
    Ids,
    Keep,
    Stored,
    holds,
    in_memory,
    with_run,
)

SEGMENT_IDS = 1000
"""Ids per segment: 8 bytes each, so that a value stays below 8 KB."""

SEGMENT_BYTES = SEGMENT_IDS * ID_BYTES
SEGMENT_HEAD = 8
"""Bytes before the ids: the hour's last use, in epoch seconds."""

HOUR_S = 3600
SLOT_S = 300
HOUR_SLOTS = HOUR_S // SLOT_S
EVERY_SLOT = (1 << HOUR_SLOTS) - 1
FORGET_EVERY_S = 900
RESTS_AFTER_S = 60
"""Of a watermark's way since a slot's end; almost all of its mentions and repeats come sooner."""

MOST_SLOTS = 16
"""Slots of a brand that are in memory: a bound where no watermark moves on."""

MOST_SLOT_IDS = 1 << 20
"""Of one slot: a bound for a source that knows the day only."""

Extent = tuple[int, float]
"""(ids, last use as a watermark in epoch seconds) of one hour."""

Freshness = Literal["fresh", "repeat", "revision"]


def id_hash(mention_id: str, revision: int = 0, *, slot: int | None = None) -> bytes:
    """8 bytes; two million ids collide with a chance of 1e-7."""
    name = f"{mention_id}#{revision}" if revision else mention_id
    if slot is not None:
        name = f"{slot}/{name}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES).digest()


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What is known of the ids besides them, so that a restored state goes on as it was."""

    newest: int
    """Number of the newest slot that may hold an id: later ones are known to hold none."""
    by_hour: int
    """Hours below this were written before there were slots: hashes of the ids alone."""


class _Hour:
    """Ids of one hour: full segments as sorted runs, the last one in the order of coming."""

    __slots__ = ("count", "runs", "slots", "tail", "used_s")

    def __init__(self, slots: int = 0) -> None:
        self.count = 0
        self.runs: tuple[Stored, ...] = ()
        self.tail: bytearray | Stored = b""
        self.slots = slots
        """Bits of the slots that may hold an id."""
        self.used_s = -inf

    def holds(self, digest: bytes) -> bool:
        """Whether an id is here; the slow way."""
        tail = self.tail[:]
        at = tail.find(digest)
        while at > 0 and at % ID_BYTES:
            at = tail.find(digest, at + 1)
        return at >= 0 or any(holds(run, digest) for run in self.runs)

    def add(self, digest: bytes, keep: Keep) -> bytes | None:
        """Add an id that is not here; return the segment that it has filled."""
        if not isinstance(self.tail, bytearray):
            self.tail = bytearray(self.tail[:])
        self.tail += digest
        self.count += 1
        if len(self.tail) < SEGMENT_BYTES:
            return None
        full, self.tail = bytes(self.tail), b""
        self.runs = with_run(self.runs, full, keep)
        return full

    def rest(self, keep: Keep) -> None:
        """Let go of the memory: no more is expected."""
        if isinstance(self.tail, bytearray):
            self.tail = keep(bytes(self.tail))


class Horizon:
    """Ids of one brand that have been seen; used linearly (each update replaces the former).

    Examples
    --------
    >>> seen = Horizon()
    >>> seen.admit("forum:1", 0, published_s=10.0, watermark_s=10.0)
    'fresh'
    >>> seen.admit("forum:1", 0, published_s=10.0, watermark_s=10.0)
    'repeat'
    >>> seen.admit("forum:1", 1, published_s=10.0, watermark_s=10.0)
    'revision'
    """

    def __init__(self, keep: Keep = in_memory) -> None:
        self._keep = keep
        self._hours: dict[int, _Hour] = {}
        self._slots: dict[int, Ids] = {}
        """All ids of some slots, by the slot's number."""
        self._newest = 0
        self._by_hour = 0
        self._forgotten_s = -inf
        self._nothing_before_s = -inf
        # What `changes` gives out: full segments, hours whose last segment grew, dropped names.
        self._full: dict[tuple[int, int], bytes] = {}
        self._grown: dict[int, None] = {}
        self._dropped: list[str] = []

    def __len__(self) -> int:
        return sum(at.count for at in self._hours.values())

    @property
    def known(self) -> Known:
        """What `restore` needs besides segments and extents."""
        return Known(self._newest, self._by_hour)

    def admit(
        self, mention_id: str, revision: int, *, published_s: float, watermark_s: float
    ) -> Freshness:
        """Remember an id and say whether it is new, a repeat, or an edit of a known mention."""
        slot = int(published_s // SLOT_S)
        hour = slot // HOUR_SLOTS
        at = self._hours.get(hour)
        if at is None:
            at = self._hours[hour] = _Hour(EVERY_SLOT if hour < self._by_hour else 0)
        if watermark_s > at.used_s:
            at.used_s = watermark_s
        ids = self._slots.get(slot)
        if ids is None:
            if not at.slots >> slot % HOUR_SLOTS & 1:
                ids = self._open(at, slot)
        elif len(ids) >= MOST_SLOT_IDS:
            ids = None
            del self._slots[slot]
        named = None if hour < self._by_hour else slot
        first = self._add(hour, at, ids, id_hash(mention_id, slot=named))
        if not revision:
            return "fresh" if first else "repeat"
        if not self._add(hour, at, ids, id_hash(mention_id, revision, slot=named)):
            return "repeat"
        return "fresh" if first else "revision"

    def _open(self, at: _Hour, slot: int) -> Ids:
        """Begin a slot that holds nothing yet: as long as it is in memory it is complete."""
        at.slots |= 1 << slot % HOUR_SLOTS
        self._newest = max(self._newest, slot)
        if len(self._slots) >= MOST_SLOTS:
            del self._slots[min(self._slots)]
        ids = self._slots[slot] = Ids()
        return ids

    def _add(self, hour: int, at: _Hour, ids: Ids | None, digest: bytes) -> bool:
        """Remember an id; False if it is known."""
        if at.holds(digest) if ids is None else digest in ids:
            return False
        if ids is not None:
            ids.add(digest)
        full = at.add(digest, self._keep)
        if full is not None:
            self._full[hour, at.count // SEGMENT_IDS - 1] = full
        self._grown[hour] = None
        return True

    def forget(self, *, watermark_s: float, horizon_s: float) -> None:
        """Drop the hours that were last used a horizon before the watermark; let others rest."""
        # In whole slots and quarters of an hour: most minutes have nothing to look through.
        if watermark_s < self._nothing_before_s:
            return
        rested = (watermark_s - RESTS_AFTER_S) // SLOT_S
        for slot in [s for s in self._slots if s < rested]:
            del self._slots[slot]
        now_s = watermark_s // FORGET_EVERY_S * FORGET_EVERY_S
        self._nothing_before_s = min((rested + 1) * SLOT_S + RESTS_AFTER_S, now_s + FORGET_EVERY_S)
        if now_s <= self._forgotten_s:
            return
        self._forgotten_s = now_s
        for hour, at in list(self._hours.items()):
            if at.used_s < now_s - horizon_s:
                self._drop(hour)
            elif (hour + 1) * HOUR_S <= now_s - RESTS_AFTER_S:
                at.rest(self._keep)

    def rest(self) -> None:
        """Let go of the memory: what comes is looked up where the ids are kept."""
        self._slots.clear()
        for at in self._hours.values():
            at.rest(self._keep)

    def changes(self) -> dict[str, bytes | None]:
        """Segments to write since the last call (None: delete), by name; the last use leads."""
        out: dict[str, bytes | None] = dict.fromkeys(self._dropped)
        for (hour, n), ids in self._full.items():
            out[f"{hour}.{n}"] = self._head(hour) + ids
        for hour in self._grown:
            at = self._hours[hour]
            if at.tail:
                out[f"{hour}.{at.count // SEGMENT_IDS}"] = self._head(hour) + at.tail[:]
        self._full, self._grown, self._dropped = {}, {}, []
        return out

    def _head(self, hour: int) -> bytes:
        return int(self._hours[hour].used_s).to_bytes(SEGMENT_HEAD)

    def extents(self) -> dict[int, Extent]:
        """How much of each hour there is."""
        return {hour: (at.count, at.used_s) for hour, at in self._hours.items()}

    def _drop(self, hour: int) -> None:
        segments = -(-self._hours.pop(hour).count // SEGMENT_IDS)
        self._dropped += [f"{hour}.{n}" for n in range(segments)]
        self._full = {key: ids for key, ids in self._full.items() if key[0] != hour}
        self._grown.pop(hour, None)
        for slot in [s for s in self._slots if s // HOUR_SLOTS == hour]:
            del self._slots[slot]

    @classmethod
    def restore(
        cls,
        segments: Mapping[str, Stored],
        extents: Mapping[int, Extent],
        known: Known | None,
        keep: Keep = in_memory,
    ) -> "Horizon":
        """Put together what `changes` gave out, as far as the extents say.

        Parameters
        ----------
        known
            None for a state of before there were slots; all of it counts if it has no extents.
        """
        seen = cls(keep)
        hours: dict[int, dict[int, Stored]] = {}
        for name, value in segments.items():
            hour, n = (int(part) for part in name.split("."))
            hours.setdefault(hour, {})[n] = value
        if known is not None:
            seen._newest, seen._by_hour = known.newest, known.by_hour
        elif hours:
            seen._by_hour = max(extents or hours) + 1
            seen._newest = seen._by_hour * HOUR_SLOTS - 1
        for hour, found in hours.items():
            if hour not in extents and (extents or known is not None):
                seen._dropped += [f"{hour}.{n}" for n in found]
                continue
            parts = [found[n] for n in sorted(found)]
            at = seen._hours[hour] = _restored(parts, extents.get(hour), keep)
            if hour >= seen._by_hour:
                slots = max(0, seen._newest + 1 - hour * HOUR_SLOTS)
                at.slots = (1 << min(slots, HOUR_SLOTS)) - 1
        return seen


def _restored(segments: list[Stored], extent: Extent | None, keep: Keep) -> _Hour:
    """An hour from its segments, in their order; no more than a run of it is in memory at once."""
    at = _Hour(EVERY_SLOT)
    ids = bytearray()
    heads = (int.from_bytes(segment[:SEGMENT_HEAD]) for segment in segments)
    most, at.used_s = extent or (sys.maxsize, float(max(heads)))
    for n, segment in enumerate(segments, start=1):
        more = segment[SEGMENT_HEAD : SEGMENT_HEAD + ID_BYTES * (most - at.count)]
        at.count += len(more) // ID_BYTES
        ids += more
        if n == len(segments) or len(ids) > MOST_RUN_BYTES - SEGMENT_BYTES:
            if whole := len(ids) // SEGMENT_BYTES * SEGMENT_BYTES:
                at.runs = with_run(at.runs, bytes(ids[:whole]), keep)
            del ids[:whole]
    at.tail = keep(bytes(ids))
    return at
