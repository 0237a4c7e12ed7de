"""How far each target has been told: kept in `siaga.cursors.v1`, key `alerts/<kind>/<name>`."""

import msgspec

from response.notify.decide import Told
from streams.log.port import Entry, Log
from streams.topics import CURSORS

TOLD_KEPT = 500
"""Incidents remembered a target; the oldest that are over give way."""
PREFIX = "alerts/"


class Saved(msgspec.Struct, frozen=True):
    """State of one target."""

    position: dict[int, int]
    """Next offset of `siaga.incidents.v1` by partition."""
    told: dict[str, Told]
    """By incident id."""


_decoder = msgspec.json.Decoder(Saved)


def key(kind: str, name: str) -> bytes:
    """The record's key."""
    return f"{PREFIX}{kind}/{name}".encode()


async def load(log: Log) -> dict[bytes, Saved]:
    """Read the newest state of every target; an unreadable one counts as none."""
    found: dict[bytes, Saved] = {}
    async for records in log.read(CURSORS):
        for record in records:
            if record.key is None or not record.key.startswith(PREFIX.encode()):
                continue
            if record.value is None:
                found.pop(record.key, None)
                continue
            try:
                found[record.key] = _decoder.decode(record.value)
            except msgspec.DecodeError:
                # Of a newer version: without it only what comes from now on is told.
                found.pop(record.key, None)
    return found


async def save(log: Log, key: bytes, saved: Saved) -> None:
    """Append the state; returns when it is acknowledged."""
    await log.append([Entry(CURSORS, key, msgspec.json.encode(saved))])


def remembered(told: dict[str, Told]) -> dict[str, Told]:
    """At most `TOLD_KEPT`: open ones first, then the latest told."""
    if len(told) <= TOLD_KEPT:
        return told
    over = [k for k, t in told.items() if t.level == 0] + [k for k, t in told.items() if t.level]
    gone = set(over[: len(told) - TOLD_KEPT])
    return {k: t for k, t in told.items() if k not in gone}
