"""The sources that run, and how they follow a changed configuration.

What did not change is not disturbed. A new brand is published for only when the workers know it;
a brand that was taken out is no longer published at once.
"""

import asyncio
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from connectors import metrics
from connectors.assemble import make_runners
from connectors.contract import SourceSettings
from connectors.ingest.match import Matcher
from connectors.ingest.publisher import Outage
from connectors.ingest.runner import Runner
from connectors.settings import Sources
from streams.log.patience import patiently
from streams.log.port import Log
from streams.service import CannotStart
from streams.settings import BrandSettings, RootSettings

logger = logging.getLogger(__name__)


class _Ship(NamedTuple):
    settings: SourceSettings
    runner: Runner
    task: "asyncio.Task[None]"


def enabled(settings: RootSettings) -> dict[str, SourceSettings]:
    """Return the sources that are to run, by name."""
    return {n: s for n, s in settings.section(Sources).by_name().items() if s.enabled}


async def guarded(runner: Runner) -> None:
    """Run a source; an error of ours stops it alone."""
    try:
        await runner.run()
    except Exception:  # a bug in one source's path must not stop the others
        logger.exception("source %s: stopped by an error of ours; the others go on", runner.name)


class Fleet:
    """All sources of this process.

    Parameters
    ----------
    log
        Where they publish.
    group
        Their tasks; cancelling it drains them.
    """

    def __init__(self, log: Log, group: asyncio.TaskGroup) -> None:
        self._log = log
        self._group = group
        self._ships: dict[str, _Ship] = {}
        self._brands: dict[str, BrandSettings] = {}
        self._matcher = Matcher({})
        self._outage = Outage()

    async def follow(self, settings: RootSettings, *, workers_first_s: float) -> None:
        """Adopt a changed configuration: what is taken out at once, what is new after a while."""
        kept = {n: b for n, b in self._brands.items() if n in settings.brands}
        if len(kept) < len(self._brands):
            self._use(kept)
        if settings.brands.keys() - kept.keys():
            await asyncio.sleep(workers_first_s)
        try:
            # What is done already is not done again.
            await patiently(lambda: self.adopt(settings))
        except CannotStart as e:
            logger.error("the changed configuration cannot be taken: %s", e)

    async def adopt(self, settings: RootSettings) -> None:
        """Make what runs equal to what is configured.

        Raises
        ------
        CannotStart
            As `make_runners`.
        """
        self._use(settings.brands)
        wanted = enabled(settings)
        gone = [n for n, ship in self._ships.items() if wanted.get(n) != ship.settings]
        await asyncio.gather(*(self._stop(name, wanted.get(name)) for name in gone))
        new = {n: s for n, s in wanted.items() if n not in self._ships}
        if gone:
            changed = sorted(set(gone) & set(new))
            logger.warning(
                "sources changed: %s; taken out: %s",
                ", ".join(changed) or "none",
                ", ".join(sorted(set(gone) - set(changed))) or "none",
            )
        if not new:
            return
        runners = await make_runners(
            settings,
            self._log,
            new,
            matcher=self._matcher,
            brands=MappingProxyType(self._brands),
            outage=self._outage,
        )
        for runner in runners:
            task = self._group.create_task(guarded(runner), name=f"source {runner.name}")
            self._ships[runner.name] = _Ship(new[runner.name], runner, task)
        logger.info("sources started: %s", ", ".join(new))

    def _use(self, brands: Mapping[str, BrandSettings]) -> None:
        if self._brands == brands:
            return
        self._matcher = Matcher(brands)
        # Connectors hold a view of this very dict.
        self._brands.clear()
        self._brands.update(brands)
        for ship in self._ships.values():
            ship.runner.door.use(self._matcher)

    async def _stop(self, name: str, successor: SourceSettings | None) -> None:
        """Drain a source; one that does not come back in the same run says that it is over."""
        ship = self._ships.pop(name)
        if successor is None or successor.run != ship.settings.run:
            ship.runner.retire()
        ship.task.cancel()
        await asyncio.wait({ship.task})
        metrics.forget(name)
