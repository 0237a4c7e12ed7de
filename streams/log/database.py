"""The SQLite file of the embedded log: opened as ours, safe against power loss, errors in words.

What power loss can take: nothing that was acknowledged. The journal is a write-ahead log with
`synchronous=FULL`: a commit returns after its fsync. NORMAL would lose what was committed since the
last checkpoint (thousands of records) and corrupt nothing; group commit makes FULL cost little. A
disk that lies about fsync is beyond any program. `kill -9` takes nothing in either mode.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.log.port import Unavailable
from streams.service import CannotStart

APPLICATION_ID = 0x53494147
"""`SIAG`: tells our file from any other SQLite file."""

SCHEMA_VERSION = 1
"""Of the tables below; a file of a later one is refused."""

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


class Database:
    """One open file with all its connections: one that writes, one that reads for each thread.

    Raises
    ------
    CannotStart
        If the file is damaged, another program's, or of a newer Siaga.
    Unavailable
        If it cannot be opened now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
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
            with self.writing():
                # Another process may have been first.
                if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                    for statement in _SCHEMA.split(";"):
                        db.execute(statement)
                    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction (the writer's thread), durable when the block is left.

        Raises
        ------
        Unavailable
            If it could not be committed: nothing of it is there.
        """
        with plain_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's reading connection.

        Raises
        ------
        Unavailable
            If the file cannot be read now.
        """
        with plain_errors(self.path):
            db: sqlite3.Connection | None = getattr(self._readers, "db", None)
            if db is None:
                db = self._readers.db = self._connect()
                db.execute("PRAGMA query_only=ON")
            yield db

    def close(self) -> None:
        """Close all connections; the threads that use them must have ended their calls."""
        with self._lock:
            connections, self._connections = self._connections, []
        for db in connections:
            db.close()
