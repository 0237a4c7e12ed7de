"""How bad it is: a level from evidence, size and kind."""

import math
from typing import NamedTuple

from detectors.incidents.joint import joint
from detectors.incidents.severity import (
    ALERT,
    CRISIS,
    NEGATIVE_SIGNALS,
    NORMAL,
    OWN_DIAL,
    WATCH,
    SeverityConfig,
)
from detectors.incidents.surge import Surge


class Verdict(NamedTuple):
    """A level, the signal that gives it, and its surge if it has one."""

    level: int
    signal: str
    surge: Surge | None = None


CALM = Verdict(NORMAL, "")


class Recent(NamedTuple):
    """Leaky sums of the last minutes beside what is usual (see usual.py)."""

    negative: float = 0.0
    mentions: float = 0.0
    top_reach: float = 0.0
    security: float = 0.0
    usual_negative: float = 0.0
    usual_security: float = 0.0
    told: float = 0.0
    minutes_seen: int = 0
    warming: bool = True


def level_of(
    surges: tuple[Surge, ...],
    recent: Recent,
    config: SeverityConfig,
    *,
    lessons: dict[str, float] | None = None,
    announced: bool = False,
) -> Verdict:
    """The highest level that anything calls for, and why.

    Parameters
    ----------
    lessons
        Evidence that false alarms have added, by signal.
    announced
        A planned event runs now.
    """
    verdicts = [*by_sums(recent, config)]
    both = joint(surges)
    for surge in surges:
        evidence = _evidence(surge, both, config)
        if evidence >= config.watch_evidence:
            margin = (lessons or {}).get(surge.signal, 0.0)
            verdicts.append(
                _entered(surge, evidence, recent, config, margin=margin, announced=announced)
            )
    return max(verdicts, key=_weight)


def alerts_at(
    surges: tuple[Surge, ...],
    recent: Recent,
    config: SeverityConfig,
    *,
    announced: bool = False,
) -> float:
    """The largest `alert_evidence` with which these would be an ALERT, all other dials as they are.

    Infinite: whatever it is, since a signal with a dial of its own pages; -inf: none would do.
    What a bench puts a threshold to.
    """
    both = joint(surges)
    most = -math.inf
    for surge in surges:
        if surge.signal not in NEGATIVE_SIGNALS or not _alerting(surge, recent, config):
            continue
        evidence = _evidence(surge, both, config) - _extra(surge, config, announced=announced)
        if surge.signal not in OWN_DIAL:
            most = max(most, evidence)
        elif evidence >= config.asked_of(surge.signal):
            return math.inf
    return most


def _evidence(surge: Surge, both: float, config: SeverityConfig) -> float:
    """The surge's own, or what is known beside it."""
    if surge.key == "negative" and surge.minutes > 1:  # no single minute pages anyone
        return max(surge.evidence, both)
    if surge.key == "velocity" and far_seen(surge, config):
        return max(surge.evidence, config.crisis_evidence)
    return surge.evidence


def far_seen(surge: Surge, config: SeverityConfig) -> bool:
    """Whether a complaint is seen by so many that there is no question."""
    seen = surge.peak
    remarkable = config.velocity_far_ratio * max(seen.upper or 0.0, 1.0)
    return seen.observed >= max(config.velocity_far_reach, remarkable)


def held_level(
    surges: tuple[Surge, ...],
    recent: Recent,
    config: SeverityConfig,
    *,
    announced: bool = False,
    slow: bool = False,
) -> Verdict:
    """The highest level that still holds: what began it goes on, if weaker.

    Scores look back over an hour and expectations adapt; whether it goes on is therefore asked of
    the last ten minutes alone. Only an incident that began as a slow burn (`slow`) is held by one:
    an acute crisis stays in its long windows for hours after it is over.
    """
    verdicts = [*by_sums(recent, config)]
    verdicts += [
        Verdict(_held(surge, recent, config), surge.signal, surge)
        for surge in surges
        if (slow or surge.signal != "slow_burn")
        and not (announced and surge.signal not in NEGATIVE_SIGNALS)
    ]
    return max(verdicts, key=_weight)


def by_sums(recent: Recent, config: SeverityConfig) -> tuple[Verdict, Verdict]:
    """What the sums of the last minutes call for by themselves, however surprising they are."""
    return _security(recent, config), _floor(recent, config)


def _weight(verdict: Verdict) -> tuple[int, bool, bool, bool, float]:
    """Between equals: complaints before attention, the brand before a part of it, counts first."""
    surge = verdict.surge
    return (
        verdict.level,
        verdict.signal in NEGATIVE_SIGNALS,
        surge is None or "/" not in surge.key,
        verdict.signal == "negative",
        surge.evidence if surge else 0.0,
    )


def _security(recent: Recent, config: SeverityConfig) -> Verdict:
    usual = recent.usual_security * config.security_ratio
    if recent.security >= max(config.security_crisis, usual):
        return Verdict(CRISIS, "security")
    if recent.security >= max(config.security_alert, usual):
        return Verdict(ALERT, "security")
    return CALM


def _floor(recent: Recent, config: SeverityConfig) -> Verdict:
    if not recent.warming:
        return CALM
    far = recent.top_reach >= config.crisis_reach
    seen = Verdict(ALERT, "velocity") if far else CALM
    if recent.negative < config.floor_share * recent.mentions:
        return seen
    young = 4.0 if recent.minutes_seen < config.floor_minutes else 1.0
    usual = recent.usual_negative * config.floor_ratio
    if recent.negative >= max(config.floor_crisis * young, usual):
        return Verdict(CRISIS, "negative")
    if recent.negative >= max(config.floor_alert * young, usual):
        return Verdict(ALERT, "negative")
    return seen


def _entered(
    surge: Surge,
    evidence: float,
    recent: Recent,
    config: SeverityConfig,
    *,
    margin: float,
    announced: bool,
) -> Verdict:
    """What a surge calls for: evidence, size and kind all have to agree."""
    signal = surge.signal
    negative = signal in NEGATIVE_SIGNALS
    evidence -= _extra(surge, config, announced=announced)
    ratio = config.watch_ratio if negative else config.attention_ratio
    watch = _sizeable(surge, recent, config.watch_excess, ratio, config)
    if evidence < config.watch_evidence + margin or not watch:
        return CALM
    alert = negative and _alerting(surge, recent, config)
    if alert and signal == "negative":
        lasting = surge.minutes > config.crisis_minutes
        wide = _sizeable(surge, recent, config.crisis_excess, config.crisis_ratio, config)
        # No lesson here: what false alarms teach never hides a crisis.
        if lasting and wide and evidence >= config.crisis_evidence:
            return Verdict(CRISIS, signal, surge)
    if not alert or evidence < config.asked_of(signal) + margin:
        return Verdict(WATCH, signal, surge)
    far = recent.top_reach >= config.crisis_reach
    return Verdict(CRISIS if far else ALERT, signal, surge)


def _extra(surge: Surge, config: SeverityConfig, *, announced: bool) -> float:
    """Evidence asked beyond that of a level; infinite: it raises none."""
    negative = surge.signal in NEGATIVE_SIGNALS
    sour = surge.negative >= config.announced_negative_share * surge.mentions
    if announced and not (negative and sour):
        return math.inf
    extra = config.announced_margin if announced else 0.0
    extra += config.part_margin if "/" in surge.key else 0.0
    return extra if negative else extra + config.attention_margin


def _alerting(surge: Surge, recent: Recent, config: SeverityConfig) -> bool:
    """Whether it is large enough and of the kind that pages, however surprising."""
    if surge.signal == "velocity":
        return recent.top_reach >= config.velocity_alert_reach
    # The share's own surprise needs no second opinion on the share.
    sour = surge.signal == "negative_share" or _negative(surge, config)
    return sour and _sizeable(surge, recent, config.alert_excess, config.alert_ratio, config)


def _negative(surge: Surge, config: SeverityConfig) -> bool:
    """Whether the surge is one of complaints, not of attention with its usual complaints."""
    rise = surge.usual_share + config.alert_share_rise
    return surge.negative >= min(config.alert_negative_share, rise) * surge.mentions


def _sizeable(
    surge: Surge, recent: Recent, excess: float, ratio: float, config: SeverityConfig
) -> bool:
    """Whether it matters, beside being surprising."""
    if surge.signal == "velocity":
        return recent.top_reach >= config.velocity_reach
    if surge.signal == "reach":
        return surge.excess >= config.velocity_reach and surge.ratio >= ratio
    if surge.signal == "negative_share":
        return surge.excess >= max(excess, config.share_points * surge.mentions)
    if surge.signal == "slow_burn":
        untold = _untold(surge, recent, config)
        return untold >= max(excess, config.slow_part * (ratio - 1.0) * surge.expected)
    return surge.excess >= excess and surge.ratio >= ratio


def _untold(surge: Surge, recent: Recent, config: SeverityConfig) -> float:
    """The slow burn's excess without what acute incidents have told of it."""
    return surge.excess - config.slow_told * recent.told


def _held(surge: Surge, recent: Recent, config: SeverityConfig) -> int:
    if surge.signal == "slow_burn":
        return _held_slow(surge, recent, config)
    expected = surge.recent_expected
    excess = surge.recent_observed - expected
    unit = 1.0
    if surge.signal in ("velocity", "reach"):
        unit = config.velocity_reach / config.alert_excess
    else:
        asked = config.hold_sigmas * expected**0.5
        if surge.signal != "negative_share":
            asked = max(asked, (config.hold_ratio - 1.0) * expected)
        if excess < asked:
            return NORMAL
    for level, asked in (
        (CRISIS, config.crisis_excess),
        (ALERT, config.alert_excess),
        (WATCH, config.watch_excess),
    ):
        if excess >= config.hold_fraction * asked * unit:
            return level if surge.signal in NEGATIVE_SIGNALS else WATCH
    return NORMAL


def _held_slow(surge: Surge, recent: Recent, config: SeverityConfig) -> int:
    """It moves by hours: the last ten minutes say nothing of it."""
    if _untold(surge, recent, config) < config.hold_fraction * config.alert_excess:
        return NORMAL
    for level, asked in ((ALERT, config.slow_burn_evidence), (WATCH, config.watch_evidence)):
        if surge.evidence >= config.slow_hold * asked:
            return level
    return NORMAL
