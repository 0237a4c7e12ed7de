"""Dedupe over a bounded horizon: connectors are at-least-once, a repeat is not a second complaint.

Ids are kept as 64-bit hashes, apart by the hour in which the mention was published (a repeat
carries the same time, so one look-up in one hour suffices), in segments small enough to be single
changelog values. An hour is forgotten when the watermark is a horizon past its last use.

Segments only grow, so a count of ids per hour says exactly which of them a state had seen: what a
torn flush wrote beyond it is cut off.

Only an hour in use has its ids in a set, which takes ten times the memory of its segments; one that
rests gets its set back when it is asked for.
"""

from collections.abc import Mapping
from hashlib import blake2b
from math import inf
from typing import Literal

SEGMENT_IDS = 1000
"""Ids per segment: 8 bytes each, so that a value stays below 8 KB."""

HOUR_S = 3600
FORGET_EVERY_S = 900
RESTS_AFTER_S = 900
"""Of a watermark's way since an hour's last use; almost all repeats come sooner."""

SEGMENT_HEAD = 8
"""Bytes before the ids: the hour's last use, in epoch seconds."""

Extent = tuple[int, float]
"""(ids, last use as a watermark in epoch seconds) of one hour."""

Freshness = Literal["fresh", "repeat", "revision"]


def id_hash(mention_id: str, revision: int = 0) -> bytes:
    """8 bytes; two million ids collide with a chance of 1e-7."""
    name = f"{mention_id}#{revision}" if revision else mention_id
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


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

    def __init__(self) -> None:
        self._segments: dict[int, list[bytearray]] = {}
        self._in_use: dict[int, set[bytes]] = {}
        self._used_s: dict[int, float] = {}
        self._forgotten_s = -inf
        self._changed: set[tuple[int, int]] = set()
        self._dropped: set[tuple[int, int]] = set()

    def __len__(self) -> int:
        return sum(self._count(hour) for hour in self._segments)

    def admit(
        self, mention_id: str, revision: int, *, published_s: float, watermark_s: float
    ) -> Freshness:
        """Remember an id and say whether it is new, a repeat, or an edit of a known mention."""
        hour = int(published_s // HOUR_S)
        ids = self._in_use.get(hour)
        if ids is None:
            ids = self._in_use[hour] = self._ids(hour)
        known = id_hash(mention_id)
        first = known not in ids
        if first:
            self._add(hour, ids, known)
        self._used_s[hour] = max(self._used_s.get(hour, watermark_s), watermark_s)
        if not revision:
            return "fresh" if first else "repeat"
        edited = id_hash(mention_id, revision)
        if edited in ids:
            return "repeat"
        self._add(hour, ids, edited)
        return "fresh" if first else "revision"

    def _add(self, hour: int, ids: set[bytes], digest: bytes) -> None:
        ids.add(digest)
        segments = self._segments[hour]
        if len(segments[-1]) >= 8 * SEGMENT_IDS:
            segments.append(bytearray())
        segments[-1] += digest
        self._changed.add((hour, len(segments) - 1))

    def forget(self, *, watermark_s: float, horizon_s: float) -> None:
        """Drop the hours that were last used a horizon before the watermark; let others rest."""
        # In whole quarters of an hour: most minutes have nothing to look through.
        now_s = watermark_s // FORGET_EVERY_S * FORGET_EVERY_S
        if now_s <= self._forgotten_s:
            return
        self._forgotten_s = now_s
        for hour in [h for h in self._in_use if self._used_s[h] < now_s - RESTS_AFTER_S]:
            del self._in_use[hour]
        for hour in [h for h, used_s in self._used_s.items() if used_s < now_s - horizon_s]:
            self._drop(hour)

    def changes(self) -> dict[str, bytes | None]:
        """Segments to write since the last call (None: delete), by name; the last use leads."""
        out: dict[str, bytes | None] = {
            f"{hour}.{n}": int(self._used_s[hour]).to_bytes(8) + bytes(self._segments[hour][n])
            for hour, n in self._changed
        }
        out |= {f"{hour}.{n}": None for hour, n in self._dropped if hour not in self._segments}
        self._changed, self._dropped = set(), set()
        return out

    def extents(self) -> dict[int, Extent]:
        """How much of each hour there is."""
        return {hour: (self._count(hour), self._used_s[hour]) for hour in self._segments}

    def load(self, name: str, value: bytes) -> None:
        """Put back a segment that `changes` gave out."""
        hour, n = (int(part) for part in name.split("."))
        segments = self._segments.setdefault(hour, [])
        while len(segments) <= n:
            segments.append(bytearray())
        segments[n] = bytearray(value[8:])
        used_s = float(int.from_bytes(value[:8]))
        self._used_s[hour] = max(self._used_s.get(hour, used_s), used_s)
        self._in_use.pop(hour, None)

    def cut(self, extents: Mapping[int, Extent]) -> None:
        """Forget what was loaded beyond these extents."""
        for hour in set(self._segments) - set(extents):
            self._drop(hour)
        for hour, (count, used_s) in extents.items():
            if hour in self._segments:
                self._used_s[hour] = used_s
                if self._count(hour) > count:
                    self._cut(hour, count)

    def _count(self, hour: int) -> int:
        return sum(map(len, self._segments[hour])) // 8

    def _ids(self, hour: int) -> set[bytes]:
        segments = self._segments.setdefault(hour, [bytearray()])
        return {
            bytes(segment[i : i + 8]) for segment in segments for i in range(0, len(segment), 8)
        }

    def _cut(self, hour: int, count: int) -> None:
        segments = self._segments[hour]
        whole = max(1, -(-count // SEGMENT_IDS))
        del segments[whole:]
        del segments[-1][8 * (count - (whole - 1) * SEGMENT_IDS) :]
        self._in_use.pop(hour, None)

    def _drop(self, hour: int) -> None:
        del self._used_s[hour]
        self._in_use.pop(hour, None)
        count = len(self._segments.pop(hour))
        self._dropped |= {(hour, n) for n in range(count)}
        self._changed = {key for key in self._changed if key[0] != hour}
