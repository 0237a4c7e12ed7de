"""From the log back to live states, and the records that a consumer passed by."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection
from time import monotonic

import msgspec

from detectors.anomaly.bank import BankConfig
from streams.log.port import Log, LogRecord
from streams.pipeline.recovered import Recovered
from streams.pipeline.runs import Keep
from streams.pipeline.state import PartitionState
from streams.service import CannotStart
from streams.topics import INCIDENTS, MENTIONS, MINUTES, SCORED
from streams.worker import metrics

log = logging.getLogger(__name__)

BARS = 3
"""In a key of ours: partition, run, brand, part."""


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
    await _require(store, (state_topic, SCORED, MINUTES, INCIDENTS), wanted)
    began = monotonic()
    found, keep = Recovered(new_keep()), new_keep()
    values = 0
    async for chunk in store.read(state_topic, partitions=wanted):
        for record in chunk:
            if record.key is not None:
                _feed(found, record)
                values += 1
    starts = await store.starts(MENTIONS)
    states = {}
    for partition in wanted:
        await asyncio.sleep(0)  # sorting millions of ids takes a while
        try:
            state = states[partition] = found.take(partition, bank, keep)
        except msgspec.DecodeError as e:
            raise CannotStart(_unreadable(f"{state_topic} {partition}", e)) from e
        if state.applied < 0:
            # A new group starts at the oldest record that is kept.
            state.applied = starts.get(partition, 0) - 1
    metrics.RESTORED.inc(values)
    log.info(
        "Restored %d partitions from %d values in %.1f s", len(wanted), values, monotonic() - began
    )
    return states


async def _require(store: Log, topics: Collection[str], partitions: Collection[int]) -> None:
    """Somebody may have given the mentions topic more partitions than the others have."""
    for topic in topics:
        ends = await store.ends(topic)
        if missing := [p for p in partitions if p not in ends]:
            raise CannotStart(
                f"{MENTIONS} has a partition {missing[0]}, {topic} has {len(ends)} partitions: "
                "their number is fixed when the topics are made, or brands would move away from "
                "their history. Begin anew with another [log] prefix and the number that you need"
            )


def _feed(found: Recovered, record: LogRecord) -> None:
    """Take one value; one of another program is passed by, one of ours must be readable."""
    where = f"{record.topic} {record.partition} at {record.offset}"
    try:
        key = (record.key or b"").decode()
        ours = int(key.split("|", 3)[0]) == record.partition and key.count("|") >= BARS
    except ValueError:
        ours = False
    if not ours:
        log.warning("Value of another program in %s is passed by: key %.80r", where, record.key)
        return
    try:
        found.feed(key, record.value)
    except msgspec.DecodeError as e:
        # To go on without it would count again what it covers, or lose it.
        raise CannotStart(_unreadable(where, e)) from e


def _unreadable(where: str, error: Exception) -> str:
    return (
        f"the state in {where} cannot be read ({error}): a newer Siaga wrote it, or another "
        "program did. Run that version, or set [worker] id to a new name to begin without it"
    )


async def between(
    store: Log, partition: int, first: int, end: int
) -> AsyncGenerator[tuple[int, bytes | None], None]:
    """Offset and value of the mentions records from `first` to before `end`."""
    async for chunk in store.read(MENTIONS, start={partition: first}, partitions=[partition]):
        for record in chunk:
            if record.offset >= end:
                return
            yield record.offset, record.value
