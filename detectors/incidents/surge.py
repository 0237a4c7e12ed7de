"""A surge: a run of minutes in which one signal stays above its own history.

The detectors already sum over windows and calibrate: a score of 5.5 is reached in one minute of
300,000. What they cannot say is whether it lasts, since when, and how much it is in all. A surge
says that, with a few numbers:

* `evidence`: the score, half of the way up each minute and a third of the way down, so that no
  single minute opens an incident and a short lull does not end it.
* `onset_s`, `observed`, `expected`: since the cumulated excess last left zero. That is Page's
  CUSUM (Biometrika 41, 1954), whose last zero is the usual estimate of a change's time.
* `recent_observed`, `recent_expected`: leaky sums of about ten minutes: does it go on?
"""

import math

import msgspec

from detectors.anomaly.reading import Reading

UP, DOWN = 0.5, 0.3
"""Part of the way that evidence goes to a higher and to a lower score in a minute."""
SLACK = 1.5
"""What the cumulated excess allows over the expectation: the optimum for telling 2 x from 1 x is
(2 - 1) / ln 2 = 1.44 (Moustakides, Annals of Statistics 14, 1986, for Poisson counts)."""
RECENT_MINUTES = 10.0
GONE = 1.0
"""Evidence below this, with no excess left, is no surge."""


class Surge(msgspec.Struct, frozen=True, array_like=True):
    """Sums are since `onset_s`; `mentions` and `negative` are the series' own over that time."""

    key: str
    """`negative`, or `topic/payment/negative`, or `channel/forum/volume`."""
    evidence: float
    onset_s: int
    last_s: int
    excess_left: float
    """The CUSUM: observed beyond `SLACK` times expected, never below 0."""
    observed: float
    expected: float
    mentions: float
    negative: float
    recent_observed: float
    recent_expected: float
    base: float
    """Expected per minute when it began: a long crisis must not become its own measure."""
    peak: Reading
    """The strongest minute."""

    @property
    def signal(self) -> str:
        """Name of the signal, without topic or channel."""
        return self.key.rpartition("/")[2]

    @property
    def topic(self) -> str:
        """The topic, or "" if the surge is not of a topic."""
        return self.key.split("/")[1] if self.key.startswith("topic/") else ""

    @property
    def minutes(self) -> int:
        """Minutes from the onset to the last one counted."""
        return (self.last_s - self.onset_s) // 60 + 1

    @property
    def excess(self) -> float:
        """Observed beyond expected, in the signal's unit."""
        return self.observed - self.expected

    @property
    def ratio(self) -> float:
        """Observed over expected; no less than one whole is expected, or one mention is a storm."""
        return self.observed / max(self.expected, 1.0)


class Amount(msgspec.Struct, frozen=True):
    """One minute of a series in units that add up."""

    observed: float
    expected: float
    slack: float
    """What is allowed over zero before it counts as excess."""
    mentions: float
    negative: float
    window_s: int = 60
    """Above 60, `observed` and `expected` are sums of that window, not of the minute."""


def grow(
    surge: Surge | None,
    key: str,
    reading: Reading,
    amount: Amount,
    *,
    start_s: int,
    score_cap: float,
    at_once: bool = False,
) -> Surge | None:
    """Add one minute; None when nothing is left.

    Parameters
    ----------
    score_cap
        Most that one minute's score counts.
    at_once
        For signals that are over in a minute (one post goes viral): evidence is the score.
    """
    score = min(reading.score or 0.0, score_cap)
    before = surge.evidence if surge else 0.0
    way = DOWN if score < before else (1.0 if at_once else UP)
    evidence = before + way * (score - before)
    excess_left = max((surge.excess_left if surge else 0.0) + amount.observed - amount.slack, 0.0)
    if excess_left <= 0.0 and evidence < GONE:
        return None
    keep = math.exp(-1.0 / RECENT_MINUTES)
    fresh = surge is None or (surge.excess_left <= 0.0 and surge.evidence < GONE)
    if surge is None or fresh:
        return Surge(
            key=key,
            evidence=evidence,
            onset_s=start_s + 60 - amount.window_s,
            last_s=start_s,
            excess_left=excess_left,
            observed=amount.observed,
            expected=amount.expected,
            mentions=amount.mentions,
            negative=amount.negative,
            recent_observed=amount.observed * 60 / amount.window_s,
            recent_expected=amount.expected * 60 / amount.window_s,
            base=amount.expected * 60 / amount.window_s,
            peak=reading,
        )
    strength = (reading.score or 0.0, reading.observed)
    stronger = strength > (surge.peak.score or 0.0, surge.peak.observed)
    wide = amount.window_s > 60
    return Surge(
        key=key,
        evidence=evidence,
        onset_s=min(surge.onset_s, start_s + 60 - amount.window_s),
        last_s=start_s,
        excess_left=excess_left,
        observed=amount.observed if wide else surge.observed + amount.observed,
        expected=amount.expected if wide else surge.expected + amount.expected,
        mentions=surge.mentions + amount.mentions,
        negative=surge.negative + amount.negative,
        recent_observed=keep * surge.recent_observed + amount.observed * 60 / amount.window_s,
        recent_expected=keep * surge.recent_expected + amount.expected * 60 / amount.window_s,
        base=surge.base,
        peak=reading if stronger else surge.peak,
    )


def rest(surge: Surge, *, start_s: int) -> Surge | None:
    """Let the minutes up to `start_s` pass without any mention."""
    minutes = (start_s - surge.last_s) // 60
    per_minute = surge.recent_expected / RECENT_MINUTES
    evidence = surge.evidence * (1.0 - DOWN) ** minutes
    excess_left = max(surge.excess_left - minutes * SLACK * max(per_minute, surge.base), 0.0)
    if excess_left <= 0.0 and evidence < GONE:
        return None
    keep = math.exp(-minutes / RECENT_MINUTES)
    return msgspec.structs.replace(
        surge,
        evidence=evidence,
        last_s=start_s,
        excess_left=excess_left,
        expected=surge.expected + minutes * per_minute,
        recent_observed=surge.recent_observed * keep,
    )
