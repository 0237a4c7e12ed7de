"""The incident as a state machine: what it opens, holds, ends, and what people teach it."""

import math
from itertools import pairwise
from typing import Any

import pytest

from detectors.anomaly.reading import Reading
from detectors.incidents.actions import Act, act
from detectors.incidents.detection import Detection
from detectors.incidents.episode import Change
from detectors.incidents.incident import IncidentState, Lesson, margin_at, step
from detectors.incidents.severity import (
    ALERT,
    CRISIS,
    NORMAL,
    WATCH,
    SeverityConfig,
)

CONFIG = SeverityConfig()
T0 = 1_767_225_600


def minute(at: int, *, negative: float = 0.2, score: float = 0.2, **more: Any) -> Detection:
    mentions = more.pop("mentions", round(negative / 0.8) if score > 1 else 1)
    expected = more.pop("expected", 0.2)
    readings = more.pop(
        "readings",
        (
            Reading("volume", mentions, 1.0, 6.0, score),
            Reading("negative", negative, expected, 3.0, score),
        ),
    )
    return Detection(
        brand="kopi",
        start_s=T0 + 60 * at,
        readings=readings,
        mentions=mentions,
        negative=negative,
        **more,
    )


def play(
    detections: list[Detection], state: IncidentState | None = None, config: SeverityConfig = CONFIG
) -> tuple[IncidentState, list[Change]]:
    state = state or IncidentState()
    changes: list[Change] = []
    for detection in detections:
        state, new = step(state, detection, now_s=detection.start_s + 60, config=config)
        changes += new
    return state, changes


def calm(start: int, length: int) -> list[Detection]:
    return [minute(m) for m in range(start, start + length)]


def storm(start: int, length: int, *, negative: float = 6.0, score: float = 6.0) -> list[Detection]:
    return [minute(m, negative=negative, score=score) for m in range(start, start + length)]


def told(changes: list[Change]) -> list[tuple[str, int]]:
    return [(c.kind, c.episode.level) for c in changes if c.kind != "evidence"]


def test_a_storm_of_complaints_alerts_within_five_minutes_with_its_onset() -> None:
    _, changes = play(calm(0, 60) + storm(60, 20))
    alert = next(c for c in changes if c.episode.level >= ALERT)
    assert alert.at_s - T0 <= 65 * 60
    assert alert.episode.onset_s == T0 + 60 * 60
    assert alert.episode.id == f"live/kopi/{T0 + 60 * (changes[0].at_s - T0 - 60) // 60}"


def test_no_single_minute_pages_anyone() -> None:
    _, changes = play([*calm(0, 60), minute(60, negative=200.0, score=300.0), *calm(61, 60)])
    assert all(c.episode.level < ALERT for c in changes)


def test_a_lasting_great_storm_is_a_crisis() -> None:
    state, _ = play(calm(0, 60) + storm(60, 30, negative=12.0, score=8.0))
    assert state.level == CRISIS


def test_praise_is_at_most_a_watch() -> None:
    praise = [
        minute(
            m,
            mentions=60,
            negative=6.0,
            readings=(
                Reading("volume", 60, 4.0, 12.0, 9.0),
                Reading("authors", 55, 4.0, 12.0, 9.0),
                Reading("negative", 6.0, 0.8, 4.0, 5.5),
            ),
        )
        for m in range(60, 120)
    ]
    _, changes = play(calm(0, 60) + praise)
    assert {c.episode.level for c in changes} == {WATCH}


def test_an_incident_ends_by_itself_and_soon_after_the_storm() -> None:
    state, changes = play(calm(0, 60) + storm(60, 30) + calm(90, 90))
    assert told(changes)[-1] == ("closed", NORMAL)
    assert state.level == NORMAL
    ended = (changes[-1].at_s - T0) // 60 - 90
    assert 10 <= ended <= 45


def test_a_lull_does_not_end_an_incident() -> None:
    _, changes = play(calm(0, 60) + storm(60, 20) + calm(80, 8) + storm(88, 20))
    assert [kind for kind, _ in told(changes)].count("opened") == 1
    assert "closed" not in [kind for kind, _ in told(changes)]


def test_a_second_wave_reopens_the_same_incident() -> None:
    _, changes = play(calm(0, 60) + storm(60, 20) + calm(80, 60) + storm(140, 20))
    kinds = [kind for kind, _ in told(changes)]
    assert "reopened" in kinds
    assert len({c.episode.id for c in changes}) == 1


def test_a_storm_on_another_day_is_another_incident() -> None:
    _, changes = play(calm(0, 60) + storm(60, 20) + calm(80, 400) + storm(480, 20))
    assert len({c.episode.id for c in changes}) == 2


def test_minutes_that_were_never_sent_are_quiet_ones() -> None:
    state, changes = play([*calm(0, 60), *storm(60, 30), minute(90 + 600)])
    assert told(changes)[-1][0] == "closed"
    assert (changes[-1].at_s - T0) // 60 < 90 + 60
    assert state.minute_s == T0 + 60 * 690


def test_a_minute_told_twice_changes_nothing() -> None:
    state, _ = play(calm(0, 60) + storm(60, 10))
    again, changes = play(storm(60, 10), state)
    assert (again, changes) == (state, [])


def test_a_blind_source_holds_the_level_but_not_for_ever() -> None:
    blind = [minute(m, blind=("forum",)) for m in range(90, 90 + 400)]
    _, changes = play(calm(0, 60) + storm(60, 30) + blind)
    closed = next(c for c in changes if c.kind == "closed")
    held = closed.at_s - T0 - 90 * 60
    assert CONFIG.blind_hold_s <= held <= CONFIG.blind_hold_s + 3600


def test_the_open_minute_raises_a_level_before_it_closes() -> None:
    state, _ = play(calm(0, 60))
    seen: list[Change] = []
    for at in (60, 61, 62, 63):
        glance = minute(at, negative=8.0, score=8.0, partial=True)
        state, changes = step(state, glance, now_s=glance.start_s + 30, config=CONFIG)
        seen += changes
    assert state.level >= ALERT
    assert state.minute_s == T0 + 59 * 60
    _, later = play(storm(60, 20), state)
    assert not [c for c in later if c.kind in ("opened", "closed")]
    assert seen[0].kind == "opened"


def test_the_open_minute_alone_closes_nothing_and_is_not_remembered() -> None:
    state, _ = play(calm(0, 60))
    glance = minute(60, negative=2.0, score=2.0, partial=True)
    after, changes = step(state, glance, now_s=glance.start_s + 10, config=CONFIG)
    assert changes == ()
    assert (after.surges, after.usual, after.minute_s) == (
        state.surges,
        state.usual,
        state.minute_s,
    )


def test_three_security_complaints_alert_at_low_volume() -> None:
    leak = [minute(m, negative=0.9, security=1) for m in (60, 63, 66)]
    quiet = [minute(m) for m in range(61, 66) if m != 63]
    detections = sorted([*calm(0, 60), *leak, *quiet], key=lambda d: d.start_s)
    _, changes = play(detections)
    assert changes[0].episode.signal == "security"
    assert changes[0].episode.level == ALERT
    # It tells of all three, not of the minute that made it three.
    assert changes[0].episode.window_observed == 3.0
    assert changes[0].episode.onset_s == T0 + 60 * 60


def test_a_bank_that_hears_of_security_all_day_is_not_paged_by_it() -> None:
    usual = [minute(m, security=m % 3 == 0) for m in range(2880)]
    _, changes = play(usual)
    late = [c for c in changes if c.at_s - T0 > 6 * 3600 and c.kind in ("opened", "reopened")]
    assert late == []


def test_the_floors_alert_while_the_detectors_warm_up() -> None:
    def warming(at: int, negative: float, mentions: int) -> Detection:
        reading = Reading("negative", negative, warming=True)
        return minute(at, negative=negative, mentions=mentions, readings=(reading,))

    first_day = [warming(m, 0.2, 1) for m in range(60)] + [
        warming(m, 5.0, 6) for m in range(60, 75)
    ]
    _, changes = play(first_day)
    assert max(c.episode.level for c in changes) >= ALERT
    assert changes[0].at_s - T0 <= 72 * 60


def test_a_busy_brand_is_not_paged_when_it_is_first_seen() -> None:
    busy = [
        minute(m, negative=40.0, mentions=60, readings=(Reading("negative", 40.0, warming=True),))
        for m in range(300)
    ]
    state, changes = play(busy)
    assert [c for c in changes if c.at_s > T0 + 30 * 60 and c.kind == "opened"] == []
    assert state.level == NORMAL


def test_an_announced_campaign_opens_nothing() -> None:
    sale = [
        minute(
            m,
            mentions=60,
            negative=12.0,
            announced=True,
            readings=(
                Reading("volume", 60, 4.0, 12.0, 9.0),
                Reading("negative", 12.0, 0.8, 4.0, 7.0),
            ),
        )
        for m in range(60, 180)
    ]
    _, changes = play(calm(0, 60) + sale)
    assert changes == []


def test_a_storm_of_complaints_alerts_in_a_campaign_too() -> None:
    storm_in_sale = [
        minute(m, negative=20.0, score=8.0, announced=True, mentions=24) for m in range(60, 90)
    ]
    state, _ = play(calm(0, 60) + storm_in_sale)
    assert state.level >= ALERT


def action(state: IncidentState, kind: str, at: int, **more: Any) -> Act:
    more.setdefault("id", f"{kind}-{at}")
    return Act(kind=kind, incident=state.incident, who="sari", at_s=T0 + 60 * at, **more)


def test_an_acknowledgement_is_recorded_once() -> None:
    state, _ = play(calm(0, 60) + storm(60, 10))
    ack = action(state, "ack", 71)
    state, changes = act(state, ack, now_s=ack.at_s, config=CONFIG)
    assert changes[0].kind == "acknowledged"
    assert state.episode is not None
    assert state.episode.acknowledged_by == "sari"
    assert act(state, ack, now_s=ack.at_s, config=CONFIG) == (state, ())


def test_an_action_on_another_incident_changes_nothing() -> None:
    state, _ = play(calm(0, 60) + storm(60, 10))
    other = Act(id="x", kind="close", incident="live/teh/1", who="sari", at_s=T0)
    assert act(state, other, now_s=T0, config=CONFIG) == (state, ())


def test_a_dismissed_storm_stays_closed_while_it_is_no_worse() -> None:
    state, _ = play(calm(0, 60) + storm(60, 10, negative=3.0))
    close = action(state, "close", 71)
    state, _ = act(state, close, now_s=close.at_s, config=CONFIG)
    assert state.level == NORMAL
    state, changes = play(storm(71, 20, negative=3.0), state)
    assert changes == []


def test_a_storm_that_grew_slowly_and_was_dismissed_at_its_height_stays_closed() -> None:
    slow, height = storm(60, 20, negative=2.0), storm(80, 6, negative=8.0)
    state, _ = play(calm(0, 60) + slow + height)
    close = action(state, "close", 87)
    state, _ = act(state, close, now_s=close.at_s, config=CONFIG)
    assert state.level == NORMAL
    state, changes = play(storm(87, 20, negative=8.0), state)
    assert changes == []


def test_a_dismissed_storm_that_doubles_comes_back() -> None:
    state, _ = play(calm(0, 60) + storm(60, 10, negative=5.0, score=5.5))
    close = action(state, "close", 71)
    state, _ = act(state, close, now_s=close.at_s, config=CONFIG)
    _, changes = play(storm(71, 30, negative=16.0, score=8.0), state)
    assert changes[0].kind == "reopened"


def test_false_alarms_teach_within_bounds_and_are_forgotten() -> None:
    state = IncidentState()
    at, margins = 0, []
    for round_ in range(8):
        state, _ = play(calm(at, 60) + storm(at + 60, 10, negative=12, score=9.0), state)
        wrong = action(state, "false_alarm", at + 70, id=f"f{round_}")
        state, changes = act(state, wrong, now_s=wrong.at_s, config=CONFIG)
        if changes:
            margins.append(state.lessons[0].margin)
        at += 400
    assert margins[0] == CONFIG.lesson_step
    assert max(margins) <= CONFIG.lesson_bound
    crisis, _ = play(
        calm(at, 60) + storm(at + 60, 40, negative=20.0, score=9.0),
        state,
    )
    assert crisis.level == CRISIS, "a lesson never hides a crisis"


def test_a_snooze_ends_when_it_gets_worse() -> None:
    state, _ = play(calm(0, 60) + storm(60, 6, negative=3.0, score=6.5))
    snooze = action(state, "snooze", 67, until_s=T0 + 60 * 600)
    state, changes = act(state, snooze, now_s=snooze.at_s, config=CONFIG)
    assert changes[0].kind == "snoozed"
    state, _ = play(storm(67, 40, negative=14.0, score=8.0), state)
    assert state.level == CRISIS
    assert state.episode is not None
    assert state.episode.snoozed_until_s is None


def test_a_snapshot_of_a_later_version_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match="upgrade"):
        IncidentState.restore(b"\xff\x80")


def test_a_slow_burn_is_told_once_not_after_every_acute_incident() -> None:
    def slow(at: int, negative: float, score: float, burn: float) -> Detection:
        # The window of four hours forgets the acute hour over two.
        observed = 1.0 + 2.0 * math.exp(-max(at - 120, 0) / 120)
        readings = (
            Reading("volume", 8.0, 4.0, 12.0, score),
            Reading("negative", negative, 1.0, 5.0, score),
            Reading("slow_burn", observed, 1.0, 2.0, burn, window_s=14_400),
        )
        return minute(at, negative=negative, mentions=8, readings=readings)

    acute = [slow(m, 7.0, 7.0, 3.0) for m in range(60, 120)]
    after = [slow(m, 1.0, 0.3, 6.0) for m in range(120, 400)]
    _, changes = play(calm(0, 60) + acute + after)
    assert told(changes)[-1][0] == "closed"
    assert "reopened" not in [kind for kind, _ in told(changes)]


def test_a_damaged_snapshot_is_refused_as_such() -> None:
    with pytest.raises(ValueError, match="damaged"):
        IncidentState.restore(IncidentState().snapshot()[:1] + b"\xc1")


@pytest.mark.parametrize(
    ("dials", "least_s"),
    [
        (SeverityConfig(min_duration_s=3600, hold_s=60), 3600),
        (SeverityConfig(min_duration_s=60, hold_s=2400), 2400),
    ],
    ids=["minimum duration", "hysteresis"],
)
def test_each_of_the_two_brakes_alone_keeps_a_level_from_falling_at_once(
    dials: SeverityConfig, least_s: int
) -> None:
    _, changes = play(calm(0, 60) + storm(60, 12) + calm(72, 240), config=dials)
    rose = max(c.at_s for c in changes if c.kind in ("opened", "level") and c.episode.level)
    fell = next(
        c.at_s for c in changes if c.kind == "closed" or c.episode.level < ALERT <= c.episode.peak
    )
    storm_ended = T0 + 72 * 60
    since = rose if dials.min_duration_s > dials.hold_s else storm_ended
    assert fell - since >= least_s


def test_a_lesson_fades_by_half_in_its_half_life() -> None:
    lesson = Lesson("negative", 1.0, T0)
    assert margin_at(lesson, T0, CONFIG) == 1.0
    assert margin_at(lesson, T0 + CONFIG.lesson_half_life_s, CONFIG) == pytest.approx(0.5)


def test_a_crisis_does_not_become_what_is_usual() -> None:
    before, _ = play(calm(0, 120))
    during, changes = play(storm(120, 180, negative=20.0, score=8.0), before)
    assert max(c.episode.level for c in changes) >= ALERT
    paged = next(c.at_s for c in changes if c.episode.level >= ALERT)
    # Only the minutes before the page were learned.
    learned = (paged - T0) / 60 - 120
    assert during.usual.negative <= before.usual.negative + 20.0 * (learned + 1) / 120
    assert during.usual.lately <= before.usual.lately + 20.0 * (learned + 1) / 100


def test_what_comes_back_all_day_is_told_a_few_times_and_ends_after_a_longer_calm() -> None:
    day = [d for n in range(12) for d in (*storm(65 * n, 20), *calm(65 * n + 20, 45))]

    def pages(config: SeverityConfig) -> int:
        _, changes = play(day, config=config)
        levels = [0, *(c.episode.level for c in changes)]
        return sum(before < ALERT <= now for before, now in pairwise(levels))

    assert pages(SeverityConfig(hold_most_s=600)) == 12
    assert 2 <= pages(CONFIG) <= 4
    state, _ = play(day)
    assert state.level >= WATCH
    state, changes = play(calm(780, 120), state)
    assert told(changes)[-1][0] == "closed"  # two hours at most


def unknown(at: int, **more: Any) -> Detection:
    """A minute of a brand's first day: nothing has a score yet."""
    readings = (Reading("volume", 1.0), Reading("negative", 0.2))
    return minute(at, readings=readings, **more)


@pytest.mark.parametrize(
    ("going_on", "minutes"),
    [
        ([unknown(m, negative=18.0, mentions=20) for m in range(60, 300)], 240),
        ([unknown(60, negative=1.0, top_reach=1e7), *map(unknown, range(61, 300))], 138),
        ([minute(m, security=3) for m in range(60, 70)] + calm(70, 230), 60),
    ],
    ids=["complaints of a first day", "a viral post of a first day", "security words"],
)
def test_what_sums_call_for_is_not_closed_as_calm_and_reopened(
    going_on: list[Detection], minutes: int
) -> None:
    before = calm(0, 60) if going_on[0].security else [unknown(m) for m in range(60)]
    after = [unknown(m) for m in range(300, 420)] if not going_on[0].security else calm(300, 120)
    _, changes = play([*before, *going_on, *after])
    kinds = [c.kind for c in changes if c.kind in ("opened", "closed", "reopened")]
    assert kinds == ["opened", "closed"]
    assert changes[-1].at_s - changes[0].at_s >= 60 * minutes
