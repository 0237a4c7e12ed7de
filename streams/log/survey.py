"""What is in a log, topic by topic: for `siaga topics`; reads beside a running service."""

import asyncio
from datetime import UTC, datetime

import msgspec

from streams.log.embedded import EmbeddedLog
from streams.log.port import Log
from streams.log.store import LANE_BITS, Store


class TopicSurvey(msgspec.Struct, frozen=True):
    """One topic. Times are those of the first and last record of its partitions, UTC."""

    name: str
    partitions: int
    records: int
    """Offsets between first and last on Kafka: compacted topics hold fewer."""
    oldest: datetime | None
    newest: datetime | None


async def survey(log: Log) -> list[TopicSurvey]:
    """Look at every topic of the log, by name."""
    names = sorted(await log.topics())
    return list(await asyncio.gather(*(_one(log, name) for name in names)))


async def _one(log: Log, name: str) -> TopicSurvey:
    starts, ends = await log.starts(name), await log.ends(name)
    held = [p for p, end in ends.items() if starts[p] < end]
    first = await _times(log, name, {p: starts[p] for p in held})
    last = await _times(log, name, {p: ends[p] - 1 for p in held})
    return TopicSurvey(
        name=name,
        partitions=len(ends),
        records=await _count(log, name, sum(ends[p] - starts[p] for p in held)),
        oldest=min(first, default=None),
        newest=max(last, default=None),
    )


async def _times(log: Log, name: str, at: dict[int, int]) -> list[datetime]:
    """Time of the first record at or after an offset, in each partition."""
    found: dict[int, datetime] = {}
    if at:
        async for chunk in log.read(name, start=at, partitions=sorted(at)):
            for record in chunk:
                stamp = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
                found.setdefault(record.partition, stamp)
            if len(found) == len(at):
                break
    return list(found.values())


async def _count(log: Log, name: str, at_most: int) -> int:
    if not isinstance(log, EmbeddedLog):
        return at_most
    topic = await log.topic(name)
    if topic is None:
        return 0
    lanes = topic.lanes

    def count(store: Store) -> int:
        with store.reading() as db:
            rows = db.execute(
                "SELECT count(*) FROM records WHERE id>=? AND id<?",
                (min(lanes) << LANE_BITS, (max(lanes) + 1) << LANE_BITS),
            )
            return int(rows.fetchone()[0])

    return await log.run(count)
