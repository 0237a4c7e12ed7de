"""Keeps the embedded log small: retention and compaction, a slice at a time beside the service.

Finding what may go reads beside the writers; deleting takes short transactions of their thread, so
that no append waits for longer than some milliseconds. Freed pages are used again: the file is as
large as the log has been at its largest.

Compaction keeps the newest record of each key. As with Kafka, followers see every version for a
while (`COMPACTION_LAG_MS`), tombstones stay for a day, and the last record of a partition stays for
ever: the log's end is what readers measure themselves by.
"""

import asyncio
import logging
from typing import NamedTuple

from streams.log.embedded import EmbeddedLog
from streams.log.port import Log, Unavailable
from streams.log.store import LANE_BITS, Store, now_ms
from streams.settings import RootSettings
from streams.topics import DAY_MS

_log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
"""Between two rounds of upkeep."""

SLICE = 1_000
"""Records deleted in one transaction."""

COMPACTION_LAG_MS = 60_000
TOMBSTONES_MS = DAY_MS

DIRTY_RATIO = 0.5
"""Compact when that share of a partition was written since the last time (Kafka's default)."""

DIRTY_LEAST = 1_000
"""... and at least so many records: small partitions are read in no time."""

DIRTY_MOST = 200_000
"""Written records that one round looks at: what a round holds in memory is bounded."""


class Kept(NamedTuple):
    """What one round of upkeep took away."""

    expired: int
    compacted: int


async def maintain(log: EmbeddedLog, *, now: int | None = None, thorough: bool = False) -> Kept:
    """Do one round: delete expired records, compact what has grown.

    Parameters
    ----------
    now
        Epoch milliseconds; None: the wall clock.
    thorough
        Compact partitions of which little has changed, too.
    """
    moment = now_ms() if now is None else now
    expired = compacted = 0
    for topic in await log.run(lambda store: store.topics()):
        for lane in topic.lanes:
            if topic.retention_ms is not None:
                expired += await _expire(log, lane, moment - topic.retention_ms)
            if topic.compacted:
                compacted += await _compact(log, lane, moment, thorough=thorough)
    return Kept(expired, compacted)


async def _expire(log: EmbeddedLog, lane: int, before_ms: int) -> int:
    """Delete the records before the first one that is young enough."""
    done = 0
    while ids := await log.run(lambda store: _old(store, lane, before_ms)):
        await log.delete(ids, lane=lane)
        done += len(ids)
    return done


async def _compact(log: EmbeddedLog, lane: int, now: int, *, thorough: bool) -> int:
    plan = await log.run(lambda store: _plan(store, lane, now, thorough=thorough))
    if plan is None:
        return 0
    upto, stale = plan
    for at in range(0, len(stale), SLICE):
        await log.delete(stale[at : at + SLICE], lane=lane)
    await log.delete([], lane=lane, compacted_to=upto)
    return len(stale)


# -- beside the writers, in a reading thread


def _old(store: Store, lane: int, before_ms: int) -> list[int]:
    ids = []
    with store.reading() as db:
        rows = db.execute(
            "SELECT id, timestamp_ms FROM records WHERE id>=? AND id<? ORDER BY id LIMIT ?",
            (lane << LANE_BITS, (lane + 1) << LANE_BITS, SLICE),
        )
        for number, timestamp_ms in rows:
            if timestamp_ms >= before_ms:
                break
            ids.append(number)
    return ids


def _plan(store: Store, lane: int, now: int, *, thorough: bool) -> tuple[int, list[int]] | None:
    """Offset up to which to compact, and the row ids that may go; None if it is not worth it.

    The keys are sorted by SQLite, which takes a temporary file when they are many.
    """
    base = lane << LANE_BITS
    with store.reading() as db:
        end, cleaned = db.execute(
            "SELECT next, compacted_to FROM lanes WHERE id=?", (lane,)
        ).fetchone()
        dirty = end - cleaned
        if dirty == 0 or not (thorough or dirty >= DIRTY_LEAST):
            return None
        rows = "FROM records WHERE id>=? AND id<?"
        (clean,) = db.execute(f"SELECT count(*) {rows}", (base, base | cleaned)).fetchone()
        if not thorough and dirty < DIRTY_RATIO * (clean + dirty):
            return None
        # Up to the first record that is too young, and never the last one.
        young = db.execute(
            f"SELECT id {rows} AND timestamp_ms>? ORDER BY id LIMIT 1",
            (base | cleaned, base | end, now - COMPACTION_LAG_MS),
        ).fetchone()
        upto = min((young[0] if young else base | end) - base, cleaned + DIRTY_MOST)
        if upto <= cleaned:
            return None
        stale = [
            number
            for (number,) in db.execute(
                f"SELECT id {rows} AND key IS NOT NULL AND id NOT IN "
                f"(SELECT max(id) {rows} AND key IS NOT NULL GROUP BY key)",
                (base, base | upto, base, base | upto),
            )
        ]
        # A tombstone that is the newest of its key has nothing left to hide.
        stale += [
            number
            for (number,) in db.execute(
                f"SELECT id {rows} AND value IS NULL AND timestamp_ms<? AND id IN "
                f"(SELECT max(id) {rows} AND key IS NOT NULL GROUP BY key)",
                (base, base | min(upto, end - 1), now - TOMBSTONES_MS, base, base | end),
            )
        ]
    return upto, sorted(set(stale))


async def serve(settings: RootSettings, log: Log) -> None:  # noqa: ARG001 - a service's signature
    """Keep the embedded log small until cancelled; Kafka does this by itself."""
    while isinstance(log, EmbeddedLog):
        # First a pause: the start belongs to those who wait for it.
        await asyncio.sleep(EVERY_SECONDS)
        try:
            kept = await maintain(log)
        except Unavailable as e:
            _log.info("Upkeep waits for its next turn: %s", e)
        else:
            if any(kept):
                _log.info("Upkeep: %d records expired, %d compacted", *kept)
