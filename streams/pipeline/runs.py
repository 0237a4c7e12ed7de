"""Sorted runs of 64-bit ids, looked up where they are kept without being read as a whole.

Ids are hashes, hence evenly spread: the k-th of n lies near k/n of the way, give or take a few
square roots of n. So a look-up reads one small window of a run, whatever its length.

Small runs are merged into larger ones like the digits of a binary counter, so that there are few.
A run is local and lives as long as its process: ids stand in the machine's own byte order.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable
from math import isqrt
from typing import Protocol

import numpy as np

ID_BYTES = 8
ID_BITS = 8 * ID_BYTES

MOST_RUN_BYTES = 1 << 20
"""A merge takes 2 ms at this size, and the stream waits for it."""

YOUNG_IDS = 1000
OLD_PER_YOUNG = 32
"""So many ids of a growing set, and at most this share of it, are a set of Python's."""

WINDOW_ROOTS = 2
"""Half a window in square roots of the run's length: four standard deviations (the place of a
uniform order statistic deviates by half a root at most), so one look-up in 16,000 reads it all."""


class Stored(Protocol):
    """Bytes that are kept somewhere; given back when nobody holds them any more."""

    def __len__(self) -> int:
        """How many bytes."""

    def __getitem__(self, part: slice, /) -> bytes:
        """Some of them."""


Keep = Callable[[bytes], Stored]
"""Where bytes go that are seldom asked for."""


def in_memory(value: bytes) -> Stored:
    """Keep bytes as they are.

    Examples
    --------
    >>> in_memory(b"abc")[1:]
    b'bc'
    """
    return value


def with_run(runs: tuple[Stored, ...], ids: bytes, keep: Keep) -> tuple[Stored, ...]:
    """The runs and these ids, which none of them holds."""
    while runs and len(runs[-1]) <= len(ids) <= MOST_RUN_BYTES - len(runs[-1]):
        ids += runs[-1][:]
        runs = runs[:-1]
    return (*runs, keep(_sorted(ids)))


def holds(run: Stored, digest: bytes) -> bool:
    """Whether a run holds an id.

    Examples
    --------
    >>> (run,) = with_run((), b"kirimkan" b"paketnya", in_memory)
    >>> holds(run, b"paketnya"), holds(run, b"kirimkan"), holds(run, b"kirimnya")
    (True, True, False)
    """
    wanted = int.from_bytes(digest, sys.byteorder)
    count = len(run) // ID_BYTES
    near, reach = wanted * count >> ID_BITS, WINDOW_ROOTS * isqrt(count) + 1
    first, end = max(0, near - reach), min(count, near + reach)
    window = _ids(run, first, end)
    at = bisect_left(window, wanted)
    if (at == 0 and first > 0) or (at == len(window) and end < count):
        # It may lie outside.
        window = _ids(run, 0, count)
        at = bisect_left(window, wanted)
    return at < len(window) and window[at] == wanted


class Ids:
    """A growing set of ids in memory, at a tenth of what a set of bytes takes.

    Examples
    --------
    >>> ids = Ids()
    >>> ids.add(b"kirimkan")
    >>> b"kirimkan" in ids, b"paketnya" in ids, len(ids)
    (True, False, 1)
    """

    __slots__ = ("_old", "_young")

    def __init__(self) -> None:
        self._young: set[bytes] = set()
        self._old = array("Q")
        """Sorted."""

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __contains__(self, digest: bytes) -> bool:
        if digest in self._young:
            return True
        wanted = int.from_bytes(digest, sys.byteorder)
        at = bisect_left(self._old, wanted)
        return at < len(self._old) and self._old[at] == wanted

    def add(self, digest: bytes) -> None:
        """Add an id that is not here."""
        self._young.add(digest)
        if len(self._young) >= max(YOUNG_IDS, len(self._old) // OLD_PER_YOUNG):
            self._old = array("Q", _sorted(self._old.tobytes() + b"".join(self._young)))
            self._young = set()


def _sorted(ids: bytes) -> bytes:
    # Twenty times as fast as Python's, which makes an object of each.
    return np.sort(np.frombuffer(ids, np.uint64)).tobytes()


def _ids(run: Stored, first: int, end: int) -> memoryview:
    return memoryview(run[ID_BYTES * first : ID_BYTES * end]).cast("Q")
