"""The `connect` service: every enabled source in a task of its own, none touching the others."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from connectors.contract import Connector, Context, PushConnector, SourceSettings
from connectors.ingest import cursors
from connectors.ingest.door import Door, Privacy
from connectors.ingest.match import Matcher
from connectors.ingest.runner import Runner
from connectors.registry import connector_type
from connectors.settings import ConnectorsSettings, Sources
from streams.log.port import Log
from streams.service import CannotStart
from streams.settings import RootSettings
from streams.topics import MENTIONS, TOPICS

logger = logging.getLogger(__name__)


async def serve(settings: RootSettings, log: Log) -> None:
    """Run all configured sources until cancelled (entry point `connect` of `siaga.services`)."""
    sources = enabled(settings)
    if not sources:
        logger.warning("no sources are configured: add a [sources.NAME] table, or `siaga init`")
    await run_sources(settings, log, sources)
    # Finite sources are done, but the service stays: others of its process must not stop.
    await asyncio.Event().wait()


def enabled(settings: RootSettings) -> dict[str, SourceSettings]:
    """Return the sources that are to run, by name."""
    return {n: s for n, s in settings.section(Sources).by_name().items() if s.enabled}


async def run_sources(
    settings: RootSettings, log: Log, sources: Mapping[str, SourceSettings]
) -> list[Runner]:
    """Run sources until all of them have ended or stopped for ever; return their runners."""
    runners = await make_runners(settings, log, sources)
    async with asyncio.TaskGroup() as group:
        for runner in runners:
            group.create_task(_guarded(runner), name=f"source {runner.name}")
    return runners


async def make_runners(
    settings: RootSettings, log: Log, sources: Mapping[str, SourceSettings]
) -> list[Runner]:
    """Create topics if needed, read the cursors and build a runner for each source."""
    await log.ensure(TOPICS)
    partitions = sorted(await log.ends(MENTIONS))
    if not partitions:
        raise CannotStart(f"topic {MENTIONS} could not be created; see the log's own messages")
    options = settings.section(ConnectorsSettings)
    matcher = Matcher(settings.brands)
    privacy = _privacy(options, settings)
    saved = await cursors.load(log)
    return [
        Runner(
            name,
            build(name, source, settings),
            source,
            Door(name, matcher, channel=source.channel, run=source.run, privacy=privacy),
            log,
            partitions=partitions,
            options=options,
            saved=saved.get((name, source.run)),
            closing_s=settings.worker.allowed_lateness_s,
        )
        for name, source in sources.items()
    ]


def build(name: str, source: SourceSettings, settings: RootSettings) -> Connector | PushConnector:
    """Build a source's connector from its settings."""
    kind = connector_type(source.type)
    context = Context(name=name, brands=settings.brands, time_zone=settings.time_zone)
    made: Connector | PushConnector = kind(source, context)  # type: ignore[call-arg]  # protocols cannot declare constructors
    return made


def channels(sources: Iterable[tuple[str, SourceSettings]]) -> tuple[str, ...]:
    """Return the closed set of channels that a configuration can produce."""
    found: dict[str, None] = {}
    for name, source in sources:
        for channel in (source.channel or name, *getattr(source, "channels", ())):
            found.setdefault(channel)
    return tuple(found)


def _privacy(options: ConnectorsSettings, settings: RootSettings) -> Privacy:
    if not options.pseudonymise_authors:
        return Privacy()
    key = Context(name="connectors", time_zone=settings.time_zone).environ.get(
        options.pseudonym_key_env, ""
    )
    if len(key) < 16:
        raise CannotStart(
            f"pseudonymise_authors is on: set the environment variable "
            f"{options.pseudonym_key_env} to a secret of at least 16 characters"
        )
    return Privacy(key.encode())


async def _guarded(runner: Runner) -> None:
    try:
        await runner.run()
    except Exception:  # a bug in one source's path must not stop the others
        logger.exception("source %s: stopped by an error of ours; the others go on", runner.name)
