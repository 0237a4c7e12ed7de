"""The worker as a service: settings to pipeline, lessons, core, metrics view and Faust app."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from time import time

from streams.log.patience import patiently
from streams.log.port import Entry, Log
from streams.pipeline.config import PipelineConfig, nothing_announced
from streams.pipeline.outcome import Outcome
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.series import Watched
from streams.records import LIVE
from streams.registry import REGISTRY
from streams.reload import LOOK_EVERY_S, WORKERS_FIRST_S, changes
from streams.settings import RootSettings
from streams.topics import all_topics, state_topic

log = logging.getLogger(__name__)

NAMED = 10
"""Brands that a line of the log names."""


def pipeline_config(
    settings: RootSettings, announced: Callable[[str, int], bool] = nothing_announced
) -> PipelineConfig:
    """What the stages need to know, from the configuration and the announced events."""
    from streams.brands import title_of

    return PipelineConfig(
        brands=frozenset(settings.brands),
        titles={brand: title_of(settings, brand) for brand in settings.brands},
        time_zone=settings.time_zone,
        lateness_s=settings.worker.allowed_lateness_s,
        blind_after_s=settings.worker.blind_after_s,
        dedupe_horizon_s=settings.worker.dedupe_horizon_s,
        bank=settings.detection.bank(settings.time_zone),
        severity=settings.severity.config(),
        severity_by_brand=settings.severity.by_brand(),
        watched=Watched(
            topics=frozenset(settings.detection.topics),
            channels=frozenset(settings.detection.channels),
        ),
        announced=announced,
    )


async def follow(
    settings: RootSettings,
    pipeline: Pipeline,
    *,
    every_s: float = LOOK_EVERY_S,
    keep_s: float = WORKERS_FIRST_S,
) -> None:
    """Let the pipeline know the brands and levels of a changed `siaga.toml`; until cancelled.

    A brand that was taken out is known for `keep_s` more: its last mentions are on their way.
    """
    async for newer in changes(settings, every_s=every_s):
        now, new = pipeline.config, pipeline_config(newer)
        added, removed = new.brands - now.brands, now.brands - new.brands
        adopted = replace(
            now,
            brands=new.brands,
            titles=new.titles,
            severity=new.severity,
            severity_by_brand=new.severity_by_brand,
        )
        if adopted == now:
            continue
        log.warning(
            "Configuration changed: %d brands now; added: %s; taken out: %s",
            len(new.brands),
            ", ".join(sorted(added)[:NAMED]) or "none",
            ", ".join(sorted(removed)[:NAMED]) or "none",
        )
        pipeline.config = replace(adopted, brands=now.brands | new.brands)
        if removed:
            await asyncio.sleep(keep_s)
        pipeline.config = adopted


async def serve(settings: RootSettings, log_: Log) -> None:
    """Work the stream until cancelled. Entry point `worker` of `siaga.services`."""
    from detectors.language.lessons import LessonBook
    from streams.events import Calendar, EventView, follow_events
    from streams.lessons import fold, open_book, ratings, snapshot_path
    from streams.worker import metrics
    from streams.worker.app import run
    from streams.worker.core import Core
    from streams.worker.scratch import Scratches
    from streams.worker.view import StateView

    await patiently(lambda: log_.ensure(all_topics(settings.worker.id)))
    # The lessons of the team first: all workers start from the same weights.
    path = snapshot_path(settings)
    book = await asyncio.to_thread(open_book, settings)
    await patiently(lambda: fold(log_, book, path=path))
    calendar = Calendar()
    await patiently(lambda: follow_events(log_, calendar, follow=False))
    pipeline = Pipeline(pipeline_config(settings, calendar.announced), book.active)

    async def taught(lessons: LessonBook) -> None:
        if pipeline.reader is not lessons.active:
            pipeline.reader = lessons.active
            metrics.MODEL.clear()
            metrics.MODEL.labels(version=lessons.active.version).set(1)
            log.info("The model is now %s", lessons.active.version)

    def stars(outcome: Outcome) -> list[Entry]:
        return ratings(book, outcome.scored) if outcome.run == LIVE else []

    scratches = Scratches(settings.worker.state_dir or settings.data_dir)
    metrics.SCRATCH.set_function(lambda: scratches.size)
    core = Core(
        log_,
        pipeline,
        state_topic=state_topic(settings.worker.id),
        shown_run=settings.shown_run,
        new_keep=scratches.new,
        more=stars,
    )
    metrics.UP.set(1)
    metrics.MODEL.labels(version=book.active.version).set(1)
    view = StateView(core, settings)
    events = EventView(calendar, settings, time)
    REGISTRY.register(view)
    REGISTRY.register(events)
    try:
        async with asyncio.TaskGroup() as group:
            followers = [
                group.create_task(follow(settings, pipeline)),
                group.create_task(patiently(lambda: follow_events(log_, calendar))),
                group.create_task(
                    patiently(lambda: fold(log_, book, path=path, follow=True, after=taught))
                ),
            ]
            await run(settings, core)
            for follower in followers:
                follower.cancel()
    finally:
        REGISTRY.unregister(events)
        REGISTRY.unregister(view)
