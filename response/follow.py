"""Follows a topic through the log from a bounded place in the past, whatever comes between."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

from streams.log.patience import patiently
from streams.log.port import Log, LogRecord

FIRST_PROBE = 400
"""Records from the end at which `since` looks first; each further look is four times as far."""

Apply = Callable[[Sequence[LogRecord]], None]


async def follow(
    log_: Log,
    topic: str,
    apply: Apply,
    *,
    since_ms: int,
    most: int,
    ready: Callable[[], None],
) -> None:
    """Read a topic for ever, from about `since_ms` and at most `most` records a partition back.

    Parameters
    ----------
    ready
        Called once, when all that was there at the start has been applied.
    """

    async def begin() -> tuple[dict[int, int], dict[int, int]]:
        return await log_.ends(topic), await since(log_, topic, since_ms, most)

    ends, position = await patiently(begin, who=f"reading {topic}")
    if whole := _reached(position, ends):
        ready()

    async def go_on() -> None:
        nonlocal whole
        async for chunk in log_.read(topic, start=position, follow=True):
            apply(chunk)
            for record in chunk:
                position[record.partition] = record.offset + 1
            if not whole and _reached(position, ends):
                whole = True
                ready()
            await asyncio.sleep(0)

    await patiently(go_on, who=f"reading {topic}")


def _reached(position: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return all(position.get(partition, 0) >= end for partition, end in ends.items())


async def since(log_: Log, topic: str, since_ms: int, most: int) -> dict[int, int]:
    """Where to begin so that all after `since_ms` is read, at most `most` records a partition.

    The port has no look-up by time; a few looks at growing distance from the end do.
    """
    starts, ends = await log_.starts(topic), await log_.ends(topic)
    found = dict(starts)
    for partition, end in ends.items():
        first, back = max(starts.get(partition, 0), end - most), FIRST_PROBE
        while (place := end - back) > first:
            if await _older(log_, topic, partition, place, since_ms):
                first = place
                break
            back *= 4
        found[partition] = first
    return found


async def _older(log_: Log, topic: str, partition: int, place: int, since_ms: int) -> bool:
    async with aclosing(
        log_.read(topic, start={partition: place}, partitions=[partition])  # type: ignore[type-var] # the port says AsyncIterator; every log of ours is a generator
    ) as chunks:
        async for chunk in chunks:
            for record in chunk:
                return record.timestamp_ms < since_ms
    return False
