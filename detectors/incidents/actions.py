"""What a person does about an incident, as a step of its state."""

import msgspec
from msgspec.structs import replace

from detectors.incidents.episode import Change
from detectors.incidents.incident import MAX_APPLIED, IncidentState, Lesson, Step, margin_at
from detectors.incidents.severity import NORMAL, SeverityConfig

MAX_LESSONS = 8
"""One a signal."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """An action: `kind` is ack, note, snooze, false_alarm or close."""

    id: str
    kind: str
    incident: str
    who: str
    at_s: int
    until_s: int | None = None


def act(state: IncidentState, action: Act, *, now_s: float, config: SeverityConfig) -> Step:
    """Apply an action once; a repeat (same id), or one about an older incident, changes nothing.

    `now_s` is the run's clock: a snooze that has already ended is not begun.
    """
    episode = state.episode
    if episode is None or episode.id != action.incident or action.id in state.applied:
        return state, ()
    state = replace(state, applied=(*state.applied, action.id)[-MAX_APPLIED:])
    at_s = action.at_s
    is_open = episode.closed_s is None
    episode = replace(
        episode, sequence=episode.sequence + 1, updated_s=max(at_s, episode.updated_s)
    )
    if action.kind == "ack":
        if episode.acknowledged_s is not None:
            return state, ()
        episode = replace(episode, acknowledged_by=action.who, acknowledged_s=at_s)
        kind = "acknowledged"
    elif action.kind == "snooze":
        if not is_open or action.until_s is None or action.until_s <= now_s:
            return state, ()
        episode = replace(episode, snoozed_until_s=action.until_s)
        kind = "snoozed"
    elif action.kind in ("false_alarm", "close"):
        if action.kind == "close" and not is_open:
            return state, ()
        surge = next((s for s in state.surges if s.signal == episode.signal), None)
        rate = max(surge.rate, surge.recent_rate) if surge else episode.observed
        episode = replace(
            episode,
            level=NORMAL,
            closed_s=at_s if episode.closed_s is None else episode.closed_s,
            dismissed_level=episode.level or episode.peak,
            dismissed_rate=rate,
            history=(*episode.history, (NORMAL, at_s)) if is_open else episode.history,
        )
        # Its evidence has been judged: what comes next has to make its own case.
        state = replace(state, surges=() if is_open else state.surges)
        kind = "closed"
        if action.kind == "false_alarm":
            kind = "false_alarm"
            state = replace(state, lessons=_taught(state.lessons, episode.signal, at_s, config))
    else:
        return state, ()
    return replace(state, episode=episode), (Change(kind, at_s, episode),)


def _taught(
    lessons: tuple[Lesson, ...], signal: str, at_s: int, config: SeverityConfig
) -> tuple[Lesson, ...]:
    old = next((x for x in lessons if x.signal == signal), None)
    left = margin_at(old, at_s, config) if old else 0.0
    margin = min(left + config.lesson_step, config.lesson_bound)
    others = tuple(x for x in lessons if x.signal != signal)
    return (*others, Lesson(signal, margin, at_s))[-MAX_LESSONS:]
