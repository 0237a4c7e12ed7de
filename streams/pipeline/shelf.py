"""Open minutes beyond the newest few are kept in parts of their own, so that `hot` stays small.

Many minutes are open where a watermark stands still (a lone source that reads its backlog) or the
allowed lateness is long: at over a kilobyte each, 800 of them in one value were more than the log
takes, and the worker stopped for good.
"""

from hashlib import blake2b
from itertools import groupby
from typing import NamedTuple

import msgspec

from streams.pipeline.minutes import OpenMinute

OPEN = "open."
"""First word of a part's name; then the hour."""

MOST_HOT = 16
"""Newest minutes that stay in `hot`, which is written with every flush."""

GROUP_S = 3600
"""Of minutes that share a part: 60 of them are some 100 KB."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[int, OpenMinute])


class Sorted(NamedTuple):
    """What a flush writes of the open minutes."""

    hot: dict[int, OpenMinute]
    changed: dict[str, bytes]
    """Parts to write."""
    gone: list[str]
    """Parts that hold nothing any more."""


class Shelf:
    """Knows what was written of one brand's older open minutes."""

    def __init__(self) -> None:
        self._written: dict[str, bytes] = {}
        """Digests by part."""

    def sort(self, minutes: dict[int, OpenMinute]) -> Sorted:
        """Tell the newest minutes from the others, and of these what has changed since."""
        if len(minutes) <= MOST_HOT and not self._written:
            return Sorted(minutes, {}, [])
        order = sorted(minutes)
        parts = {
            f"{OPEN}{hour}": _encoder.encode({at: minutes[at] for at in starts})
            for hour, starts in groupby(order[:-MOST_HOT], lambda at: at // GROUP_S)
        }
        digests = {name: _digest(value) for name, value in parts.items()}
        before, self._written = self._written, digests
        changed = {n: v for n, v in parts.items() if before.get(n) != digests[n]}
        newest = {at: minutes[at] for at in order[-MOST_HOT:]}
        return Sorted(newest, changed, [n for n in before if n not in parts])

    def take_back(self, name: str, value: bytes) -> dict[int, OpenMinute]:
        """Decode a part that was written."""
        self._written[name] = _digest(value)
        return _decoder.decode(value)


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
