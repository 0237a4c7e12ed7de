"""How bad it is: a level from evidence, size and kind, with every dial in one place."""

from dataclasses import dataclass
from typing import NamedTuple

from detectors.incidents.surge import Surge

NORMAL, WATCH, ALERT, CRISIS = 0, 1, 2, 3
LEVELS = (NORMAL, WATCH, ALERT, CRISIS)

NEGATIVE_SIGNALS = frozenset({"negative", "negative_share", "velocity", "slow_burn"})
"""Only these can raise more than WATCH: a crisis is negative, attention alone is not."""


@dataclass(frozen=True, slots=True)
class SeverityConfig:
    """The dials. Evidence is log10 of minutes: 5 means "at most once in 100,000 ordinary minutes".

    A brand has 10,080 minutes a week and some twenty series (signals, topics, channels) that are
    not independent of their past, so the thresholds lie above the 4.0 of one series a week; the
    silent weeks of tests/property/test_incidents_quiet_weeks.py hold them to it.
    """

    watch_evidence: float = 5.0
    """Once in ten weeks and series, in theory."""
    alert_evidence: float = 6.0
    """Once in two years and series, in theory: three minutes at the score cap, nine at score 2."""
    crisis_evidence: float = 9.0
    evidence_ceiling: float = 12.0
    """Bounds how long a level outlives its crisis: 12 lasts 40 minutes at a busy brand."""
    score_cap: float = 5.0
    """Most that one minute counts: no single minute, however wild, is an incident by itself."""
    part_margin: float = 0.5
    """Added for topics and channels: ten more series would otherwise find ten times the chance."""
    exit_fraction: float = 0.4
    """A level holds until its evidence falls below this part of what it took to reach it."""

    watch_excess: float = 5.0
    """Negative mentions (or mentions) beyond the expected ones that a level takes at least."""
    alert_excess: float = 8.0
    """Eight more complaints than usual are worth a person's look whatever the brand's size."""
    crisis_excess: float = 80.0
    watch_ratio: float = 1.5
    """Observed over expected since the onset: what is surprising may still be too small to matter.
    A busy brand's 20 % more is significant within the hour and no news."""
    alert_ratio: float = 2.0
    """The weakest crisis that has to be found is three times the volume."""
    crisis_ratio: float = 4.0
    crisis_minutes: int = 5
    """A CRISIS lasts; five minutes more than an ALERT takes tell a wave from a splash."""
    alert_negative_share: float = 0.35
    """Of the mentions of the surge: a positive surge that carries its usual tenth of (perhaps
    misread) complaints is attention, not a crisis."""
    share_points: float = 0.15
    """Rise of the negative share that alerts; the smallest that has to be found is 0.20."""

    velocity_reach: float = 10_000.0
    """People reached by one negative post before its speed matters."""
    crisis_reach: float = 1_000_000.0
    """One negative post seen by a million people makes an ALERT a CRISIS."""
    slow_alert: float = 4.0
    """Score of the slow burn, averaged over `slow_minutes`, that alerts (it already sums hours)."""
    slow_watch: float = 3.3
    slow_minutes: int = 15

    security_alert: float = 2.5
    """Negative security mentions in about an hour (three within twenty minutes)."""
    security_crisis: float = 20.0
    security_ratio: float = 3.0
    """Over the brand's own usual rate: a bank hears "hacked" every day."""

    floor_alert: float = 25.0
    """Negative mentions in about ten minutes that alert while the detectors are warming up."""
    floor_crisis: float = 150.0
    floor_share: float = 0.5
    floor_ratio: float = 3.0
    """Over what was usual so far, or a busy brand would alert when it is first seen."""
    floor_minutes: int = 10
    """Minutes before "usual so far" means anything; until then the floors are four times higher."""

    announced_margin: float = 1.5
    """Added evidence while a planned event runs; its volume and reach raise nothing."""
    announced_negative_share: float = 0.5

    min_duration_s: int = 600
    """A level stays at least this long: the team has just been told of it."""
    hold_s: int = 600
    """Calm that it takes to come down: a lull between two waves is not the end."""
    calm_s: int = 2700
    """No remarkable minute for this long is calm, whatever evidence is left (quiet brands)."""
    blind_hold_s: int = 7200
    """A blind source holds a level at most this long."""
    reopen_s: int = 7200
    """Within this time after its end an incident is reopened, not opened anew."""
    refresh_s: int = 300
    """Least time between two evidence refreshes of an open incident."""
    dismissed_ratio: float = 2.0
    """A dismissed incident reopens only for a higher level or this many times its rate."""

    lesson_step: float = 0.75
    """What a false alarm adds to the evidence that its signal needs for WATCH and ALERT."""
    lesson_bound: float = 2.5
    """Most that false alarms add: CRISIS, security and the floors are never untaught."""
    lesson_half_life_s: int = 14 * 86_400


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
    minutes_seen: int = 0
    warming: bool = True


def level_of(
    surges: tuple[Surge, ...],
    recent: Recent,
    config: SeverityConfig,
    *,
    lessons: dict[str, float] | None = None,
    announced: bool = False,
    leaving: bool = False,
) -> Verdict:
    """The highest level that anything supports, and why.

    Parameters
    ----------
    lessons
        Evidence that false alarms have added, by signal.
    announced
        A planned event runs now.
    leaving
        Ask whether a level still holds (evidence down to `exit_fraction`), not whether it begins.
    """
    verdicts = [_security(recent, config), _floor(recent, config)]
    for surge in surges:
        margin = (lessons or {}).get(surge.signal, 0.0)
        verdicts.append(
            _surge(surge, recent, config, margin=margin, announced=announced, leaving=leaving)
        )
    return max(verdicts, key=_weight)


def _weight(verdict: Verdict) -> tuple[int, int, bool, float]:
    surge = verdict.surge
    negative = verdict.signal in NEGATIVE_SIGNALS
    # Between equals the brand's own series explains more than one of its topics.
    return (
        verdict.level,
        negative,
        surge is None or "/" not in surge.key,
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
    if not recent.warming or recent.negative < config.floor_share * recent.mentions:
        return CALM
    young = 4.0 if recent.minutes_seen < config.floor_minutes else 1.0
    usual = recent.usual_negative * config.floor_ratio
    if recent.negative >= max(config.floor_crisis * young, usual):
        return Verdict(CRISIS, "negative")
    if recent.negative >= max(config.floor_alert * young, usual):
        return Verdict(ALERT, "negative")
    return CALM


def _surge(
    surge: Surge,
    recent: Recent,
    config: SeverityConfig,
    *,
    margin: float,
    announced: bool,
    leaving: bool,
) -> Verdict:
    signal = surge.signal
    if announced and signal not in NEGATIVE_SIGNALS:
        return CALM
    if announced and surge.negative < config.announced_negative_share * surge.mentions:
        return CALM
    part = config.part_margin if "/" in surge.key else 0.0
    calm_margin = part + (config.announced_margin if announced else 0.0)
    keep = config.exit_fraction if leaving else 1.0
    watch = (config.watch_evidence + calm_margin + margin) * keep
    alert = (config.alert_evidence + calm_margin + margin) * keep
    crisis = max(config.crisis_evidence, config.alert_evidence + calm_margin) * keep
    if signal == "slow_burn":
        watch = (config.slow_watch + calm_margin + margin) * keep
        alert = (config.slow_alert + calm_margin + margin) * keep
    if surge.evidence < watch or not _sizeable(
        surge, recent, config.watch_excess, config.watch_ratio, config, leaving=leaving
    ):
        return CALM
    if (
        signal not in NEGATIVE_SIGNALS
        or surge.evidence < alert
        or surge.negative < config.alert_negative_share * surge.mentions
        or not _sizeable(
            surge, recent, config.alert_excess, config.alert_ratio, config, leaving=leaving
        )
    ):
        return Verdict(WATCH, signal, surge)
    wide = (
        surge.evidence >= crisis
        and signal == "negative"
        and surge.minutes > config.crisis_minutes
        and _sizeable(
            surge, recent, config.crisis_excess, config.crisis_ratio, config, leaving=leaving
        )
    )
    far = recent.top_reach >= config.crisis_reach
    return Verdict(CRISIS if wide or far else ALERT, signal, surge)


def _sizeable(
    surge: Surge,
    recent: Recent,
    excess: float,
    ratio: float,
    config: SeverityConfig,
    *,
    leaving: bool,
) -> bool:
    """Whether it matters, beside being surprising. A level that holds keeps the size it had."""
    if leaving:
        return True
    if surge.signal == "velocity":
        return recent.top_reach >= config.velocity_reach
    if surge.signal == "reach":
        return surge.excess >= config.velocity_reach and surge.ratio >= ratio
    if surge.signal == "negative_share":
        return surge.excess >= max(excess, config.share_points * surge.mentions)
    return surge.excess >= excess and surge.ratio >= ratio
