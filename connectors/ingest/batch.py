"""Fills batches: one record carries up to 500 mentions of one brand, and none waits for long.

The clock is an argument. A quiet brand's mention leaves at once: nothing of its brand has left for
`wait_s`. A busy brand's batch leaves every `wait_s`, or when it is full.
"""

from dataclasses import dataclass, field
from math import inf

import msgspec

from streams.records import LIVE, Batch, Mention, Run

MAX_MENTIONS = 500
"""Of a record, as its contract says (streams/records.py)."""
MAX_BYTES = 256 * 1024
"""A quarter of what a record may have (streams/log/port.py): its scored batch has to fit, too."""
WAIT_S = 0.2
"""Longest that a mention of a busy brand waits for its batch."""

_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class _Open:
    mentions: list[Mention] = field(default_factory=list)
    size: int = 0


class Batcher:
    """Collects mentions by brand and hands out full batches in order.

    Parameters
    ----------
    run
        The run that every batch belongs to.
    max_mentions, max_bytes, wait_s
        A batch leaves at whichever is reached first. A single mention larger than `max_bytes`
        leaves alone.
    """

    def __init__(
        self,
        run: Run = LIVE,
        *,
        max_mentions: int = MAX_MENTIONS,
        max_bytes: int = MAX_BYTES,
        wait_s: float = WAIT_S,
    ) -> None:
        self.run = run
        self._max_mentions = max_mentions
        self._max_bytes = max_bytes
        self._wait_s = wait_s
        self._open: dict[str, _Open] = {}
        self._left: dict[str, float] = {}

    def __len__(self) -> int:
        return sum(len(o.mentions) for o in self._open.values())

    def add(self, brand: str, mention: Mention, *, now: float) -> list[Batch]:
        """Take a mention; return the batches that it filled (none, one or two)."""
        size = len(_encoder.encode(mention))
        full: list[Batch] = []
        held = self._open.get(brand)
        if held and held.size + size > self._max_bytes:
            full.append(self._close(brand, now))
            held = None
        if held is None:
            held = self._open[brand] = _Open()
        held.mentions.append(mention)
        held.size += size
        if len(held.mentions) >= self._max_mentions or held.size >= self._max_bytes:
            full.append(self._close(brand, now))
        return full

    def due(self, *, now: float) -> list[Batch]:
        """Return the batches of brands of which nothing has left for `wait_s`."""
        late = [b for b in self._open if now - self._left.get(b, -inf) >= self._wait_s]
        return [self._close(brand, now) for brand in late]

    def flush(self) -> list[Batch]:
        """Return all that is held."""
        return [self._close(brand) for brand in list(self._open)]

    def _close(self, brand: str, now: float = -inf) -> Batch:
        self._left[brand] = now
        return Batch(brand, tuple(self._open.pop(brand).mentions), self.run)
