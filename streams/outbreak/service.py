"""The outbreak service: reads `siaga.minutes.v1`, writes parents to `siaga.incidents.v1`.

One of it is enough; a second one would write the same records, by the same ids. Parents are
appended before the position that covers them is kept, so a crash repeats some and loses none.
"""

import logging

import msgspec
from prometheus_client import Gauge

from detectors.incidents.outbreak import Outbreak
from streams import codec
from streams.brands import title_of
from streams.log.decoded import decoded
from streams.log.patience import patiently
from streams.log.port import Entry, Log
from streams.outbreak.order import InOrder
from streams.outbreak.watch import Watch
from streams.pipeline.judge import outbreak_record
from streams.registry import REGISTRY
from streams.settings import RootSettings
from streams.topics import INCIDENTS, MINUTES, TopicSpec, all_topics

log = logging.getLogger(__name__)

KEEP_EVERY = 5_000
"""Minutes between two snapshots while it catches up."""
KEY = b"outbreak"
PARTITION = 0
"""Parents belong to no brand: all of them stand in the first partition."""

IN_CRISIS = Gauge(
    "siaga_brands_in_crisis",
    "Brands at ALERT or above now, of the shown run.",
    registry=REGISTRY,
)
OPEN = Gauge(
    "siaga_outbreak_open",
    "1 while a parent incident of many brands is open, of the shown run.",
    registry=REGISTRY,
)


def outbreak_topic(worker_id: str) -> TopicSpec:
    """Where the state and the position of the service are kept."""
    return TopicSpec(f"{worker_id}.outbreak.v1", partitions=1, compacted=True)


async def serve(settings: RootSettings, store: Log) -> None:
    """Watch until cancelled. Entry point `outbreak` of `siaga.services`."""
    kept = outbreak_topic(settings.worker.id)

    async def watch() -> None:
        await store.ensure([*all_topics(settings.worker.id), kept])
        await _Service(settings, store, kept.name, await load(store, kept.name)).run()

    await patiently(watch, who="outbreaks")


async def load(store: Log, topic: str) -> Watch:
    """The watch as it was last kept, or a new one."""
    last: bytes | None = None
    async for chunk in store.read(topic):
        for record in chunk:
            last = record.value
    if last is None:
        return Watch()
    try:
        return Watch.restore(last)
    except (ValueError, msgspec.DecodeError) as e:
        log.warning("outbreaks: %s; starting anew from the oldest minute", e)
        return Watch()


class _Service:
    def __init__(self, settings: RootSettings, store: Log, topic: str, watch: Watch) -> None:
        self.settings = settings
        self.store = store
        self.topic = topic
        self.watch = watch
        self._order = InOrder()
        self._ahead = dict(watch.positions)
        """Positions of what was read; kept once nothing of it is held back."""
        self._parents: list[Entry] = []
        self._since = 0

    async def run(self) -> None:
        start = self.watch.positions or "earliest"
        async for chunk in self.store.read(MINUTES, start=start, follow=True):
            for record in chunk:
                self._ahead[record.partition] = record.offset + 1
                minute = decoded(record, codec.minute, who="outbreaks")
                if minute is not None:
                    self._order.add(record.partition, minute)
            self._fold(idle=not chunk)
            await self._keep(idle=not chunk)

    def _fold(self, *, idle: bool) -> None:
        for minute in self._order.due(idle=idle):
            self._since += 1
            outbreak = self.watch.take(minute)
            if outbreak is not None:
                self._parents.append(self._entry(outbreak))
        run = self.settings.shown_run
        IN_CRISIS.set(self.watch.brands_in_crisis(run))
        OPEN.set(int(self.watch.outbreak(run) is not None))

    def _entry(self, outbreak: Outbreak) -> Entry:
        titles = {brand: title_of(self.settings, brand) for brand in outbreak.brands}
        record = outbreak_record(outbreak, titles=titles, time_zone=self.settings.time_zone)
        return Entry(INCIDENTS, record.id.encode(), codec.encode(record), PARTITION)

    async def _keep(self, *, idle: bool) -> None:
        if self._parents:
            # A parent is told at once; its position may be kept later.
            await self.store.append(self._parents)
            self._parents = []
        if not self._since or len(self._order) or not (idle or self._since >= KEEP_EVERY):
            return
        self.watch.positions = dict(self._ahead)
        await self.store.append([Entry(self.topic, KEY, self.watch.snapshot(), PARTITION)])
        self._since = 0
