"""Copies of the embedded log's file: taken while the service runs, put back while it does not."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from streams.log.database import APPLICATION_ID, Database, plain_errors
from streams.log.port import Unavailable
from streams.service import CannotStart

KEPT_SUFFIX = ".before-restore"
OF_A_LOG = ("", "-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps for one database."""


def backup(log: Path, target: Path) -> int:
    """Copy the log as it is at one moment; the service goes on writing meanwhile.

    Returns
    -------
    int
        Size of the copy in bytes.

    Raises
    ------
    CannotStart
        If there is no log, the target is no place for a copy, or the copy does not prove whole.
    Unavailable
        If the target cannot be written.
    """
    if not log.is_file():
        raise CannotStart(f"there is no log at {log}; is data_dir right?")
    if target.is_dir():
        raise CannotStart(f"{target} is a folder; name a file in it")
    # A service would go on writing to a file that has lost its name.
    if target.resolve() in _files(log.resolve()):
        raise CannotStart(f"{target} belongs to the log itself; choose another name")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(part)
        with plain_errors(part), _open(log) as source, _open(part) as copy:
            source.backup(copy)
            # A copy is one file: without it a reader would make -wal and -shm beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
        try:
            prove(part)
        except CannotStart as e:
            raise CannotStart(f"{log} is damaged, its copy is not kept: {e}") from e
        part.replace(target)
    except OSError as e:
        raise Unavailable(f"{target} cannot be written: {e}") from e
    finally:
        _clear(part)
    return target.stat().st_size


def restore(source: Path, log: Path) -> Path | None:
    """Put a copy in the place of the log; no service may be using it.

    Returns
    -------
    Path | None
        Where the log that was there is kept, if there was one.

    Raises
    ------
    CannotStart
        If the copy is damaged, of another program or a newer Siaga, or the log is in use.
    Unavailable
        If the log's place cannot be written.
    """
    if not source.is_file():
        raise CannotStart(f"there is no backup at {source}")
    kept = None
    part = log.with_name(log.name + ".part")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part)
        try:
            prove(part)
        except CannotStart as e:
            raise CannotStart(f"{source} is no usable backup: {e}") from e
        aside = _free_name(log)
        if log.exists():
            _let_go(log)
            kept = aside
        # A journal that stayed behind (the file was moved away by hand) would go into the copy.
        for mine, its in zip(_files(log), _files(aside), strict=True):
            if mine.exists():
                mine.replace(its)
        part.replace(log)
    except OSError as e:
        raise Unavailable(f"{log} cannot be replaced: {e}") from e
    finally:
        _clear(part)
    return kept


def prove(path: Path) -> None:
    """Check that a file is a whole log of this version or an older one.

    Raises
    ------
    CannotStart
        If it is not; the message says what it is instead.
    """
    with plain_errors(path), _open(path) as db:
        # What opens a log for work makes one of an empty file.
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise CannotStart(f"{path} is empty, or another program's file")
    Database(path).close()
    with plain_errors(path), _open(path) as db:
        told = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        db.execute("PRAGMA journal_mode=DELETE")
    if told != "ok":
        raise CannotStart(f"{path} is damaged: {told}")


def _files(log: Path) -> list[Path]:
    return [log.with_name(log.name + end) for end in OF_A_LOG]


def _clear(part: Path) -> None:
    for file in _files(part):
        file.unlink(missing_ok=True)


def _free_name(log: Path) -> Path:
    """Where to keep a log: what an earlier restore kept may be the only whole history."""
    kept, n = log.with_name(log.name + KEPT_SUFFIX), 1
    while any(file.exists() for file in _files(kept)):
        n += 1
        kept = log.with_name(f"{log.name}{KEPT_SUFFIX}-{n}")
    return kept


def _let_go(log: Path) -> None:
    """Fold the journal into the file, which only succeeds when nobody else has it open."""
    try:
        with _open(log) as db:
            mode = db.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.OperationalError:
        mode = "wal"
    except sqlite3.DatabaseError:
        return  # damaged: that is why a backup is put in its place
    if mode == "wal":
        raise CannotStart(f"{log} is in use; stop `siaga run` first, then restore")


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        yield db
    finally:
        db.close()
