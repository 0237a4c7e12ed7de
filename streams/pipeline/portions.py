"""Cuts what one record led to into output records of a sane size.

A connector's batches are far below these bounds; another program may fill a record up to what the
log takes, and scored it would be more than that. The cuts depend on the mentions alone, so that a
record that is read again leads to the same ids.
"""

from collections.abc import Iterator, Sequence

import msgspec

from streams.records import Scored

MOST_MENTIONS = 500
LARGE_BYTES = 300 << 10
"""Of a record as it stood in the log; those of connectors are smaller."""
MOST_BYTES = 256 << 10
"""Of the mentions of one output; with what was understood of 500 it stays below 512 KB."""

_encoder = msgspec.json.Encoder()


def portions(scored: Sequence[Scored], *, came_as_bytes: int) -> Iterator[tuple[Scored, ...]]:
    """The scored mentions of one record, in order, in as few portions as are needed."""
    if came_as_bytes <= LARGE_BYTES and len(scored) <= MOST_MENTIONS:
        yield tuple(scored)
        return
    portion: list[Scored] = []
    size = 0
    for one in scored:
        more = len(_encoder.encode(one.mention))
        if portion and (size + more > MOST_BYTES or len(portion) >= MOST_MENTIONS):
            yield tuple(portion)
            portion, size = [], 0
        portion.append(one)
        size += more
    yield tuple(portion)
