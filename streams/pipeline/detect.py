"""One minute of a brand: counts in, readings and a detection out; then it is learned."""

from detectors.anomaly.bank import Features
from detectors.incidents.detection import Detection
from streams.pipeline.minutes import MINUTE_S, OpenMinute
from streams.pipeline.state import BrandState
from streams.records import Counts

LEAST_ELAPSED_RATIO = 0.05
"""An open minute younger than 3 s is scored as if 3 s old: one early mention is no burst."""


def features_of(counts: Counts) -> Features:
    """The numbers that the signals look at."""
    return Features(
        counts.mentions, counts.negative_mass, counts.authors, counts.reach, counts.top_reach
    )


def score(
    state: BrandState,
    minute_s: int,
    minute: OpenMinute,
    *,
    blind: tuple[str, ...] = (),
    announced: bool = False,
    elapsed_ratio: float = 1.0,
) -> tuple[Counts, Detection]:
    """Score one minute without learning from it.

    Parameters
    ----------
    elapsed_ratio
        Below 1 for a minute that still fills: the expectation is scaled by it.
    """
    counts = minute.counts()
    partial = elapsed_ratio < 1.0
    ratio = max(elapsed_ratio, LEAST_ELAPSED_RATIO)
    readings = state.bank.score_one(features_of(counts), start_s=minute_s, elapsed_ratio=ratio)
    through_s = state.hot.closed_through_s
    topics, channels = state.series.read(
        minute.parts,
        start_s=minute_s,
        closed_s=minute_s if through_s is None else through_s,
        elapsed_ratio=ratio,
    )
    return counts, Detection(
        brand=state.brand,
        run=state.run,
        start_s=minute_s,
        readings=readings,
        topic_readings=topics,
        channel_readings=channels,
        mentions=counts.mentions,
        negative=counts.negative,
        authors=counts.authors,
        reach=counts.reach,
        top_reach=counts.top_reach,
        security=minute.security,
        blind=blind,
        announced=announced,
        partial=partial,
    )


def learn(
    state: BrandState, minute_s: int, minute: OpenMinute, counts: Counts, *, held: bool
) -> None:
    """Learn a closed minute; `held` lets time pass without taking it for a habit."""
    state.bank.learn_one(features_of(counts), start_s=minute_s, held=held)
    state.changed.add("bank")
    if state.series.learn(minute.parts, start_s=minute_s, held=held):
        state.changed.add("series")


def elapsed(minute_s: int, clock_s: float) -> float:
    """How much of a minute has passed at a clock, 0..1."""
    return min(1.0, max(0.0, (clock_s - minute_s) / MINUTE_S))
