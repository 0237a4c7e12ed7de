"""Puts sources together: settings to connector, door and runner."""

import logging
from collections.abc import Mapping
from typing import ClassVar

from connectors.contract import Connector, Context, Fatal, Page, PushConnector, SourceSettings
from connectors.ingest import cursors, memory
from connectors.ingest.door import Door, Privacy
from connectors.ingest.match import Matcher
from connectors.ingest.memory import BrandMemory, key_prefix
from connectors.ingest.publisher import Outage
from connectors.ingest.runner import Runner
from connectors.registry import connector_type
from connectors.settings import ConnectorsSettings
from streams.log.port import Log
from streams.service import CannotStart
from streams.settings import BrandSettings, RootSettings
from streams.topics import MENTIONS, TOPICS

logger = logging.getLogger(__name__)


async def make_runners(
    settings: RootSettings,
    log: Log,
    sources: Mapping[str, SourceSettings],
    *,
    matcher: Matcher | None = None,
    brands: Mapping[str, BrandSettings] | None = None,
    outage: Outage | None = None,
) -> list[Runner]:
    """Create topics if needed, read the cursors and build a runner for each source.

    Parameters
    ----------
    matcher
        Shared with other runners; None: one of these settings.
    brands
        What connectors see of the brands, where it follows the configuration.
    outage
        Shared with other runners, as `matcher` is.

    Raises
    ------
    CannotStart
        If the topics cannot be made, or authors are to be pseudonymised without a key.
    """
    await log.ensure(TOPICS)
    partitions = sorted(await log.ends(MENTIONS))
    if not partitions:
        raise CannotStart(f"topic {MENTIONS} could not be created; see the log's own messages")
    options = settings.section(ConnectorsSettings)
    matcher, outage = matcher or Matcher(settings.brands), outage or Outage()
    privacy = _privacy(options, settings)
    saved = await cursors.load(log)
    memories = await memory.load(log)
    return [
        Runner(
            name,
            _built(name, source, settings, brands),
            source,
            Door(
                name,
                matcher,
                channel=source.channel,
                run=source.run,
                privacy=privacy,
                memory=BrandMemory(
                    name, source.run, memories.get(key_prefix(name, source.run), ())
                ),
            ),
            log,
            partitions=partitions,
            options=options,
            saved=saved.get((name, source.run)),
            closing_s=settings.worker.allowed_lateness_s,
            outage=outage,
        )
        for name, source in sources.items()
    ]


def build(
    name: str,
    source: SourceSettings,
    settings: RootSettings,
    brands: Mapping[str, BrandSettings] | None = None,
) -> Connector | PushConnector:
    """Build a source's connector from its settings.

    Raises
    ------
    Fatal
        If the connector refuses them (a secret is not set).
    """
    kind = connector_type(source.type)
    context = Context(
        name=name,
        brands=settings.brands if brands is None else brands,
        time_zone=settings.time_zone,
    )
    made: Connector | PushConnector = kind(source, context)  # type: ignore[call-arg]  # protocols cannot declare constructors
    return made


class Refused:
    """Stands for a connector that could not be built: its source says why and leaves the rest."""

    Settings: ClassVar[type[SourceSettings]] = SourceSettings

    def __init__(self, reason: Fatal) -> None:
        self._reason = reason

    async def fetch(self, cursor: str | None) -> Page:
        """Say why."""
        del cursor
        raise self._reason

    async def close(self) -> None:
        """Nothing is held."""


def _built(
    name: str,
    source: SourceSettings,
    settings: RootSettings,
    brands: Mapping[str, BrandSettings] | None,
) -> Connector | PushConnector:
    try:
        return build(name, source, settings, brands)
    except Fatal as e:
        return Refused(e)
    except Exception as e:  # a connector's mistake must not stop the other sources
        logger.exception("source %s: its connector cannot be made", name)
        return Refused(Fatal(f"the connector cannot be made: unexpected {type(e).__name__}"))


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
