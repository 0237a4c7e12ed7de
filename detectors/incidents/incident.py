"""One brand's incident, minute by minute: a pure fold with an explicit clock.

`step` takes a state and one minute and returns the next state and what changed. All times come
from the minutes themselves, so that a replay gives the same ids, times and sequence. A minute that
was already folded changes nothing; minutes that were never sent were quiet ones.
"""

import msgspec
from msgspec.structs import replace

from detectors.anomaly.reading import Reading
from detectors.incidents.detection import MINUTE_S, Detection
from detectors.incidents.explanation import Explanation
from detectors.incidents.severity import (
    ALERT,
    CALM,
    NORMAL,
    WATCH,
    Recent,
    SeverityConfig,
    Verdict,
    held_level,
    level_of,
    may_call,
    may_carry,
)
from detectors.incidents.surge import Surge, told
from detectors.incidents.surges import advance, rest_all
from detectors.incidents.usual import Usual, gap_minutes

VERSION = 1
MAX_HISTORY = 40
"""Level changes kept with an incident; the oldest but the first go."""
MAX_APPLIED = 16
"""Ids of the last actions kept: actions come at least once."""
MAX_PENDING = 6
"""Open minutes looked at together: the allowed lateness is some minutes."""
MAX_REPLAYED_GAP = 720
"""Quiet minutes that are stepped one by one; by then every level has ended (a cap for safety)."""


class Episode(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An incident: open while `closed_s` is None."""

    id: str
    brand: str
    run: str
    level: int
    peak: int
    signal: str
    key: str = ""
    """The surge that raised it last; "" for security words and floors."""
    onset_s: int
    opened_s: int
    updated_s: int
    raised_s: int
    """When the level last rose or fell: levels have a minimum duration."""
    supported_s: int
    """When the evidence last supported the level."""
    hot_s: int
    """Last remarkable minute."""
    history: tuple[tuple[int, int], ...] = ()
    """(level, epoch seconds)"""
    sequence: int = 0
    closed_s: int | None = None
    observed: float = 0.0
    """The strongest minute's reading: observed, expected, upper, score."""
    expected: float = 0.0
    upper: float = 0.0
    score: float = 0.0
    window_observed: float = 0.0
    """Sum since the onset."""
    window_expected: float = 0.0
    readings: tuple[Reading, ...] = ()
    flags: tuple[str, ...] = ()
    simulated: bool = False
    acknowledged_by: str = ""
    acknowledged_s: int | None = None
    snoozed_until_s: int | None = None
    dismissed_level: int = 0
    """Level at which a person closed it; 0 if nobody did."""
    dismissed_rate: float = 0.0
    blind_held_s: int = 0
    refreshed_s: int = 0
    explanation: Explanation | None = None


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
        return bytes([VERSION]) + _encoder.encode(self)

    @staticmethod
    def restore(data: bytes) -> "IncidentState":
        """The state of a snapshot.

        Raises
        ------
        ValueError
            If the snapshot is of a later version or damaged.
        """
        if not data or data[0] != VERSION:
            version = data[0] if data else "none"
            msg = f"incident snapshot of version {version}; this release reads {VERSION}: upgrade"
            raise ValueError(msg)
        return _decoder.decode(data[1:])


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(IncidentState)


class Change(msgspec.Struct, frozen=True):
    """Something happened to an incident; `episode` is the incident right after it."""

    kind: str
    """opened | level | evidence | acknowledged | snoozed | false_alarm | closed | reopened"""
    at_s: int
    episode: Episode


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
    rise = _rise(state.episode, last, _verdict(trial, last, end_s, config), end_s, config)
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
    return may_carry(state.surges, scores, len(seen), config)


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
    rise = _rise(state.episode, detection, _verdict(state, detection, end_s, config), end_s, config)
    if rise is not None:
        changes.append(rise)
        return replace(state, episode=rise.episode)
    episode = state.episode
    if episode is None or episode.closed_s is not None:
        return state
    if hot:
        episode = replace(episode, hot_s=max(end_s, episode.hot_s))
    held = held_level(
        state.surges,
        _recent(state, detection),
        config,
        announced=detection.announced,
        slow=episode.signal == "slow_burn",
    )
    episode = _settle(episode, detection, held, state.surges, end_s, config, changes)
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


def _rise(
    episode: Episode | None,
    detection: Detection,
    verdict: Verdict,
    end_s: int,
    config: SeverityConfig,
) -> Change | None:
    """The incident opened, reopened or raised; None if the verdict asks for neither."""
    if verdict.level == NORMAL:
        return None
    if episode is None or (
        episode.closed_s is not None and end_s - episode.closed_s > config.reopen_s
    ):
        return Change("opened", end_s, _open(detection, verdict, end_s))
    if episode.closed_s is not None:
        if not _reopens(episode, verdict, config):
            return None
        again = replace(episode, closed_s=None, blind_held_s=0, dismissed_level=0)
        return Change("reopened", end_s, _raise(again, detection, verdict, end_s))
    if verdict.level > episode.level:
        return Change("level", end_s, _raise(episode, detection, verdict, end_s))
    return None


def _open(detection: Detection, verdict: Verdict, end_s: int) -> Episode:
    onset_s = verdict.surge.onset_s if verdict.surge else detection.start_s
    episode = Episode(
        id=f"{detection.run}/{detection.brand}/{detection.start_s}",
        brand=detection.brand,
        run=detection.run,
        level=verdict.level,
        peak=verdict.level,
        signal=verdict.signal,
        key=verdict.surge.key if verdict.surge else "",
        onset_s=onset_s,
        opened_s=end_s,
        updated_s=end_s,
        raised_s=end_s,
        supported_s=end_s,
        hot_s=end_s,
        refreshed_s=end_s,
        history=((verdict.level, end_s),),
        simulated=detection.simulated,
    )
    return _measured(episode, detection, verdict, end_s)


def _raise(episode: Episode, detection: Detection, verdict: Verdict, end_s: int) -> Episode:
    episode = replace(
        episode,
        level=verdict.level,
        peak=max(episode.peak, verdict.level),
        signal=verdict.signal,
        key=verdict.surge.key if verdict.surge else "",
        raised_s=end_s,
        supported_s=end_s,
        hot_s=end_s,
        refreshed_s=end_s,
        sequence=episode.sequence + 1,
        history=_remember(episode.history, verdict.level, end_s),
        # What was put to sleep has grown: it wakes up.
        snoozed_until_s=None,
    )
    return _measured(episode, detection, verdict, end_s)


def _settle(
    episode: Episode,
    detection: Detection,
    held: Verdict,
    surges: tuple[Surge, ...],
    end_s: int,
    config: SeverityConfig,
    changes: list[Change],
) -> Episode:
    """An open incident that does not rise: it holds, is refreshed, falls or closes."""
    level = held.level if end_s - episode.hot_s < config.calm_s else NORMAL
    if level >= episode.level:
        episode = replace(episode, supported_s=max(end_s, episode.supported_s), blind_held_s=0)
        return _refresh(episode, detection, held, surges, end_s, config, changes)
    if detection.blind and episode.blind_held_s < config.blind_hold_s:
        # Silence of a source that is not seen is no sign of calm.
        return replace(
            episode,
            supported_s=episode.supported_s + MINUTE_S,
            hot_s=episode.hot_s + MINUTE_S,
            blind_held_s=episode.blind_held_s + MINUTE_S,
        )
    if (
        end_s - episode.raised_s < config.min_duration_s
        or end_s - episode.supported_s < config.hold_s
    ):
        return _refresh(episode, detection, held, surges, end_s, config, changes)
    episode = replace(
        episode,
        level=level,
        raised_s=end_s,
        supported_s=end_s,
        updated_s=end_s,
        sequence=episode.sequence + 1,
        history=_remember(episode.history, level, end_s),
        closed_s=end_s if level == NORMAL else None,
        readings=detection.readings,
    )
    changes.append(Change("closed" if level == NORMAL else "level", end_s, episode))
    return episode


def _refresh(
    episode: Episode,
    detection: Detection,
    held: Verdict,
    surges: tuple[Surge, ...],
    end_s: int,
    config: SeverityConfig,
    changes: list[Change],
) -> Episode:
    if end_s - episode.refreshed_s < config.refresh_s or held.level == NORMAL:
        return episode
    episode = replace(episode, refreshed_s=end_s, sequence=episode.sequence + 1)
    # It is told as what it was raised for, as long as that goes on.
    own = next((s for s in surges if s.key == episode.key), None)
    verdict = held._replace(signal=episode.signal, surge=own) if own else held
    episode = _measured(episode, detection, verdict, end_s)
    changes.append(Change("evidence", end_s, episode))
    return episode


def _measured(episode: Episode, detection: Detection, verdict: Verdict, end_s: int) -> Episode:
    """The incident's figures: the strongest minute, and the sums since the onset."""
    flags = tuple(f"blind:{source}" for source in detection.blind)
    episode = replace(
        episode,
        updated_s=max(end_s, episode.updated_s),
        readings=detection.readings,
        flags=(*flags, "announced") if detection.announced else flags,
        simulated=episode.simulated or detection.simulated,
    )
    surge = verdict.surge
    if surge is None:
        value = detection.security if verdict.signal == "security" else detection.negative
        if verdict.signal != episode.signal and episode.observed:
            return episode
        return replace(
            episode,
            observed=max(float(value), episode.observed),
            window_observed=episode.window_observed + value,
        )
    peak = surge.peak
    return replace(
        episode,
        onset_s=min(episode.onset_s, surge.onset_s),
        observed=peak.observed,
        expected=peak.expected or 0.0,
        upper=peak.upper or 0.0,
        score=peak.score or 0.0,
        window_observed=surge.observed,
        window_expected=surge.expected,
    )


def _remember(
    history: tuple[tuple[int, int], ...], level: int, at_s: int
) -> tuple[tuple[int, int], ...]:
    grown = (*history, (level, at_s))
    return grown if len(grown) <= MAX_HISTORY else (grown[0], *grown[2:])


def _reopens(episode: Episode, verdict: Verdict, config: SeverityConfig) -> bool:
    if verdict.level < WATCH:
        return False
    if not episode.dismissed_level or verdict.level > episode.dismissed_level:
        return True
    surge = verdict.surge
    return surge is not None and surge.rate >= config.dismissed_ratio * episode.dismissed_rate


def margin_at(lesson: Lesson, now_s: int, config: SeverityConfig) -> float:
    """What is left of a lesson: people's judgement of last month binds less than this week's."""
    age_s = max(now_s - lesson.at_s, 0)
    return float(lesson.margin * 0.5 ** (age_s / config.lesson_half_life_s))
