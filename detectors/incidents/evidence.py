"""The recent past of one brand in constant memory, and what carries an excess when one is found."""

import math

import msgspec

from detectors.incidents.bucket import (
    MAX_KEYS,
    MAX_NAME,
    SLOT_S,
    Bucket,
    OpenBucket,
    add,
    cut,
    merge,
)
from detectors.incidents.detection import MINUTE_S
from detectors.incidents.explain import Peak, Window, explain
from detectors.incidents.explanation import Explanation
from detectors.incidents.observation import Observation
from detectors.incidents.phrases import Background
from detectors.incidents.snapshot import Snapshots

__all__ = ["Evidence", "Observation"]

MAX_OPEN = 16
"""Open minutes kept apart; the oldest of more is closed early (a source that delivers hours)."""
OPEN_SAMPLE = 12
"""Texts of an open minute kept of each kind, thinned evenly when twice as many have come."""
MAX_SPREADING = 5
"""Posts of the widest reach that are remembered."""
SPREADING_S = 86_400
"""For so long: a post may be passed on a day after it was written."""

RUNGS: tuple[tuple[int, int, tuple[int, int, int]], ...] = (
    # (length in s, how many are left behind, (negative sample, other sample, authors) of each)
    (60, 3, (6, 2, 12)),
    (300, 2, (6, 2, 12)),
    (1800, 2, (3, 1, 8)),
    (14_400, 6, (2, 1, 6)),
)
"""A ladder of ever longer buckets over 28 hours: exact near the onset, coarse a day ago. Buckets
climb together, all of one longer bucket at once: that is a fifth of the work and a fairer sample
than adding them one by one."""


class _State(msgspec.Struct, array_like=True):
    closed_s: int
    open: list[OpenBucket]
    rungs: list[list[Bucket]]
    spreading: list[Observation]
    background: Background


_snapshots = Snapshots("evidence", 1, _State, packed=True)


class Evidence:
    """What a brand's mentions of the last day looked like. Mutable: its owner uses it linearly."""

    def __init__(self) -> None:
        self._closed_s = 0
        self._open: dict[int, OpenBucket] = {}
        self._rungs: list[list[Bucket]] = [[] for _ in RUNGS]
        self._spreading: list[Observation] = []
        self._background = Background()
        self._least_reach = 1.0
        """What a mention has to exceed to be one of the furthest-spreading."""
        self._oldest_s = math.inf
        """Time of the oldest of these."""

    def observe(self, o: Observation) -> None:
        """Take one mention (never the brand's own). One that is late counts in the open minute."""
        at_s = int(o.at_s)
        minute_s = at_s - at_s % MINUTE_S
        if minute_s <= self._closed_s:
            minute_s = self._closed_s + MINUTE_S
        bucket = self._open.get(minute_s)
        if bucket is None:
            bucket = self._opened(minute_s)
        bucket.mentions += 1
        negative = o.negative
        bucket.negative += negative
        add(bucket.channels, o.source, 1.0, negative)
        if o.topics:
            part = 1.0 / len(o.topics)
            for topic in o.topics:
                add(bucket.topics, topic, part, part * negative)
        if o.author:
            add(bucket.authors, o.author[:MAX_NAME], 1.0, negative)
        bucket.slots[at_s % MINUTE_S // SLOT_S] += 1
        if o.sentiment == "negative":
            bucket.bad_seen += 1
            if bucket.bad_seen % bucket.bad_stride == 0:
                bucket.bad.append(o)
                if len(bucket.bad) >= 2 * OPEN_SAMPLE:
                    bucket.bad = bucket.bad[::2]
                    bucket.bad_stride *= 2
            if o.reach > self._least_reach:
                self._spread(o)
        else:
            bucket.rest_seen += 1
            if bucket.rest_seen % bucket.rest_stride == 0:
                bucket.rest.append(o)
                if len(bucket.rest) >= OPEN_SAMPLE:
                    bucket.rest = bucket.rest[::2]
                    bucket.rest_stride *= 2

    def passed_on(self, o: Observation) -> None:
        """Take a known mention that has spread further: no further mention, but told of its way."""
        if o.sentiment == "negative" and o.reach > self._least_reach:
            self._spread(o)

    def advance(self, minute_s: int) -> bool:
        """Every minute that starts at or before `minute_s` is over; whether any held a mention."""
        over = sorted([start_s for start_s in self._open if start_s <= minute_s])
        for start_s in over:
            self._close(start_s)
        self._closed_s = max(self._closed_s, minute_s)
        horizon_s = minute_s - SPREADING_S
        if self._oldest_s < horizon_s:
            self._keep_spreading([o for o in self._spreading if o.at_s >= horizon_s])
        return bool(over)

    def explain(
        self,
        *,
        signal: str,
        onset_s: int,
        observed: float,
        expected: float,
        peak: Peak | None = None,
        until_s: float | None = None,
        ignore: str = "",
    ) -> Explanation:
        """What carries the excess since `onset_s`.

        Parameters
        ----------
        observed, expected
            Sums over the window in the signal's unit.
        peak
            The strongest minute's figures, if known: they scale the score without the largest
            contributor.
        until_s
            End of the window; later mentions are not looked at. None: all that came.
        ignore
            Words that are no finding, such as the brand's name.
        """
        open_buckets = [
            bucket.close(bad_cap=2 * OPEN_SAMPLE, rest_cap=OPEN_SAMPLE, author_cap=MAX_KEYS)
            for start_s, bucket in sorted(self._open.items())
            if until_s is None or start_s < until_s
        ]
        buckets = [b for rung in reversed(self._rungs) for b in rung] + open_buckets
        last_s = max((b.end_s for b in buckets), default=onset_s)
        window = Window(
            signal=signal,
            onset_s=onset_s,
            until_s=int(until_s) if until_s is not None else last_s,
            observed=observed,
            expected=expected,
            peak=peak,
            ignore=ignore,
        )
        return explain(window, buckets, tuple(self._spreading), self._background)

    def snapshot(self) -> bytes:
        """A small value to store: 48 KB at most."""
        state = _State(
            self._closed_s,
            list(self._open.values()),
            self._rungs,
            self._spreading,
            self._background,
        )
        return _snapshots.write(state)

    @classmethod
    def restore(cls, data: bytes) -> "Evidence":
        """The evidence of a snapshot.

        Raises
        ------
        ValueError
            If the snapshot is of a later version or damaged.
        """
        state = _snapshots.read(data)
        evidence = cls()
        evidence._closed_s = state.closed_s
        evidence._open = {bucket.start_s: bucket for bucket in state.open}
        evidence._rungs = state.rungs
        evidence._keep_spreading(state.spreading)
        evidence._background = state.background
        return evidence

    def _opened(self, minute_s: int) -> OpenBucket:
        if len(self._open) >= MAX_OPEN:
            oldest = min(self._open)
            if minute_s < oldest:
                return self._open[oldest]
            self._close(oldest)
            self._closed_s = max(self._closed_s, oldest)
        bucket = self._open[minute_s] = OpenBucket(minute_s)
        return bucket

    def _close(self, start_s: int) -> None:
        bucket = self._open.pop(start_s)
        bad_cap, rest_cap, author_cap = RUNGS[0][2]
        closed = bucket.close(bad_cap=bad_cap, rest_cap=rest_cap, author_cap=author_cap)
        self._background.learn([*closed.bad, *closed.rest])
        self._rungs[0].append(closed)
        for rung, (_, limit, _) in enumerate(RUNGS):
            if len(self._rungs[rung]) > limit:
                self._climb(rung)

    def _climb(self, rung: int) -> None:
        """Merge what a rung holds beyond its limit, once a whole longer bucket of it is there."""
        buckets = self._rungs[rung]
        limit = RUNGS[rung][1]
        if rung + 1 == len(RUNGS):
            del buckets[: len(buckets) - limit]
            return
        length_s, _, caps = RUNGS[rung + 1]
        while len(buckets) > limit:
            start_s = buckets[0].start_s - buckets[0].start_s % length_s
            end_s = start_s + length_s
            size = 1
            while size < len(buckets) and buckets[size].start_s < end_s:
                size += 1
            if len(buckets) - size < limit:
                return
            parts = buckets[:size]
            del buckets[:size]
            above = self._rungs[rung + 1]
            if above and above[-1].start_s == start_s:
                parts.insert(0, above.pop())  # a late minute of a bucket that has climbed
            above.append(merge(parts, start_s=start_s, end_s=end_s, caps=caps))

    def _spread(self, o: Observation) -> None:
        """Keep the furthest-spreading negative mentions; an edit replaces its former self."""
        kept = [x for x in self._spreading if x.id != o.id]
        kept.append(cut(o))
        kept.sort(key=lambda x: (-x.reach, x.at_s, x.id))
        self._keep_spreading(kept[:MAX_SPREADING])

    def _keep_spreading(self, kept: list[Observation]) -> None:
        self._spreading = kept
        self._least_reach = kept[-1].reach if len(kept) >= MAX_SPREADING else 1.0
        self._oldest_s = min([o.at_s for o in kept], default=math.inf)
