"""The file of the embedded log: SQLite, one writer at a time, any number of readers.

A topic's partition is a *lane*. A record's row id is `lane << 40 | offset`, so that one B-tree
holds all records in the order in which they are read, an append goes to its lane's end, and a read
is one range scan. Offsets come from `lanes.next` inside the writing transaction: they never repeat,
also when several processes write or when records were deleted.

What power loss can take: nothing that was acknowledged. The journal is a write-ahead log with
`synchronous=FULL`: a commit returns after its fsync. NORMAL would lose what was committed since the
last checkpoint (thousands of records) and corrupt nothing; group commit makes FULL cost little. A
disk that lies about fsync is beyond any program. `kill -9` takes nothing in either mode.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from streams.log.port import Unavailable
from streams.service import CannotStart
from streams.topics import TopicSpec

APPLICATION_ID = 0x53494147
"""`SIAG`: tells our file from any other SQLite file."""

SCHEMA_VERSION = 1

LANE_BITS = 40
"""A lane holds 2**40 records (a million a second for twelve days), and there are 2**23 lanes."""

BUSY_SECONDS = 5.0
"""How long a write waits for another process's write before it is `Unavailable`."""

_SCHEMA = """
CREATE TABLE topics(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
    compacted INTEGER NOT NULL, retention_ms INTEGER) STRICT;
CREATE TABLE lanes(
    id INTEGER PRIMARY KEY, topic INTEGER NOT NULL REFERENCES topics(id),
    partition INTEGER NOT NULL, next INTEGER NOT NULL DEFAULT 0,
    compacted_to INTEGER NOT NULL DEFAULT 0, UNIQUE(topic, partition)) STRICT;
CREATE TABLE records(
    id INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, key BLOB, headers BLOB, value BLOB
    ) STRICT;
CREATE TABLE positions(
    consumer TEXT NOT NULL, lane INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY(consumer, lane)) STRICT, WITHOUT ROWID;
"""


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


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into sentences: `Unavailable` may pass, `CannotStart` needs a person."""
    try:
        yield
    except sqlite3.DatabaseError as e:
        name = getattr(e, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise CannotStart(
                f"{path} is damaged or no log of Siaga ({e}). Put a backup in its place with "
                "`siaga restore FILE`, or move it away to start with an empty log."
            ) from e
        if name.startswith("SQLITE_FULL"):
            why = "the disk is full; free some space, the log goes on by itself"
        elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            why = f"another process has been writing for over {BUSY_SECONDS:.0f} s"
        elif name.startswith("SQLITE_READONLY"):
            why = "the file or its folder is read-only for this user"
        elif name.startswith("SQLITE_CANTOPEN"):
            why = "the file cannot be opened; check that its folder exists and is writable"
        else:
            why = f"{e} ({name})"
        raise Unavailable(f"{path}: {why}") from e


class Store:
    """One open file. Writing methods belong to one thread; reading ones to any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._topics: dict[str, Topic] = {}
        with plain_errors(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as e:
                raise Unavailable(f"the folder of the log {path} cannot be made: {e}") from e
            self._db = self._connect()
            try:
                self._open_schema()
            except BaseException:
                self.close()
                raise

    # -- opening

    def _connect(self) -> sqlite3.Connection:
        # One thread at a time uses a connection; closing may happen in another one.
        db = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        with self._lock:
            self._connections.append(db)
        return db

    def _open_schema(self) -> None:
        db = self._db
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not empty and application != APPLICATION_ID:
            raise CannotStart(
                f"{self.path} is another program's database, not a log of Siaga; "
                "set data_dir to another folder"
            )
        if version > SCHEMA_VERSION:
            raise CannotStart(
                f"{self.path} was written by a newer Siaga (log schema {version}, this one knows "
                f"{SCHEMA_VERSION}); upgrade Siaga, or restore a backup of the older version"
            )
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=4000")
        db.execute("PRAGMA journal_size_limit=67108864")
        db.execute("PRAGMA temp_store=FILE")
        if empty:
            with self._transaction():
                # Another process may have been first.
                if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                    for statement in _SCHEMA.split(";"):
                        db.execute(statement)
                    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled back already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def reader(self) -> sqlite3.Connection:
        """Return this thread's reading connection."""
        db: sqlite3.Connection | None = getattr(self._readers, "db", None)
        if db is None:
            db = self._readers.db = self._connect()
            db.execute("PRAGMA query_only=ON")
        return db

    def close(self) -> None:
        """Close all connections; the threads that use them must have ended their calls."""
        with self._lock:
            connections, self._connections = self._connections, []
        for db in connections:
            db.close()

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
        with plain_errors(self.path):
            rows = self.reader().execute(
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
        with plain_errors(self.path), self._transaction() as db:
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
        with plain_errors(self.path), self._transaction() as db:
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
        with plain_errors(self.path), self._transaction() as db:
            db.executemany("DELETE FROM records WHERE id=?", [(i,) for i in ids])
            if compacted_to is not None:
                db.execute("UPDATE lanes SET compacted_to=? WHERE id=?", (compacted_to, lane))

    # -- reading (any thread)

    def ends(self, lanes: Iterable[int]) -> dict[int, int]:
        """Offset after the last record by lane."""
        with plain_errors(self.path):
            db = self.reader()
            query = "SELECT next FROM lanes WHERE id=?"
            return {lane: db.execute(query, (lane,)).fetchone()[0] for lane in lanes}

    def starts(self, lanes: Iterable[int]) -> dict[int, int]:
        """Offset of the first record kept by lane; of an empty lane: its end."""
        with plain_errors(self.path):
            db = self.reader()
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
        with plain_errors(self.path):
            query = "SELECT lane, next FROM positions WHERE consumer=?"
            return dict(self.reader().execute(query, (consumer,)))

    def read(self, wanted: Sequence[Wanted], *, max_rows: int, max_bytes: int) -> list[Stored]:
        """Read lanes in turn until all are read or the chunk is full.

        At least one record comes back if there is one, however large it is.
        """
        found: list[Stored] = []
        size = 0
        with plain_errors(self.path):
            db = self.reader()
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
