"""Topics, records and positions in the file of the embedded log (see database.py).

A topic's partition is a *lane*. A record's row id is `lane << 40 | offset`, so that one B-tree
holds all records in the order in which they are read, an append goes to its lane's end, and a read
is one range scan. Offsets come from `lanes.next` inside the writing transaction: they never repeat,
also when several processes write or when records were deleted.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from streams.log.database import Database
from streams.topics import TopicSpec

LANE_BITS = 40
"""A lane holds 2**40 records (a million a second for twelve days), and there are 2**23 lanes."""


class Topic(NamedTuple):
    """A topic of the file; `lanes[partition]` is the lane's number."""

    id: int
    name: str
    compacted: bool
    retention_ms: int | None
    lanes: tuple[int, ...]


class Row(NamedTuple):
    """A record to be written."""

    lane: int
    timestamp_ms: int
    key: bytes | None
    headers: bytes | None
    value: bytes | None


class Stored(NamedTuple):
    """A record as it was read."""

    lane: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: bytes | None
    value: bytes | None


class Commit(NamedTuple):
    """A consumer's next offset in a lane, written in the same transaction order as records."""

    consumer: str
    lane: int
    next: int


class Wanted(NamedTuple):
    """What to read of a lane: offsets from `start` to before `end`."""

    lane: int
    start: int
    end: int | None = None


class Store:
    """One open file. Writing methods belong to one thread; reading ones to any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Database(path)
        self.reading = self._file.reading
        """For those who look at more than there are methods for."""
        self._topics: dict[str, Topic] = {}

    def close(self) -> None:
        """Close the file; the threads that use it must have ended their calls."""
        self._file.close()

    # -- topics

    def known(self, name: str) -> Topic | None:
        """Return a topic that this process has seen, without touching the file."""
        return self._topics.get(name)

    def topic(self, name: str) -> Topic | None:
        """Return a topic by its full name, or None; topics never change once made."""
        known = self._topics.get(name)
        if known is None:
            self._topics.update((t.name, t) for t in self.topics() if t.name not in self._topics)
            known = self._topics.get(name)
        return known

    def topics(self) -> list[Topic]:
        """Return all topics, by name."""
        with self.reading() as db:
            rows = db.execute(
                "SELECT t.id, t.name, t.compacted, t.retention_ms, l.id FROM topics t "
                "JOIN lanes l ON l.topic = t.id ORDER BY t.name, l.partition"
            )
            found: dict[str, Topic] = {}
            for number, name, compacted, retention_ms, lane in rows:
                t = found.get(name) or Topic(number, name, bool(compacted), retention_ms, ())
                found[name] = t._replace(lanes=(*t.lanes, lane))
            return list(found.values())

    def ensure(self, specs: Iterable[TopicSpec], partitions: int) -> None:
        """Create the topics that are missing (writer's thread)."""
        missing = [s for s in specs if self.topic(s.name) is None]
        if not missing:
            return
        with self._file.writing() as db:
            for spec in missing:
                count = spec.partitions or partitions
                made = db.execute(
                    "INSERT INTO topics(name, partitions, compacted, retention_ms) "
                    "VALUES (?,?,?,?) ON CONFLICT(name) DO NOTHING RETURNING id",
                    (spec.name, count, spec.compacted, spec.retention_ms),
                ).fetchall()
                for (topic,) in made:
                    db.executemany(
                        "INSERT INTO lanes(topic, partition) VALUES (?,?)",
                        ((topic, partition) for partition in range(count)),
                    )

    # -- writing (the writer's thread)

    def write(self, rows: Sequence[Row], commits: Sequence[Commit]) -> list[int]:
        """Append rows and set positions in one transaction; returns the rows' offsets."""
        offsets: list[int] = []
        with self._file.writing() as db:
            heads: dict[int, int] = {}
            values = []
            for lane, timestamp_ms, key, headers, value in rows:
                offset = heads.get(lane)
                if offset is None:
                    offset = db.execute("SELECT next FROM lanes WHERE id=?", (lane,)).fetchone()[0]
                heads[lane] = offset + 1
                offsets.append(offset)
                values.append((lane << LANE_BITS | offset, timestamp_ms, key, headers, value))
            db.executemany("INSERT INTO records VALUES (?,?,?,?,?)", values)
            db.executemany(
                "UPDATE lanes SET next=? WHERE id=?", [(n, lane) for lane, n in heads.items()]
            )
            if commits:
                db.executemany(
                    "INSERT INTO positions VALUES (?,?,?) "
                    "ON CONFLICT(consumer, lane) DO UPDATE SET next=excluded.next",
                    commits,
                )
        return offsets

    def delete(self, ids: Sequence[int], *, lane: int, compacted_to: int | None = None) -> None:
        """Delete records by row id in one short transaction."""
        with self._file.writing() as db:
            db.executemany("DELETE FROM records WHERE id=?", [(i,) for i in ids])
            if compacted_to is not None:
                db.execute("UPDATE lanes SET compacted_to=? WHERE id=?", (compacted_to, lane))

    # -- reading (any thread)

    def ends(self, lanes: Iterable[int]) -> dict[int, int]:
        """Offset after the last record by lane."""
        with self.reading() as db:
            query = "SELECT next FROM lanes WHERE id=?"
            return {lane: db.execute(query, (lane,)).fetchone()[0] for lane in lanes}

    def starts(self, lanes: Iterable[int]) -> dict[int, int]:
        """Offset of the first record kept by lane; of an empty lane: its end."""
        with self.reading() as db:
            found = {}
            for lane in lanes:
                # The end first: a record that comes between the two must not be passed by.
                end = db.execute("SELECT next FROM lanes WHERE id=?", (lane,)).fetchone()[0]
                first = db.execute(
                    "SELECT id FROM records WHERE id>=? AND id<? ORDER BY id LIMIT 1",
                    (lane << LANE_BITS, lane << LANE_BITS | end),
                ).fetchone()
                found[lane] = _offset(first[0]) if first else end
            return found

    def positions(self, consumer: str) -> dict[int, int]:
        """Next offset that a consumer has committed, by lane."""
        with self.reading() as db:
            query = "SELECT lane, next FROM positions WHERE consumer=?"
            return dict(db.execute(query, (consumer,)))

    def read(self, wanted: Sequence[Wanted], *, max_rows: int, max_bytes: int) -> list[Stored]:
        """Read lanes in turn until all are read or the chunk is full.

        At least one record comes back if there is one, however large it is.
        """
        found: list[Stored] = []
        size = 0
        with self.reading() as db:
            for lane, start, end in wanted:
                base = lane << LANE_BITS
                # The whole lane when no end is asked: offsets are below 2**40.
                last = base | end if end is not None else (lane + 1) << LANE_BITS
                cursor = db.execute(
                    "SELECT id, timestamp_ms, key, headers, value FROM records "
                    "WHERE id>=? AND id<? ORDER BY id LIMIT ?",
                    (base | start, last, max_rows - len(found)),
                )
                for number, timestamp_ms, key, headers, value in cursor:
                    found.append(Stored(lane, _offset(number), timestamp_ms, key, headers, value))
                    size += len(value or b"") + len(key or b"")
                    if size >= max_bytes:
                        cursor.close()
                        return found
                if len(found) >= max_rows:
                    return found
        return found


def _offset(number: int) -> int:
    return number & (1 << LANE_BITS) - 1


def now_ms() -> int:
    """Wall clock in milliseconds: the append time of a record that brings none."""
    return time.time_ns() // 1_000_000


def by_lane(topic: Topic, offsets: Mapping[int, int]) -> dict[int, int]:
    """Turn a mapping by lane into one by partition."""
    return {partition: offsets[lane] for partition, lane in enumerate(topic.lanes)}
