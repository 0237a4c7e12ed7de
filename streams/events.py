"""Planned events (`siaga event add`): kept in the log, read by every worker, applied by event time.

Whether an event runs is asked of the minute that is judged, never of a clock, so a replay of the
same minutes with the same events tells the same story.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from detectors.incidents.announced import Announced, is_announced
from streams import codec
from streams.log.port import Entry, Log
from streams.records import Event
from streams.settings import RootSettings
from streams.topics import EVENTS, TOPICS

logger = logging.getLogger(__name__)

KINDS = ("campaign", "outage", "other")


class Calendar:
    """The events that are announced now; one a worker. Folding twice changes nothing."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.events = {event.id: event for event in events}
        self._by_brand: dict[str, tuple[Announced, ...]] = {}
        self._index()

    def fold(self, key: str, event: Event | None) -> None:
        """Take one record: an event, or None for one that was called off."""
        if event is None:
            self.events.pop(key, None)
        else:
            self.events[key] = event
        self._index()

    def _index(self) -> None:
        found: dict[str, list[Announced]] = {}
        for event in self.events.values():
            found.setdefault(event.brand, []).append(
                Announced(
                    id=event.id,
                    brand=event.brand,
                    start_s=int(event.start.timestamp()),
                    end_s=int(event.end.timestamp()),
                    kind=event.kind,
                    title=event.note,
                )
            )
        self._by_brand = {brand: tuple(events) for brand, events in found.items()}

    def announced(self, brand: str, minute_s: int) -> bool:
        """Whether an event runs for a brand in the minute that starts at a time."""
        if not self._by_brand:
            return False
        return any(
            is_announced(self._by_brand.get(name, ()), brand, minute_s) for name in (brand, "*")
        )


async def follow_events(log: Log, calendar: Calendar, *, follow: bool = True) -> None:
    """Read all events, and with `follow` those to come, outside of any consumer group."""
    if EVENTS not in await log.topics():
        if not follow:
            return
        await ensure(log)
    async for chunk in log.read(EVENTS, follow=follow):
        for record in chunk:
            try:
                event = codec.event.decode(record.value) if record.value is not None else None
            except msgspec.DecodeError as e:
                logger.warning("event record %d is no event (%s): skipped", record.offset, e)
                continue
            calendar.fold((record.key or b"").decode("utf-8", "replace"), event)


async def ensure(log: Log) -> None:
    """Create the topic if it is missing."""
    await log.ensure([spec for spec in TOPICS if spec.name == EVENTS])


async def send(log: Log, key: str, event: Event | None) -> None:
    """Announce an event, or call it off (None); returns when it is kept."""
    await ensure(log)
    value = codec.encode(event) if event is not None else None
    await log.append([Entry(EVENTS, key.encode(), value, 0)])


def make_event(
    *, brand: str, start: datetime, end: datetime, who: str, at: datetime, kind: str, note: str
) -> Event:
    """An event with its deterministic id: announced twice, it is one.

    Raises
    ------
    ValueError
        If it ends before it begins, or its kind is none of the closed set.
    """
    if end <= start:
        msg = f"it ends at {end.isoformat()}, not after it begins at {start.isoformat()}"
        raise ValueError(msg)
    if kind not in KINDS:
        msg = f"unknown kind {kind!r}; use one of {', '.join(KINDS)}"
        raise ValueError(msg)
    name = f"{brand}\x1f{start.isoformat()}\x1f{end.isoformat()}\x1f{kind}"
    return Event(
        id=hashlib.sha256(name.encode()).hexdigest()[:12],
        brand=brand,
        start=start,
        end=end,
        who=who,
        at=at,
        kind=kind,
        note=note,
    )


class EventView(Collector):
    """`siaga_event_announced{brand}`: 1 while an announced event runs, by the wall clock."""

    def __init__(
        self, calendar: Calendar, settings: RootSettings, clock: Callable[[], float]
    ) -> None:
        self.calendar = calendar
        self.settings = settings
        self.clock = clock

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: brands come with the configuration."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """One series for each configured brand."""
        family = GaugeMetricFamily(
            "siaga_event_announced",
            "1 while a planned event of the brand runs.",
            labels=("brand",),
        )
        now_s = int(self.clock())
        for brand in self.settings.brands:
            family.add_metric((brand,), int(self.calendar.announced(brand, now_s)))
        yield family
