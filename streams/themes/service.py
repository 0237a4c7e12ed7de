"""The themes service: `siaga_theme_authors` for each brand's emerging phrases.

It keeps nothing: at its start it reads the last of the scored log again. Phrases and examples are
not exported (a text must be deletable, a label of a closed set): `siaga themes` shows them.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams import codec
from streams.log.decoded import decoded
from streams.log.patience import patiently
from streams.log.port import Log
from streams.registry import REGISTRY
from streams.settings import RootSettings
from streams.themes.watch import ThemeWatch
from streams.topics import SCORED, all_topics

RECALLED: Final = 20_000
"""Records of each partition that are read again at the start."""


class ThemeView(Collector):
    """What the watch has found, as a metric."""

    def __init__(self, settings: RootSettings) -> None:
        self.settings = settings
        self.watch = ThemeWatch(settings.shown_run)

    def collect(self) -> Iterable[Metric]:
        """At most five series for each configured brand."""
        family = GaugeMetricFamily(
            "siaga_theme_authors",
            "Distinct authors of the phrases that are new for the brand, by rank.",
            labels=("brand", "rank"),
        )
        for brand, themes in list(self.watch.found.items()):
            if brand in self.settings.brands:
                authors = sorted((theme.authors for theme in themes), reverse=True)
                for rank, count in enumerate(authors, 1):
                    family.add_metric((brand, str(rank)), count)
        yield family


async def fold(store: Log, watch: ThemeWatch, *, follow: bool = False) -> None:
    """Fold the last of the scored log into a watch; `follow`: and all that comes, for ever."""
    if SCORED not in await store.topics():
        return
    starts, ends = await store.starts(SCORED), await store.ends(SCORED)
    start = {p: max(starts.get(p, 0), end - RECALLED) for p, end in ends.items()}
    async for chunk in store.read(SCORED, start=start, follow=follow):
        for record in chunk:
            batch = decoded(record, codec.scored, who="themes")
            if batch is not None:
                watch.take(batch)
            await asyncio.sleep(0)
        if not chunk:
            watch.look()
    watch.look()


async def serve(settings: RootSettings, store: Log) -> None:
    """Watch until cancelled. Entry point `themes` of `siaga.services`."""
    view = ThemeView(settings)

    async def watch() -> None:
        await store.ensure(all_topics(settings.worker.id))
        # Folded anew after an outage: what was read before it is read again.
        view.watch = ThemeWatch(settings.shown_run)
        await fold(store, view.watch, follow=True)

    REGISTRY.register(view)
    try:
        await patiently(watch, who="themes")
    finally:
        REGISTRY.unregister(view)
