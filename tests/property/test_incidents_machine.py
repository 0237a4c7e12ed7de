"""Whatever the minutes are: no flapping, a growing sequence, one history however it is cut."""

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.anomaly.bank import SIGNALS
from detectors.anomaly.reading import Reading
from detectors.incidents import incident, surges
from detectors.incidents.actions import Act, act
from detectors.incidents.detection import Detection
from detectors.incidents.episode import Change
from detectors.incidents.incident import IncidentState, step
from detectors.incidents.severity import NORMAL, SeverityConfig
from detectors.incidents.surge import grow

CONFIG = SeverityConfig()
T0 = 1_767_225_600
QUICK = settings(max_examples=60, deadline=None)


@st.composite
def histories(draw: st.DrawFn) -> list[Detection]:
    """Stretches of calm, storms, praise, blindness and gaps."""
    detections: list[Detection] = []
    at = 0
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(["calm", "storm", "mild", "praise", "blind", "gap", "burn"]))
        length = draw(st.integers(1, 40))
        strength = draw(st.floats(1.0, 15.0))
        score = draw(st.floats(0.0, 12.0))
        for _ in range(length):
            if kind != "gap":
                detections.append(_minute(at, kind, strength, score))
            at += 1
    return detections or [_minute(0, "calm", 1.0, 0.0)]


def _minute(at: int, kind: str, strength: float, score: float) -> Detection:
    negative = {"storm": strength, "mild": 0.5 * strength, "praise": 0.1 * strength}.get(kind, 0.1)
    mentions = round(strength) if kind in ("storm", "praise") else 1
    shown = score if kind in ("storm", "mild", "praise") else 0.3
    readings = (
        Reading("volume", mentions, 1.0, 5.0, shown),
        Reading("negative", negative, 0.2, 3.0, shown if kind != "praise" else 0.3),
        Reading("slow_burn", 0.5, 0.2, 0.4, score if kind == "burn" else 0.5, window_s=14_400),
    )
    return Detection(
        brand="kopi",
        start_s=T0 + 60 * at,
        readings=readings,
        mentions=mentions,
        negative=negative,
        blind=("forum",) if kind == "blind" else (),
    )


def _play(
    detections: list[Detection], state: IncidentState | None = None
) -> tuple[IncidentState, list[Change]]:
    state = state or IncidentState()
    changes: list[Change] = []
    for detection in detections:
        state, new = step(state, detection, now_s=detection.start_s + 60, config=CONFIG)
        changes += new
    return state, changes


@QUICK
@given(histories())
def test_the_sequence_of_an_incident_grows_by_one_and_time_never_goes_back(
    history: list[Detection],
) -> None:
    _, changes = _play(history)
    last: dict[str, Change] = {}
    for change in changes:
        before = last.get(change.episode.id)
        if before is None:
            assert change.kind == "opened"
            assert change.episode.sequence == 0
        else:
            assert change.episode.sequence == before.episode.sequence + 1
            assert change.episode.updated_s >= before.episode.updated_s
        last[change.episode.id] = change


@QUICK
@given(histories())
def test_a_level_stays_for_its_minimum_duration_before_it_falls(history: list[Detection]) -> None:
    _, changes = _play(history)
    rose_s: int | None = None
    level = NORMAL
    for change in changes:
        now = change.episode.level
        if now < level:
            assert rose_s is not None
            assert change.at_s - rose_s >= CONFIG.min_duration_s
        if now != level:
            rose_s = change.at_s
        level = now


@QUICK
@given(histories())
def test_every_opened_incident_is_closed_once_all_is_calm(history: list[Detection]) -> None:
    state, changes = _play(history)
    later = history[-1].start_s + 60
    calm = [_minute((later - T0) // 60 + m, "calm", 1.0, 0.0) for m in range(400)]
    state, more = _play(calm, state)
    assert state.level == NORMAL
    kinds = [c.kind for c in [*changes, *more]]
    assert kinds.count("opened") + kinds.count("reopened") == kinds.count("closed")


@QUICK
@given(histories(), st.integers(0, 400))
def test_a_restart_in_the_middle_changes_nothing(history: list[Detection], cut: int) -> None:
    whole, changes = _play(history)
    state, first = _play(history[:cut])
    state, second = _play(history[cut:], IncidentState.restore(state.snapshot()))
    assert (state, first + second) == (whole, changes)


@QUICK
@given(histories(), st.integers(1, 60))
def test_minutes_that_come_again_change_nothing(history: list[Detection], back: int) -> None:
    whole, changes = _play(history)
    state, seen = IncidentState(), []
    for i, detection in enumerate(history):
        for repeat in history[max(i - back, 0) : i + 1]:
            state, new = step(state, repeat, now_s=repeat.start_s + 60, config=CONFIG)
            seen += new
        del detection
    assert (state, seen) == (whole, changes)


@QUICK
@given(histories(), st.integers(0, 300))
def test_looking_at_open_minutes_never_lowers_or_closes(history: list[Detection], at: int) -> None:
    state, _ = _play(history[:at])
    for detection in history[at : at + 5]:
        glance = Detection(
            brand=detection.brand,
            start_s=detection.start_s,
            readings=detection.readings,
            mentions=detection.mentions,
            negative=detection.negative,
            partial=True,
        )
        after, changes = step(state, glance, now_s=detection.start_s + 30, config=CONFIG)
        assert after.level >= state.level
        assert all(c.kind in ("opened", "reopened", "level") for c in changes)
        state = after


@QUICK
@given(histories(), st.lists(st.sampled_from(["ack", "snooze", "close", "false_alarm", "note"])))
def test_actions_keep_the_sequence_and_are_applied_once(
    history: list[Detection], kinds: list[str]
) -> None:
    state, _ = _play(history)
    now_s = history[-1].start_s + 60
    for i, kind in enumerate(kinds):
        sequence = state.episode.sequence if state.episode else 0
        action = Act(
            id=f"a{i}",
            kind=kind,
            incident=state.episode.id if state.episode else "none",
            who="sari",
            at_s=now_s + i,
            until_s=now_s + 3600,
        )
        state, changes = act(state, action, now_s=now_s + i, config=CONFIG)
        assert act(state, action, now_s=now_s + i, config=CONFIG) == (state, ())
        for change in changes:
            assert change.episode.sequence == sequence + 1
        assert all(lesson.margin <= CONFIG.lesson_bound for lesson in state.lessons)


@QUICK
@given(histories())
def test_the_state_of_a_brand_stays_small(history: list[Detection]) -> None:
    state, _ = _play(history)
    assert len(state.snapshot()) < 12_000


AMOUNTS = st.one_of(st.just(0.0), st.floats(0.0, 50.0))


@given(
    signal=st.sampled_from(SIGNALS),
    score=st.floats(0.0, 4.0, exclude_min=True),
    observed=AMOUNTS,
    expected=st.one_of(st.none(), AMOUNTS),
    sums=st.tuples(AMOUNTS, AMOUNTS, st.floats(0.0, 1.0)),
)
def test_a_minute_is_called_dull_if_and_only_if_it_begins_no_surge(
    signal: str,
    score: float,
    observed: float,
    expected: float | None,
    sums: tuple[float, float, float],
) -> None:
    reading = Reading(signal, observed, expected, None, score)
    known = surges._Sums(*sums)
    grown = grow(
        None,
        signal,
        reading,
        surges._amount(reading, known),
        start_s=T0,
        score_cap=CONFIG.score_cap,
        at_once=signal == "velocity",
    )
    assert surges._dull(reading, score, known) == (grown is None)


def _looked_at(history: list[Detection], scores: list[float]) -> list[tuple[object, ...]]:
    """Each minute is looked at with the next two while it is open, then it closes."""
    worse = [
        replace(d, readings=(*d.readings, Reading("negative_share", 0.9, 0.3, 0.8, score)))
        for d, score in zip(history, scores * len(history), strict=False)
    ]
    state, told = IncidentState(), []
    for i, detection in enumerate(worse):
        for seen in worse[i : i + 3]:
            glance = replace(seen, partial=True)
            state, changes = step(state, glance, now_s=seen.start_s + 50, config=CONFIG)
            told.append((state, changes))
        state, changes = step(state, detection, now_s=detection.start_s + 60, config=CONFIG)
        told.append((state, changes))
    return told


@QUICK
@given(histories(), st.lists(st.floats(0.0, 8.0), min_size=1, max_size=9))
def test_minutes_that_are_seen_to_call_for_nothing_would_have_called_for_nothing(
    history: list[Detection], scores: list[float]
) -> None:
    quickly = _looked_at(history, scores)
    with (
        patch.object(incident, "may_call", lambda *_, **__: True),
        patch.object(incident, "may_carry", lambda *_: True),
    ):
        assert _looked_at(history, scores) == quickly
