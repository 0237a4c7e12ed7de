"""The `connect` service: every enabled source in a task of its own, none touching the others."""

import asyncio
import logging
from collections.abc import Mapping

from connectors.assemble import make_runners
from connectors.contract import SourceSettings
from connectors.fleet import Fleet, enabled, guarded
from connectors.ingest.runner import Runner
from streams.log.patience import patiently
from streams.log.port import Log
from streams.reload import LOOK_EVERY_S, WORKERS_FIRST_S, changes
from streams.settings import RootSettings

logger = logging.getLogger(__name__)


async def serve(
    settings: RootSettings,
    log: Log,
    *,
    look_every_s: float = LOOK_EVERY_S,
    workers_first_s: float = WORKERS_FIRST_S,
) -> None:
    """Run all configured sources until cancelled (entry point `connect` of `siaga.services`).

    Brands and sources follow a changed `siaga.toml`; sources that did not change run on.
    """
    if not enabled(settings):
        logger.warning("no sources are configured: add a [sources.NAME] table, or `siaga init`")
    # Finite sources come to their end, but the service stays: others of its process must not stop.
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(log, group)
        await patiently(lambda: fleet.adopt(settings))
        async for newer in changes(settings, every_s=look_every_s):
            await fleet.follow(newer, workers_first_s=workers_first_s)


async def run_sources(
    settings: RootSettings, log: Log, sources: Mapping[str, SourceSettings]
) -> list[Runner]:
    """Run sources until all of them have ended or stopped for ever; return their runners."""
    runners = await make_runners(settings, log, sources)
    async with asyncio.TaskGroup() as group:
        for runner in runners:
            group.create_task(guarded(runner), name=f"source {runner.name}")
    return runners
