"""What weighs: a run that lasts, two witnesses at once, and one post that many people see."""

from detectors.anomaly.reading import Reading
from detectors.incidents.detection import Detection
from detectors.incidents.episode import Change
from detectors.incidents.incident import IncidentState, step
from detectors.incidents.severity import (
    ALERT,
    CRISIS,
    WATCH,
    SeverityConfig,
)
from detectors.incidents.surge import Amount, Surge, grow, rest
from detectors.incidents.verdict import Recent, level_of

CONFIG = SeverityConfig()
T0 = 1_767_225_600


def highest(minutes: list[Detection]) -> int:
    state, top = IncidentState(), 0
    changes: tuple[Change, ...]
    for minute in minutes:
        state, changes = step(state, minute, now_s=minute.start_s + 60, config=CONFIG)
        top = max([top, *(c.episode.level for c in changes)])
    return top


def minute(at: int, readings: tuple[Reading, ...], **sums: float) -> Detection:
    return Detection(
        brand="kopi",
        start_s=T0 + 60 * at,
        readings=readings,
        mentions=int(sums.get("mentions", 0)),
        negative=sums.get("negative", 0.0),
        top_reach=sums.get("top_reach", 0.0),
    )


def busy(at: int, mood: float, score: float) -> Detection:
    """A minute of a hundred mentions whose share of four hours is surprising."""
    readings = (
        Reading("volume", 100.0, 100.0, 140.0, 0.5),
        Reading("negative", 100.0 * mood, 30.0, 45.0, 1.0),
        Reading("negative_share", 0.34, 0.30, 0.33, score, window_s=14_400),
    )
    return minute(at, readings, mentions=100, negative=100.0 * mood)


def test_hours_a_little_worse_and_one_lively_minute_page_nobody() -> None:
    hours = [busy(m, 0.34, 3.6) for m in range(1500)]
    lively = [busy(m, 0.45, 3.7) for m in (1500, 1501)]
    assert highest(hours + lively) < ALERT


def test_hours_that_are_much_worse_do_page() -> None:
    assert highest([busy(m, 0.45, 4.8) for m in range(600)]) >= ALERT


def small(at: int, volume: float, share: float) -> Detection:
    """A minute of complaints where one mention in ten minutes is usual."""
    readings = (
        Reading("volume", 4.0, 0.1, 1.5, volume),
        Reading("negative", 3.6, 0.03, 1.0, 4.0, window_s=3600),
        Reading("negative_share", 0.9, 0.3, 0.8, share, window_s=3600),
    )
    return minute(at, readings, mentions=4, negative=3.6)


def test_more_and_worse_at_once_page_where_neither_would() -> None:
    assert highest([small(m, 4.0, 4.0) for m in range(12)]) >= ALERT
    assert highest([small(m, 4.0, 0.0) for m in range(12)]) < ALERT
    assert highest([small(m, 0.0, 4.0) for m in range(12)]) < ALERT


def test_more_and_worse_in_a_single_minute_page_nobody() -> None:
    assert highest([small(0, 300.0, 300.0)]) < ALERT


def viral(seen: float, score: float, upper: float = 9_000.0, at: int = 0) -> Detection:
    return minute(at, (Reading("velocity", seen, 50.0, upper, score),), top_reach=seen)


def first_day(seen: float) -> Detection:
    return minute(0, (Reading("negative", 0.9, 0.3, 1.0, None, warming=True),), top_reach=seen)


def test_one_complaint_pages_by_its_surprise_and_by_its_viewers() -> None:
    assert highest([viral(80_000.0, 4.3)]) == WATCH
    assert highest([viral(20_000.0, 4.6)]) == WATCH
    assert highest([viral(80_000.0, 4.6)]) == ALERT
    assert highest([viral(1_500_000.0, 4.6)]) == CRISIS
    assert highest([viral(1_500_000.0, 3.9, upper=40_000.0)]) < WATCH


def test_a_complaint_seen_far_beyond_what_is_remarkable_needs_no_more_surprise() -> None:
    """A small brand has no history from which a million viewers would be more surprising."""
    assert highest([viral(300_000.0, 3.7, upper=500.0)]) == ALERT
    assert highest([viral(90_000.0, 3.7, upper=500.0)]) < WATCH
    assert highest([viral(300_000.0, 3.7, upper=9_000.0)]) < WATCH
    assert highest([viral(1_500_000.0, 3.9, upper=500.0)]) == CRISIS


def test_a_million_viewers_page_on_the_first_day() -> None:
    assert highest([first_day(1_500_000.0)]) == ALERT
    assert highest([first_day(900_000.0)]) < WATCH


def test_a_viral_post_of_a_first_day_does_not_hide_a_flood_of_complaints() -> None:
    minutes = [
        minute(m, first_day(0.0).readings, mentions=40, negative=40.0, top_reach=1_500_000.0)
        for m in range(20)
    ]
    assert highest(minutes) == CRISIS


def test_an_incident_of_a_first_day_tells_viewers_of_a_post_and_complaints_of_a_flood() -> None:
    quiet = first_day(0.0).readings
    minutes = [minute(0, quiet, mentions=1, negative=0.9, top_reach=1_500_000.0)]
    minutes += [minute(m, quiet, mentions=40, negative=40.0) for m in range(1, 20)]
    state, told = IncidentState(), []
    for m in minutes:
        state, changes = step(state, m, now_s=m.start_s + 60, config=CONFIG)
        told += [c.episode for c in changes if c.kind in ("opened", "level")]
    assert (told[0].signal, told[0].observed, told[0].window_observed) == (
        "velocity", 1_500_000.0, 1_500_000.0,
    )  # fmt: skip
    assert told[-1].signal == "negative"
    assert told[-1].observed == 40.0
    assert told[-1].window_observed <= 40.0 * 20


def test_a_viral_post_is_one_event_however_long_it_is_looked_at() -> None:
    assert highest([viral(80_000.0, 4.1, at=m) for m in range(60)]) < WATCH


def test_a_crisis_that_ended_is_not_reopened_by_its_long_windows() -> None:
    """Scores look back for hours; ten mentions a minute are over at once."""

    def seen(at: int, negative: float, score: float) -> Detection:
        readings = (
            Reading("volume", max(negative, 1.0), 1.0, 5.0, score),
            Reading("negative", negative, 0.3, 2.0, score, window_s=3600),
            Reading("negative_share", 0.7, 0.3, 0.5, score, window_s=14_400),
        )
        return minute(at, readings, mentions=round(negative) or 1, negative=negative)

    minutes = [seen(m, 8.0, 8.0) for m in range(180)]
    minutes += [seen(m, 0.3, 5.0) for m in range(180, 600)]
    state, levels = IncidentState(), []
    for m in minutes:
        state, changes = step(state, m, now_s=m.start_s + 60, config=CONFIG)
        levels += [0 if c.kind == "closed" else c.episode.level for c in changes]
    top = levels.index(CRISIS)
    assert levels[top:] == sorted(levels[top:], reverse=True)
    assert state.level == 0


def burn(excess: float, expected: float) -> Surge:
    """A day and a half with so many complaints too many, as surprising as can be."""
    reading = Reading("slow_burn", 2.0, 0.6, 1.0, 9.0, window_s=129_600)
    total = excess + expected
    amount = Amount(total, expected, total, total, window_s=129_600)
    surge: Surge | None = None
    for n in range(6):
        surge = grow(surge, "slow_burn", reading, amount, start_s=T0 + 60 * n, score_cap=8.0)
    assert surge is not None
    return surge


def test_a_crisis_that_was_told_is_not_told_again_as_a_slow_burn() -> None:
    def level(excess: float, told: float) -> int:
        recent = Recent(told=told, warming=False)
        return level_of((burn(excess, expected=1_300.0),), recent, CONFIG).level

    assert level(3_000.0, told=0.0) == ALERT
    assert level(3_000.0, told=2_550.0) < WATCH
    assert level(6_000.0, told=2_550.0) == ALERT


def test_a_worse_mood_among_few_mentions_outlives_the_minutes_without_any() -> None:
    def angry(at_s: int, surge: Surge | None) -> Surge | None:
        # One complaint where a third of them is usual.
        amount = Amount(1.0, 0.3, 1.0, 1.0, slack=0.36)
        reading = Reading("negative_share", 0.9, 0.3, 0.6, 3.0, window_s=3600)
        return grow(surge, "negative_share", reading, amount, start_s=at_s, score_cap=8.0)

    surge: Surge | None = None
    for n in range(12):
        at_s = T0 + 600 * n
        if surge is not None:
            surge = rest(surge, start_s=at_s - 60)
        surge = angry(at_s, surge)
    assert surge is not None
    assert surge.mentions == 12
    assert surge.excess > 8.0
    assert rest(surge, start_s=T0 + 2 * 86_400) is None
