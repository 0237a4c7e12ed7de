"""An incident's own life: opened, raised, refreshed, lowered, closed, reopened. Pure.

What is asked of the minutes (incident.py) comes in as a verdict; here is what it makes of an
episode. All times are the minutes' own, in epoch seconds.
"""

from itertools import pairwise

import msgspec
from msgspec.structs import replace

from detectors.anomaly.reading import Reading
from detectors.incidents.detection import MINUTE_S, Detection
from detectors.incidents.explanation import Explanation
from detectors.incidents.severity import NORMAL, WATCH, SeverityConfig
from detectors.incidents.surge import Surge
from detectors.incidents.usual import Usual
from detectors.incidents.verdict import Verdict

MAX_HISTORY = 40
"""Level changes kept with an incident; the oldest but the first go."""


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
    """What its signal counted a minute at that time."""
    blind_held_s: int = 0
    """How long a blind source has held the level."""
    refreshed_s: int = 0
    """When its evidence was last told."""
    explanation: Explanation | None = None


class Change(msgspec.Struct, frozen=True):
    """Something happened to an incident; `episode` is the incident right after it."""

    kind: str
    """opened | level | evidence | acknowledged | snoozed | false_alarm | closed | reopened"""
    at_s: int
    episode: Episode


def risen(
    episode: Episode | None,
    detection: Detection,
    verdict: Verdict,
    usual: Usual,
    end_s: int,
    config: SeverityConfig,
) -> Change | None:
    """The incident opened, reopened or raised at `end_s`; None if the verdict asks for neither."""
    if verdict.level == NORMAL:
        return None
    if episode is None or (
        episode.closed_s is not None and end_s - episode.closed_s > config.reopen_s
    ):
        return Change("opened", end_s, _open(detection, verdict, usual, end_s))
    if episode.closed_s is not None:
        if not _reopens(episode, verdict, config):
            return None
        again = replace(episode, closed_s=None, blind_held_s=0, dismissed_level=0)
        return Change("reopened", end_s, _raise(again, detection, verdict, usual, end_s))
    if verdict.level > episode.level:
        return Change("level", end_s, _raise(episode, detection, verdict, usual, end_s))
    return None


def _open(detection: Detection, verdict: Verdict, usual: Usual, end_s: int) -> Episode:
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
    return _measured(episode, detection, verdict, usual, end_s)


def _raise(
    episode: Episode, detection: Detection, verdict: Verdict, usual: Usual, end_s: int
) -> Episode:
    if verdict.signal != episode.signal:
        # Viewers and complaints are not counted together.
        episode = replace(
            episode, observed=0.0, expected=0.0, window_observed=0.0, window_expected=0.0
        )
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
    return _measured(episode, detection, verdict, usual, end_s)


def settled(
    episode: Episode,
    detection: Detection,
    held: Verdict,
    surges: tuple[Surge, ...],
    usual: Usual,
    end_s: int,
    config: SeverityConfig,
) -> tuple[Episode, str]:
    """An open incident that does not rise: it holds, is refreshed, falls or closes.

    The second value is the kind of change that is to be told, "" if there is none.
    """
    level = held.level if end_s - episode.hot_s < config.calm_s else NORMAL
    if level >= episode.level:
        episode = replace(episode, supported_s=max(end_s, episode.supported_s), blind_held_s=0)
        return _refreshed(episode, detection, held, surges, usual, end_s, config)
    if detection.blind and episode.blind_held_s < config.blind_hold_s:
        # Silence of a source that is not seen is no sign of calm.
        held_on = replace(
            episode,
            supported_s=episode.supported_s + MINUTE_S,
            hot_s=episode.hot_s + MINUTE_S,
            blind_held_s=episode.blind_held_s + MINUTE_S,
        )
        return held_on, ""
    if end_s - episode.raised_s < config.min_duration_s or end_s - episode.supported_s < _calm_s(
        episode, config
    ):
        return _refreshed(episode, detection, held, surges, usual, end_s, config)
    fallen = replace(
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
    return fallen, "closed" if level == NORMAL else "level"


def _calm_s(episode: Episode, config: SeverityConfig) -> int:
    """Calm that it takes to come down: twice as long after each time that the level came back."""
    levels = [level for level, _ in episode.history]
    steps = list(pairwise(levels))
    fell = next((n for n, (before, now) in enumerate(steps) if now < before), len(steps))
    returns = sum(now > before for before, now in steps[fell:])
    return min(config.hold_s << min(returns, 10), config.hold_most_s)


def _refreshed(
    episode: Episode,
    detection: Detection,
    held: Verdict,
    surges: tuple[Surge, ...],
    usual: Usual,
    end_s: int,
    config: SeverityConfig,
) -> tuple[Episode, str]:
    """The same with the figures of now, if its last ones are old enough."""
    if end_s - episode.refreshed_s < config.refresh_s or held.level == NORMAL:
        return episode, ""
    episode = replace(episode, refreshed_s=end_s, sequence=episode.sequence + 1)
    # It is told as what it was raised for, as long as that goes on.
    own = next((s for s in surges if s.key == episode.key), None)
    verdict = held._replace(signal=episode.signal, surge=own) if own else held
    return _measured(episode, detection, verdict, usual, end_s), "evidence"


def _measured(
    episode: Episode, detection: Detection, verdict: Verdict, usual: Usual, end_s: int
) -> Episode:
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
    if surge is None and verdict.signal == episode.signal == "security":
        # Not one minute's mentions paged, but all those of the last hour.
        since_s = usual.security_since_s or episode.onset_s
        return replace(
            episode,
            onset_s=min(episode.onset_s, since_s),
            observed=max(float(detection.security), episode.observed),
            window_observed=usual.security_sum,
            window_expected=usual.security * (end_s - since_s) / MINUTE_S,
        )
    if surge is None:
        value = detection.negative
        if verdict.signal != episode.signal and episode.observed:
            return episode
        if verdict.signal == "velocity":
            # Not what is said in this minute, but how far the post of a first day has come.
            seen = max(detection.top_reach, usual.recent_top_reach, episode.observed)
            return replace(episode, observed=seen, window_observed=seen)
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
