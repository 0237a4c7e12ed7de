"""Minutes of all brands in the order of time, though partitions are read at different speeds."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from streams.records import Minute

MOST_HELD = 50_000
"""Minutes held back at most: some 40 MB."""


class _Held(NamedTuple):
    start_s: int
    name: str
    minute: Minute


class InOrder:
    """Holds minutes back until every partition that still delivers has passed them."""

    def __init__(self) -> None:
        self._heap: list[_Held] = []
        self._reached: dict[int, int] = {}

    def add(self, partition: int, minute: Minute) -> None:
        """Take a closed minute."""
        start_s = int(minute.start.timestamp())
        self._reached[partition] = max(start_s, self._reached.get(partition, 0))
        heapq.heappush(self._heap, _Held(start_s, minute.id, minute))

    def due(self, *, idle: bool) -> Iterator[Minute]:
        """Hand out what no partition will precede; everything once the log is `idle`.

        A partition that has nothing for now does not hold the others back for ever: it is
        forgotten whenever the reader has come to the end of the log.
        """
        bound_s = min(self._reached.values(), default=0)
        while self._heap and (
            idle or self._heap[0].start_s < bound_s or len(self._heap) > MOST_HELD
        ):
            yield heapq.heappop(self._heap).minute
        if idle:
            self._reached.clear()

    def __len__(self) -> int:
        return len(self._heap)
