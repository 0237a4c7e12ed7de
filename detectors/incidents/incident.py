"""One brand's incident, minute by minute: a pure fold with an explicit clock.

`step` takes a state and one minute and returns the next state and what changed. All times come
from the minutes themselves, so that a replay gives the same ids, times and sequence. A minute that
was already folded changes nothing; minutes that were never sent were quiet ones.
"""

import msgspec
from msgspec.structs import replace

from detectors.incidents.bounds import may_call, may_carry
from detectors.incidents.detection import MINUTE_S, Detection
from detectors.incidents.episode import Change, Episode, risen, settled
from detectors.incidents.severity import ALERT, NORMAL, SeverityConfig
from detectors.incidents.snapshot import Snapshots
from detectors.incidents.surge import Surge, told
from detectors.incidents.surges import advance, rest_all
from detectors.incidents.usual import Usual, gap_minutes
from detectors.incidents.verdict import (
    CALM,
    Recent,
    Verdict,
    by_sums,
    held_level,
    level_of,
)

MAX_APPLIED = 16
"""Ids of the last actions kept: actions come at least once."""
MAX_PENDING = 6
"""Open minutes looked at together: the allowed lateness is some minutes."""
MAX_REPLAYED_GAP = 720
"""Quiet minutes that are stepped one by one; by then every level has ended (a cap for safety)."""


class Lesson(msgspec.Struct, frozen=True, array_like=True):
    """Evidence that false alarms added to a signal's thresholds, as of a time."""

    signal: str
    margin: float
    at_s: int


class IncidentState(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Everything the judge remembers of a brand."""

    minute_s: int = 0
    """The last closed minute that was folded."""
    surges: tuple[Surge, ...] = ()
    usual: Usual = Usual()
    lessons: tuple[Lesson, ...] = ()
    episode: Episode | None = None
    applied: tuple[str, ...] = ()
    pending: tuple[Detection, ...] = ()
    """The open minutes as they were last seen, in order: together they may raise a level."""

    @property
    def level(self) -> int:
        """Level of the open incident, or 0."""
        episode = self.episode
        return episode.level if episode is not None and episode.closed_s is None else NORMAL

    @property
    def incident(self) -> str:
        """Id of the open incident, or ""."""
        episode = self.episode
        return episode.id if episode is not None and episode.closed_s is None else ""

    def snapshot(self) -> bytes:
        """A small value to store; `restore` gives back an equal state."""
        return _snapshots.write(self)

    @staticmethod
    def restore(data: bytes) -> "IncidentState":
        """The state of a snapshot.

        Raises
        ------
        ValueError
            If the snapshot is of another version or damaged.
        """
        return _snapshots.read(data)


_snapshots = Snapshots("incident", 1, IncidentState)


Step = tuple[IncidentState, tuple[Change, ...]]


def step(
    state: IncidentState, detection: Detection, *, now_s: float, config: SeverityConfig
) -> Step:
    """Fold one minute.

    Parameters
    ----------
    detection
        A closed minute, or the open one (`partial`): that one may raise a level but is not
        remembered, since it comes again.
    now_s
        The run's clock; only the open minute needs it (a closed one ends when it ends).
    """
    if state.minute_s and detection.start_s <= state.minute_s:
        return state, ()
    changes: list[Change] = []
    if detection.partial:
        return _glance(state, detection, now_s, config)
    if state.pending and state.pending[0].start_s <= detection.start_s:
        pending = tuple(d for d in state.pending if d.start_s > detection.start_s)
        state = replace(state, pending=pending)
    state = _over_gap(state, detection, config, changes)
    state = _minute(state, detection, config, changes)
    return state, tuple(changes)


def _glance(
    state: IncidentState, detection: Detection, now_s: float, config: SeverityConfig
) -> Step:
    """Look at the open minutes together, as if they closed now; only a rise is kept."""
    others = [d for d in state.pending if d.start_s != detection.start_s]
    pending = sorted([*others, detection], key=lambda d: d.start_s)[-MAX_PENDING:]
    trial = state = replace(state, pending=tuple(pending))
    if not _may_rise(state, config):
        return state, ()
    for seen in pending:
        trial, _ = _folded(_rested(trial, seen.start_s), seen, config)
    last = pending[-1]
    end_s = max(min(last.start_s + MINUTE_S, int(now_s)), last.start_s)
    verdict = _verdict(trial, last, end_s, config)
    rise = risen(state.episode, last, verdict, trial.usual, end_s, config)
    if rise is None:
        return state, ()
    return replace(state, episode=rise.episode), (rise,)


def _may_rise(state: IncidentState, config: SeverityConfig) -> bool:
    """Whether the open minutes, folded, could call for any level: their fold is dear."""
    seen = state.pending
    security = state.usual.recent_security + sum(d.security for d in seen)
    if may_call(state.surges, config, security=security, warming=_warming(seen[-1])):
        return True
    scores = [reading.score or 0.0 for d in seen for reading in d.every_reading()]
    top_reach = max(d.top_reach for d in seen)
    return may_carry(state.surges, scores, len(seen), top_reach, config)


def _rested(state: IncidentState, start_s: int) -> IncidentState:
    """The state after the minutes before `start_s` that nobody sent: they were quiet."""
    gap = gap_minutes(state.minute_s, start_s) if state.minute_s else 0
    if gap <= 0:
        return state
    minute_s = start_s - MINUTE_S
    return replace(
        state,
        minute_s=minute_s,
        surges=rest_all(state.surges, minute_s),
        usual=state.usual.after_quiet(gap),
    )


def _over_gap(
    state: IncidentState, detection: Detection, config: SeverityConfig, changes: list[Change]
) -> IncidentState:
    """The same with an open incident: it may end within the gap, at its own time."""
    gap = gap_minutes(state.minute_s, detection.start_s) if state.minute_s else 0
    if gap == 0:
        return state
    for _ in range(min(gap, MAX_REPLAYED_GAP)):
        if not state.level:
            break
        quiet = Detection(
            brand=detection.brand,
            run=detection.run,
            start_s=state.minute_s + MINUTE_S,
            # A source that is blind now was probably blind before.
            blind=detection.blind,
        )
        state = _minute(state, quiet, config, changes)
    return _rested(state, detection.start_s)


def _minute(
    state: IncidentState, detection: Detection, config: SeverityConfig, changes: list[Change]
) -> IncidentState:
    """Fold a closed minute."""
    end_s = detection.start_s + MINUTE_S
    state, hot = _folded(state, detection, config)
    verdict = _verdict(state, detection, end_s, config)
    rise = risen(state.episode, detection, verdict, state.usual, end_s, config)
    if rise is not None:
        changes.append(rise)
        return replace(state, episode=rise.episode)
    episode = state.episode
    if episode is None or episode.closed_s is not None:
        return state
    recent = _recent(state, detection)
    # What sums call for would reopen it a minute after it was closed as calm.
    if hot or any(called.level for called in by_sums(recent, config)):
        episode = replace(episode, hot_s=max(end_s, episode.hot_s))
    held = held_level(
        state.surges,
        recent,
        config,
        announced=detection.announced,
        slow=episode.signal == "slow_burn",
    )
    episode, told_as = settled(episode, detection, held, state.surges, state.usual, end_s, config)
    if told_as:
        changes.append(Change(told_as, end_s, episode))
    acute = episode.level >= ALERT and episode.signal != "slow_burn"
    if acute or episode.closed_s is not None:
        # All of it has been told: a slow burn begins anew from here.
        slow = max((s.excess for s in state.surges if s.signal == "slow_burn"), default=0.0)
        usual = replace(state.usual, told=max(state.usual.told, slow))
        state = replace(state, usual=usual)
    if episode.level < state.level:
        # What is over is no size of what may come: long windows are surprised for hours after it,
        # and only a new run of excess raises the level again.
        state = replace(state, surges=tuple(map(told, state.surges)))
    return replace(state, episode=episode)


def _folded(
    state: IncidentState, detection: Detection, config: SeverityConfig
) -> tuple[IncidentState, bool]:
    surges, hot = advance(state.surges, detection, config)
    # A crisis must not become what is usual.
    usual = state.usual.after(detection, learn=state.level < ALERT)
    return replace(state, minute_s=detection.start_s, surges=surges, usual=usual), hot


def _recent(state: IncidentState, detection: Detection) -> Recent:
    return state.usual.recent(warming=_warming(detection))


def _warming(detection: Detection) -> bool:
    negative = detection.reading("negative")
    # A minute without readings is a quiet one; only a signal without a score is warming up.
    return negative is not None and negative.score is None


def _verdict(
    state: IncidentState, detection: Detection, end_s: int, config: SeverityConfig
) -> Verdict:
    security = state.usual.recent_security
    if not may_call(state.surges, config, security=security, warming=_warming(detection)):
        return CALM
    return level_of(
        state.surges,
        _recent(state, detection),
        config,
        lessons={x.signal: margin_at(x, end_s, config) for x in state.lessons},
        announced=detection.announced,
    )


def margin_at(lesson: Lesson, now_s: int, config: SeverityConfig) -> float:
    """What is left of a lesson: people's judgement of last month binds less than this week's."""
    age_s = max(now_s - lesson.at_s, 0)
    return float(lesson.margin * 0.5 ** (age_s / config.lesson_half_life_s))
