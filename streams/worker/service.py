"""The worker as a service: settings to pipeline, lessons, core, metrics view and Faust app."""

import asyncio
import logging

from streams.log.port import Log
from streams.pipeline.config import PipelineConfig
from streams.pipeline.pipeline import Pipeline
from streams.registry import REGISTRY
from streams.settings import RootSettings
from streams.topics import all_topics, state_topic

log = logging.getLogger(__name__)


def pipeline_config(settings: RootSettings) -> PipelineConfig:
    """What the stages need to know, from the configuration."""
    from streams.brands import title_of

    return PipelineConfig(
        brands=frozenset(settings.brands),
        titles={brand: title_of(settings, brand) for brand in settings.brands},
        time_zone=settings.time_zone,
        lateness_s=settings.worker.allowed_lateness_s,
        blind_after_s=settings.worker.blind_after_s,
        dedupe_horizon_s=settings.worker.dedupe_horizon_s,
        bank=settings.detection.bank(),
        severity=settings.severity.config(),
        severity_by_brand=settings.severity.by_brand(),
    )


async def serve(settings: RootSettings, log_: Log) -> None:
    """Work the stream until cancelled. Entry point `worker` of `siaga.services`."""
    from detectors.language.understanding import Language
    from streams.worker import metrics
    from streams.worker.app import run
    from streams.worker.core import Core
    from streams.worker.view import StateView

    await log_.ensure(all_topics(settings.worker.id))
    reader = await asyncio.to_thread(Language)
    pipeline = Pipeline(pipeline_config(settings), reader)
    core = Core(
        log_, pipeline, state_topic=state_topic(settings.worker.id), shown_run=settings.shown_run
    )
    metrics.UP.set(1)
    metrics.MODEL.labels(version=reader.version).set(1)
    view = StateView(core, settings)
    REGISTRY.register(view)
    try:
        await run(settings, core)
    finally:
        REGISTRY.unregister(view)
