"""Minutes close: the watermark passes, detectors score and learn, the judge decides."""

from datetime import UTC, datetime

from detectors.anomaly.reading import Reading
from detectors.incidents.bounds import may_rise
from detectors.incidents.detection import Detection
from streams.pipeline.config import PipelineConfig
from streams.pipeline.detect import elapsed, learn, score
from streams.pipeline.judge import judge
from streams.pipeline.minutes import MINUTE_S, OpenMinute, minute_of, together
from streams.pipeline.outcome import Outcome
from streams.pipeline.state import BrandState
from streams.pipeline.watermark import Heard
from streams.records import Counts, Minute

QUIET_LEARNED = 7 * 1440
"""Of a longer silence only the last week of empty minutes is learned: it says all there is."""

LISTEN_S = 300
"""How often the silence of a lively brand is looked at: no habit is broken sooner."""

MOST_ELAPSED = 0.999
"""An open minute whose time is over is still open: late mentions may fill it."""


def close(config: PipelineConfig, brand: BrandState, heard: Heard, out: Outcome) -> bool:
    """Close every minute that the watermark has passed by the allowed lateness.

    Returns
    -------
    bool
        Whether the state has changed.
    """
    hot = brand.hot
    watermark_s = heard.watermark_s
    if watermark_s is None:
        return False
    bound_s = minute_of(watermark_s - config.lateness_s)
    if hot.closed_through_s is None:
        hot.closed_through_s = min([bound_s, *hot.minutes])
    elif hot.closed_through_s >= bound_s:
        return False
    blind = heard.blind
    # While a connector is blind, nobody knows whose silence it is.
    listens = not blind and not heard.over
    while hot.closed_through_s < bound_s:
        minute_s = hot.closed_through_s
        quiet = _quiet_minutes(brand, minute_s, bound_s)
        if quiet and listens:
            quiet = _without_news(brand, minute_s, quiet)
        if quiet:
            _pass_quietly(brand, minute_s, quiet, blind, listens=listens)
        else:
            _close_one(config, brand, minute_s, blind, out, listens=listens)
        hot.closed_through_s = minute_s + max(quiet, 1) * MINUTE_S
    if brand.evidence.advance(bound_s - MINUTE_S):
        brand.changed.add("evidence")
    brand.seen.forget(watermark_s=watermark_s, horizon_s=config.dedupe_horizon_s)
    return True


def glance(config: PipelineConfig, brand: BrandState, clock_s: float, out: Outcome) -> bool:
    """Score the open minutes that have grown: an alert need not wait for their end.

    Open minutes that hold less than any level asks for wait for their end: most do, and a look
    costs as much as a closed minute.

    Parameters
    ----------
    clock_s
        The run's clock. A look that came with a batch may have been later than the next tick.

    Returns
    -------
    bool
        Whether the state has changed.
    """
    hot = brand.hot
    if not hot.touched:
        return False
    clock_s = max(clock_s, hot.looked_s)
    # A minute that has not begun on this clock is still to be looked at.
    due = sorted(minute_s for minute_s in hot.touched if minute_s < clock_s)
    if not due or not _matters(config, brand):
        return False
    hot.looked_s = clock_s
    hot.touched.difference_update(due)
    now = _time(clock_s)
    for minute_s in due:
        minute = hot.minutes.get(minute_s)
        if minute is None:
            continue
        counts, detection = score(
            brand,
            minute_s,
            minute,
            announced=config.announced(brand.brand, minute_s),
            elapsed_ratio=min(elapsed(minute_s, clock_s), MOST_ELAPSED),
        )
        _decide(config, brand, detection, now, out)
        brand.latest = _minute(brand, minute_s, counts, detection.readings, ())
    return True


def _matters(config: PipelineConfig, brand: BrandState) -> bool:
    """Whether the open minutes could raise a level, given what the closed ones left."""
    if brand.busy():
        return True
    held = together(brand.hot.minutes.values())
    return may_rise(
        brand.incident.surges if brand.incident else (),
        config.severity_of(brand.brand),
        negative=held.negative,
        top_reach=held.top_reach,
        security=held.security,
    )


def rests(config: PipelineConfig, brand: BrandState, heard: Heard) -> bool:
    """Whether ticks may leave a brand alone until it is mentioned again: it catches up then.

    Not while a source is blind: nobody would know later which silence was one. The silence of a
    lively brand is listened to now and then: it may be the source's.
    """
    if brand.hot.minutes or brand.busy() or heard.blind:
        return False
    if not brand.habits.lively or brand.hot.closed_through_s is None:
        return True
    watermark_s = heard.watermark_s or 0.0
    return watermark_s - config.lateness_s < brand.hot.closed_through_s + LISTEN_S


def _quiet_minutes(brand: BrandState, minute_s: int, bound_s: int) -> int:
    """How many minutes from here hold nothing while nothing is going on."""
    if brand.busy():
        return 0
    minutes = brand.hot.minutes
    if minute_s in minutes:
        return 0
    next_s = min([bound_s, *minutes])
    return max(0, (next_s - minute_s) // MINUTE_S)


def _without_news(brand: BrandState, minute_s: int, quiet: int) -> int:
    """How many of these quiet minutes pass before other channels are blind than now.

    The minute in which that happens is told, though it holds nothing.
    """
    habits = brand.habits
    if not habits.channels:
        return quiet
    if quiet > QUIET_LEARNED:
        told = bool(habits.blind)
        habits.clear()
        brand.changed.add("habits")
        return 0 if told else quiet
    before = habits.blind
    _enter(brand, minute_s)
    if habits.blind != before:
        return 0
    return habits.calm(min(quiet, habits.minutes_left(minute_s)), start_s=minute_s)


def _enter(brand: BrandState, minute_s: int) -> None:
    """Let the habits know what is usual in this quarter of an hour."""
    if brand.habits.due(minute_s):
        brand.habits.enter(minute_s, usual=brand.bank.usual(minute_s))


def _pass_quietly(
    brand: BrandState, minute_s: int, quiet: int, blind: tuple[str, ...], *, listens: bool
) -> None:
    if listens and brand.habits.channels:
        brand.habits.pass_silent(quiet)
        brand.changed.add("habits")
    if blind or brand.habits.blind:
        # Silence of a source that we cannot hear is no habit of the brand.
        brand.series.pass_unheard(quiet, start_s=minute_s)
        brand.changed.add("series")
        return
    learned = min(quiet, QUIET_LEARNED)
    brand.bank.learn_quiet(learned, start_s=minute_s + (quiet - learned) * MINUTE_S)
    brand.changed.add("bank")


def _close_one(
    config: PipelineConfig,
    brand: BrandState,
    minute_s: int,
    blind: tuple[str, ...],
    out: Outcome,
    *,
    listens: bool,
) -> None:
    minute = brand.hot.minutes.pop(minute_s, None) or OpenMinute()
    brand.hot.touched.discard(minute_s)
    if listens:
        _enter(brand, minute_s)
        brand.habits.take(minute.by_channel, start_s=minute_s)
        brand.changed.add("habits")
    if silent := brand.habits.blind:
        blind = tuple(sorted({*blind, *silent}))
    announced = config.announced(brand.brand, minute_s)
    counts, detection = score(brand, minute_s, minute, blind=blind, announced=announced)
    _decide(config, brand, detection, _time(minute_s + MINUTE_S), out)
    learn(brand, minute_s, minute, counts, held=bool(blind) or announced)
    brand.latest = _minute(brand, minute_s, counts, detection.readings, blind)
    out.publish_minute(brand.latest)


def _decide(
    config: PipelineConfig, brand: BrandState, detection: Detection, at: datetime, out: Outcome
) -> None:
    brand.incident, incidents = judge(
        brand.incident,
        brand.evidence,
        detection,
        brand_title=config.title(brand.brand),
        now=at,
        config=config.severity_of(brand.brand),
        time_zone=config.time_zone,
    )
    brand.changed.add("incident")
    out.publish_incidents(brand, incidents)


def _minute(
    brand: BrandState,
    minute_s: int,
    counts: Counts,
    readings: tuple[Reading, ...],
    blind: tuple[str, ...],
) -> Minute:
    return Minute(
        id=f"{brand.run}/{brand.brand}/{minute_s}",
        brand=brand.brand,
        start=_time(minute_s),
        counts=counts,
        run=brand.run,
        readings=readings,
        level=brand.level(),
        incident=brand.incident.incident if brand.incident else "",
        blind=blind,
    )


def _time(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
