"""From the log back to live states, and the records that a consumer passed by."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection
from time import monotonic

from detectors.anomaly.bank import BankConfig
from streams.log.port import Log
from streams.pipeline.recovered import Recovered
from streams.pipeline.runs import Keep
from streams.pipeline.state import PartitionState
from streams.topics import MENTIONS
from streams.worker import metrics

log = logging.getLogger(__name__)


async def restored(
    store: Log,
    state_topic: str,
    partitions: Collection[int],
    bank: BankConfig,
    new_keep: Callable[[], Keep],
) -> dict[int, PartitionState]:
    """Read the states of partitions back from the changelog, all in one go.

    What is put away while reading is gone with this call; the states begin elsewhere.
    """
    wanted = sorted(partitions)
    began = monotonic()
    found, keep = Recovered(new_keep()), new_keep()
    values = 0
    async for chunk in store.read(state_topic, partitions=wanted):
        for record in chunk:
            if record.key is not None:
                found.feed(record.key.decode(), record.value)
                values += 1
    starts = await store.starts(MENTIONS)
    states = {}
    for partition in wanted:
        await asyncio.sleep(0)  # sorting millions of ids takes a while
        state = states[partition] = found.take(partition, bank, keep)
        if state.applied < 0:
            # A new group starts at the oldest record that is kept.
            state.applied = starts.get(partition, 0) - 1
    metrics.RESTORED.inc(values)
    log.info(
        "Restored %d partitions from %d values in %.1f s", len(wanted), values, monotonic() - began
    )
    return states


async def between(
    store: Log, partition: int, first: int, end: int
) -> AsyncGenerator[tuple[int, bytes | None], None]:
    """Offset and value of the mentions records from `first` to before `end`."""
    async for chunk in store.read(MENTIONS, start={partition: first}, partitions=[partition]):
        for record in chunk:
            if record.offset >= end:
                return
            yield record.offset, record.value
