"""Many brands at once, over a replayed history: the fold of the live service."""

import heapq
from array import array
from collections.abc import Iterator
from operator import itemgetter

from streams.backtest.history import RUN
from streams.backtest.result import BrandResult, Result
from streams.outbreak.watch import Watch
from streams.pipeline.config import PipelineConfig
from streams.pipeline.judge import outbreak_record
from streams.records import Incident

Told = tuple[int, str, int, str, str]
"""(start in epoch seconds, brand, level, incident, leading topic) of a closed minute."""


def outbreaks(result: Result, config: PipelineConfig) -> list[Incident]:
    """The parent incidents that the service would have written, as each ended.

    Brands are replayed apart; their closed minutes are folded here in the order in which the
    service reads them: by time, then by brand.
    """
    watch = Watch()
    last: dict[str, Incident] = {}
    parts = [_minutes(brand) for brand in result.brands]
    for start_s, brand, level, incident, topic in heapq.merge(*parts, key=itemgetter(0, 1)):
        parent = watch.fold(RUN, brand, start_s, level, incident, topic)
        if parent is not None:
            titles = {name: config.title(name) for name in parent.brands}
            last[parent.id] = outbreak_record(parent, titles=titles, time_zone=config.time_zone)
    return list(last.values())


def _minutes(brand: BrandResult) -> Iterator[Told]:
    calm = ((minute * 60, brand.brand, 0, "", "") for minute in array("I", brand.calm))
    raised = ((r.start_s, brand.brand, r.level, r.incident, r.topic) for r in brand.raised)
    return heapq.merge(calm, raised)
