"""The service `annotate`: incidents become marks on the dashboards for as long as it runs."""

import asyncio
import logging
import os

from grafana.annotate import Annotator, follow
from grafana.client import Client
from grafana.login import login
from grafana.settings import GrafanaSettings
from streams.log.patience import patiently
from streams.log.port import Log
from streams.service import CannotStart
from streams.settings import RootSettings

log = logging.getLogger("siaga.annotate")


async def serve(settings: RootSettings, log_: Log) -> None:
    """Mark incidents until cancelled; without a Grafana of ours it rests and says so."""
    ours = settings.section(GrafanaSettings)
    try:
        client = Client(str(ours.url), login(ours, os.environ), timeout_s=ours.timeout_s)
    except CannotStart as e:
        # Not everybody who runs the service has a Grafana.
        log.info("annotate: incidents are not marked in Grafana: %s", e)
        await asyncio.Event().wait()
        return
    annotator = Annotator(client, ours.name)
    # From the first incident each time: a mark is posted once.
    await patiently(
        lambda: follow(annotator, log_, run=settings.shown_run, language=settings.language),
        who="annotate",
    )
