"""Where each source goes on after a restart: `siaga.cursors.v1`, compacted, keyed run/source.

The record also tells people how the source is doing (`siaga connector list`), so that a command
in another process needs nothing but the log.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from connectors.ingest.memory import is_memory
from streams.log.port import Entry, Log
from streams.records import LIVE, Run
from streams.topics import CURSORS


class Saved(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The last word of one source."""

    source: str
    run: Run = LIVE
    cursor: str | None = None
    saved_at: datetime
    state: str = "new"
    """new | running | failing | stopped | ended | off (with its service) | removed"""
    detail: str = ""
    """Why it fails or stopped."""
    last_success: datetime | None = None
    watermark: datetime | None = None
    clock: datetime | None = None
    """The run's own now, to tell the lag by."""
    fetched: int = 0
    """This and the counts below: since the source was first read, over restarts."""
    matched: int = 0
    mentions: int = 0
    """Published: one per item and brand."""
    duplicates: int = 0
    dead_letters: int = 0
    failures: int = 0
    quota_left: float | None = None
    """What the source's budget still granted; None: it has none."""


_decoder = msgspec.json.Decoder(Saved)


def key(source: str, run: Run) -> bytes:
    """Key of a source's record: each run keeps its own place."""
    return f"{run}/{source}".encode()


def entry(saved: Saved) -> Entry:
    """Return the record to append."""
    return Entry(CURSORS, key(saved.source, saved.run), msgspec.json.encode(saved))


def forget(source: str, run: Run) -> Entry:
    """Return the record that deletes a cursor."""
    return Entry(CURSORS, key(source, run), None)


async def load(log: Log) -> dict[tuple[str, Run], Saved]:
    """Read the newest record of every source; one that cannot be read counts as none."""
    found: dict[tuple[str, Run], Saved] = {}
    async for records in log.read(CURSORS):
        for record in records:
            if is_memory(record.key or b""):
                continue
            run, _, source = (record.key or b"").decode("utf-8", "replace").rpartition("/")
            if record.value is None:
                found.pop((source, run), None)
                continue
            try:
                found[source, run] = _decoder.decode(record.value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                # A newer version's record: starting over is safe, since repeats are dropped by id.
                found.pop((source, run), None)
    return found


def newest(saved: Iterable[Saved], source: str) -> Saved | None:
    """Return the most recent record of a source over all its runs."""
    own = [s for s in saved if s.source == source]
    return max(own, key=lambda s: s.saved_at, default=None)
