"""How bad it is: a level from evidence, size and kind, with every dial in one place."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from detectors.incidents.surge import Surge, lasting_gain

NORMAL, WATCH, ALERT, CRISIS = 0, 1, 2, 3
LN10 = math.log(10.0)
LEVELS = (NORMAL, WATCH, ALERT, CRISIS)

NEGATIVE_SIGNALS = frozenset({"negative", "negative_share", "velocity", "slow_burn"})
"""Only these can raise more than WATCH: a crisis is negative, attention alone is not."""


OWN_DIAL = frozenset({"velocity", "slow_burn"})
"""The others of these share `alert_evidence`: more complaints, or a larger part of them."""


@dataclass(frozen=True, slots=True)
class SeverityConfig:
    """The dials. Evidence is a smoothed score: 5 means "in one ordinary minute of 100,000".

    A brand has 10,080 minutes a week and seven signals, not counting topics and channels; scores of
    neighbouring minutes go together (some four to a cluster), so that 4.4 comes about every tenth
    week by chance. The size that a level asks for removes most of these.
    """

    watch_evidence: float = 4.2
    alert_evidence: float = 4.6
    """Of complaints: more of them (`negative`) or a larger part (`negative_share`). With the sizes
    below one or two pages in 53 brand-weeks without a crisis (make bench-detection)."""
    velocity_evidence: float = 4.4
    """Of one viral post: two such pages in 53 brand-weeks of heavy-tailed reach."""
    slow_burn_evidence: float = 6.2
    """Half a day of a lively market is a slow burn in a brand that is talked of for its price: at
    less than this three such days in 53 brand-weeks paged."""
    crisis_evidence: float = 6.0
    score_cap: float = 8.0
    """Most that one minute counts. Half of it is below `alert_evidence`: a single minute, however
    wild, pages nobody."""
    part_margin: float = 0.5
    """Added for topics and channels: ten more series would otherwise find ten times the chance."""

    attention_margin: float = 0.8
    """Added for volume, reach and authors, which are news and no complaint."""
    attention_ratio: float = 2.5

    watch_excess: float = 5.0
    """Negative mentions (or mentions) beyond the expected ones that a level takes at least."""
    alert_excess: float = 8.0
    """Eight more complaints than usual are worth a person's look whatever the brand's size."""
    crisis_excess: float = 80.0
    watch_ratio: float = 1.8
    """Observed over expected since the onset: what is surprising may still be too small to matter.
    A busy brand's 20 % more is significant within the hour and no news."""
    alert_ratio: float = 2.0
    """The weakest crisis that has to be found is three times the volume."""
    crisis_ratio: float = 4.0
    crisis_minutes: int = 5
    """A CRISIS lasts; five minutes more than an ALERT takes tell a wave from a splash."""
    alert_negative_share: float = 0.5
    """Negative part of the surge's mentions from which it is a crisis whatever is usual..."""
    alert_share_rise: float = 0.15
    """... or the rise over the usual part from which it is one. A positive surge that carries its
    usual tenth of (perhaps misread) complaints is attention, not a crisis."""
    share_points: float = 0.1
    """Rise of the negative share that alerts. The smallest that has to be found is 0.20, of which
    the probabilities of a doubtful classifier show about two thirds."""

    velocity_reach: float = 10_000.0
    """People reached by one negative post before its speed is worth a WATCH..."""
    velocity_alert_reach: float = 30_000.0
    """... and an ALERT."""
    velocity_far_reach: float = 100_000.0
    """A complaint that so many see, and..."""
    velocity_far_ratio: float = 50.0
    """... so many times the reach that is remarkable for the brand (a reading's `upper`, one in
    1,000), needs no more evidence: surprise grows with the logarithm of reach only, and a small
    brand has no history from which it could be more surprised. Where reach is a power law with an
    exponent of 1 to 1.3 such a complaint comes once in ten weeks or more seldom."""
    crisis_reach: float = 1_000_000.0
    """One negative post seen by a million people makes an ALERT a CRISIS. While nobody knows yet
    what is usual for the brand it is an ALERT by itself."""

    slow_part: float = 0.3
    """A slow burn asks for this part of what the ratios ask: 30 % more over half a day alerts."""
    slow_hold: float = 0.6
    """A slow burn holds until its evidence falls below this part of what it took."""

    hold_fraction: float = 0.25
    """A level holds while the last ten minutes exceed the expected by this part of its excess..."""
    hold_sigmas: float = 2.0
    """... by so many standard deviations of a plain count..."""
    hold_ratio: float = 1.5
    """... and are this many times the expected: people are more restless than plain counts."""
    security_alert: float = 2.5
    """Negative security mentions in about an hour (three within twenty minutes)."""
    security_crisis: float = 20.0
    security_ratio: float = 3.0
    """Over the brand's own usual rate: a bank hears "hacked" every day."""

    floor_alert: float = 25.0
    """Negative mentions in about ten minutes that alert while the detectors are warming up."""
    floor_crisis: float = 150.0
    floor_share: float = 0.5
    floor_ratio: float = 4.0
    """Over what was usual so far (and in the last two hours: nobody knows its evenings yet), or a
    busy brand would alert when it is first seen. A hiccup of half an hour may treble complaints;
    once the detectors are warm they judge that."""
    floor_minutes: int = 10
    """Minutes before "usual so far" means anything; until then the floors are four times higher."""

    announced_margin: float = 1.5
    """Evidence added while a planned event runs; its volume and reach raise nothing."""
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

    def asked_of(self, signal: str) -> float:
        """Evidence that an ALERT takes."""
        if signal == "velocity":
            return self.velocity_evidence
        return self.slow_burn_evidence if signal == "slow_burn" else self.alert_evidence


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
    verdicts = [_security(recent, config), _floor(recent, config)]
    both = _joint(surges)
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
    both = _joint(surges)
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
    if surge.key == "velocity" and _far(surge, config):
        return max(surge.evidence, config.crisis_evidence)
    return surge.evidence


def _far(surge: Surge, config: SeverityConfig) -> bool:
    """Whether a complaint is seen by so many that there is no question."""
    seen = surge.peak
    remarkable = config.velocity_far_ratio * max(seen.upper or 0.0, 1.0)
    return seen.observed >= max(config.velocity_far_reach, remarkable)


def may_call(
    surges: tuple[Surge, ...], config: SeverityConfig, *, security: float, warming: bool
) -> bool:
    """Whether `level_of` might call for a level: of most minutes it does not, which is soon seen.

    Parameters
    ----------
    security, warming
        As in `Recent`; whatever else is recent speaks only once these or a surge's evidence do.
    """
    if warming or security >= min(config.security_alert, config.security_crisis):
        return True
    asked = config.watch_evidence
    for surge in surges:
        if surge.smooth + surge.lasting >= asked:
            return True
        if surge.key == "velocity" and _far(surge, config):
            return True
    return _joint(surges) >= asked


def may_carry(
    surges: tuple[Surge, ...], scores: Iterable[float], minutes: int, config: SeverityConfig
) -> bool:
    """Whether so many minutes with these scores might carry a surge's evidence to a WATCH.

    A bound from above: `smooth` only moves towards a score, and each minute adds at most its gain
    to `lasting` (surge.py).
    """
    top = max(scores, default=0.0)
    lasting = 0.0
    gain = minutes * max(lasting_gain(top), 0.0)
    for surge in surges:
        top = max(top, surge.smooth)
        lasting = max(lasting, surge.lasting)
    return max(top + lasting + gain, _both(top, top)) >= config.watch_evidence


def _joint(surges: tuple[Surge, ...]) -> float:
    """Evidence that there is more said and that it is worse said, both at once.

    In ordinary life the volume says nothing of the mood, so the two bear witness apart: Fisher's
    method (Statistical Methods for Research Workers, 1932), P(p1 p2 <= q) = q (1 - ln q). A small
    brand's crisis is often surprising in both and not enough so in either.
    """
    more = worse = 0.0
    for surge in surges:
        if surge.key == "volume":
            more = surge.smooth
        elif surge.key == "negative_share":
            worse = surge.smooth
    return _both(more, worse) if more > 0.0 and worse > 0.0 else 0.0


def _both(more: float, worse: float) -> float:
    return more + worse - math.log10(1.0 + LN10 * (more + worse))


def may_rise(
    surges: tuple[Surge, ...],
    config: SeverityConfig,
    *,
    negative: float,
    top_reach: float,
    security: int,
) -> bool:
    """Whether open minutes that hold so much in all may raise a level before they close.

    Every level asks for a size, and what is there is taken for excess to the last mention. Not
    asked is what can wait for the end of the minute: attention, which raises a WATCH at most, and
    a slow burn, which has hours.
    """
    asked = min(config.watch_excess, config.floor_alert)
    if security or top_reach >= config.velocity_reach or negative >= asked:
        return True
    return any(
        surge.excess + negative >= asked
        for surge in surges
        if surge.signal in ("negative", "negative_share")
    )


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
    verdicts = [_security(recent, config), _floor(recent, config)]
    verdicts += [
        Verdict(_held(surge, recent, config), surge.signal, surge)
        for surge in surges
        if (slow or surge.signal != "slow_burn")
        and not (announced and surge.signal not in NEGATIVE_SIGNALS)
    ]
    return max(verdicts, key=_weight)


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
    if recent.top_reach >= config.crisis_reach:
        return Verdict(ALERT, "velocity")
    if recent.negative < config.floor_share * recent.mentions:
        return CALM
    young = 4.0 if recent.minutes_seen < config.floor_minutes else 1.0
    usual = recent.usual_negative * config.floor_ratio
    if recent.negative >= max(config.floor_crisis * young, usual):
        return Verdict(CRISIS, "negative")
    if recent.negative >= max(config.floor_alert * young, usual):
        return Verdict(ALERT, "negative")
    return CALM


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
        untold = surge.excess - recent.told
        return untold >= max(excess, config.slow_part * (ratio - 1.0) * surge.expected)
    return surge.excess >= excess and surge.ratio >= ratio


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
    if surge.excess - recent.told < config.hold_fraction * config.alert_excess:
        return NORMAL
    for level, asked in ((ALERT, config.slow_burn_evidence), (WATCH, config.watch_evidence)):
        if surge.evidence >= config.slow_hold * asked:
            return level
    return NORMAL
