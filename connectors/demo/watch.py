"""Looks over the shoulder of the running demo, through the log like any other reader."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from detectors.incidents.severity import ALERT
from streams import codec
from streams.log.port import Log
from streams.records import Incident, Minute, Tick
from streams.settings import RootSettings
from streams.topics import INCIDENTS, MENTIONS, MINUTES
from streams.worker.progress import caught_up


@dataclass
class Seen:
    """What the demo has done so far."""

    mentions: int = 0
    clock: datetime | None = None
    levels: dict[str, int] = field(default_factory=dict)
    alert: Incident | None = None
    """The first incident that reached ALERT."""
    incidents: dict[str, Incident] = field(default_factory=dict)
    ended: bool = False

    def note_minute(self, minute: Minute) -> None:
        """A minute has closed."""
        self.mentions += minute.counts.mentions
        self.clock = max(self.clock or minute.start, minute.start)
        self.levels[minute.brand] = minute.level

    def note_incident(self, incident: Incident) -> bool:
        """An incident has changed; True if it is the first alert."""
        self.incidents[incident.id] = incident
        self.levels[incident.brand] = incident.level
        if self.alert is None and incident.level >= ALERT:
            self.alert = incident
            return True
        return False


Told = Callable[[Incident], Awaitable[None]]


async def watch(settings: RootSettings, log: Log, seen: Seen, *, on_alert: Told) -> None:
    """Follow minutes and incidents until the sources have ended and all is worked through."""
    async with asyncio.TaskGroup() as group:
        readers = [
            group.create_task(_minutes(log, seen)),
            group.create_task(_incidents(log, seen, on_alert)),
        ]
        await caught_up(log, settings.worker.id, await _ends(log))
        await asyncio.sleep(0.5)  # the readers see the last records
        seen.ended = True
        for reader in readers:
            reader.cancel()


async def _minutes(log: Log, seen: Seen) -> None:
    async for chunk in log.read(MINUTES, follow=True):
        for record in chunk:
            if record.value is not None:
                seen.note_minute(codec.minute.decode(record.value))


async def _incidents(log: Log, seen: Seen, on_alert: Told) -> None:
    async for chunk in log.read(INCIDENTS, follow=True):
        for record in chunk:
            if record.value is not None:
                incident = codec.incident.decode(record.value)
                if seen.note_incident(incident):
                    await on_alert(incident)


async def _ends(log: Log) -> Mapping[int, int]:
    """Wait for the tick by which a finite source says that it has ended, in each partition."""
    partitions = set(await log.ends(MENTIONS))
    found: dict[int, int] = {}
    async for chunk in log.read(MENTIONS, follow=True):
        for record in chunk:
            if record.value is None or b'"ended":true' not in record.value:
                continue
            decoded = codec.mentions.decode(record.value)
            if isinstance(decoded, Tick) and decoded.ended:
                found[record.partition] = record.offset
        if set(found) == partitions:
            break
    return found
