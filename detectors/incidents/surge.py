"""Evidence that adds up over minutes: one score says little, ten in a row say much.

A surge is a run of minutes in which a signal stays above its own history. Its `evidence` is the
logarithm (base 10) of an e-value: each minute's score s = -log10 p is turned into the betting gain
p**-0.5 / M, where M is the greatest mean that p**-0.5 can have if p is a valid p-value, so that the
product is no more than 1 on average in ordinary times. Restarted at zero whenever it falls below
(a CUSUM), it exceeds E no more often than once in 10**E minutes on average.

Sources: Vovk and Wang, "E-values: calibration, combination and applications", Annals of Statistics
49 (2021), for the calibrator; Shin, Ramdas and Rinaldo, "E-detectors", New England Journal of
Statistics in Data Science 2 (2024), for the bound on the run length; Page, Biometrika 41 (1954),
for the restart, whose last zero is also the usual estimate of the onset.
"""

import math

import msgspec

from detectors.anomaly.reading import Reading

BET = 0.5
"""Exponent of the calibrator p**-BET. One half reacts to weak, lasting surges as well as to strong
ones, and is the safest when scores are a little too high: E[p**-0.5] is finite for every tail that
is at most a square root too heavy."""

SMOOTH_FLOOR = 0.05
"""A smoothed score below this is over."""


class Surge(msgspec.Struct, frozen=True, array_like=True):
    """A run of surprising minutes of one signal; `observed`, `expected` are sums since the onset.

    `mentions` and `negative` are the brand's (or topic's) sums over the same minutes, `peak` is the
    reading of the strongest minute.
    """

    key: str
    """`negative`, or `topic/payment/negative`, or `channel/forum/volume`."""
    evidence: float
    onset_s: int
    last_s: int
    observed: float
    expected: float
    mentions: float
    negative: float
    chance: float
    """Probability that an ordinary minute has any score above 0."""
    peak: Reading

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


def toll(chance: float) -> float:
    """What a minute costs on the score scale before it gains evidence.

    Parameters
    ----------
    chance
        Probability that an ordinary minute scores above 0 (1 - exp(-expected) for counts). For a
        quiet brand most minutes are empty and score 0, so that silence must cost less.

    Returns
    -------
    float
        log10(M) / BET with M = (1 - chance) + chance**(1 - BET) / (1 - BET), the greatest mean of
        p**-BET when p is 1 with probability 1 - chance and a valid p-value below `chance` else.

    >>> round(toll(1.0), 3)
    0.602
    >>> round(toll(0.01), 3)
    0.151
    """
    mean = (1.0 - chance) + chance ** (1.0 - BET) / (1.0 - BET)
    return math.log10(mean) / BET


def chance_of(expected: float | None) -> float:
    """Probability that a minute with this expected count is not empty (Poisson).

    >>> chance_of(None)
    1.0
    >>> round(chance_of(0.5), 3)
    0.393
    """
    return 1.0 if expected is None else -math.expm1(-max(expected, 1e-6))


def grow(
    surge: Surge | None,
    key: str,
    reading: Reading,
    *,
    start_s: int,
    observed: float,
    expected: float,
    mentions: float,
    negative: float,
    chance: float,
    score_cap: float,
    ceiling: float,
    smooth_minutes: int = 0,
) -> Surge | None:
    """Add one minute; None when nothing surprising is left.

    Parameters
    ----------
    score_cap
        Most that one minute's score counts, so that no single minute opens an incident.
    ceiling
        Most evidence that is kept, so that a long crisis ends soon after it is over.
    smooth_minutes
        For a signal that sums many minutes by itself (slow burn): its scores are not independent
        bets, so that evidence is their mean over about this many minutes instead.
    """
    score = min(reading.score or 0.0, score_cap)
    before = surge.evidence if surge else 0.0
    if smooth_minutes:
        evidence = before + (score - before) / smooth_minutes
        gone = evidence < SMOOTH_FLOOR and score < before
    else:
        evidence = min(before + BET * (score - toll(chance)), ceiling)
        gone = evidence <= 0.0
    if gone:
        return None
    if surge is None:
        return Surge(
            key, evidence, start_s, start_s, observed, expected, mentions, negative, chance, reading
        )
    stronger = (reading.score or 0.0, reading.observed) > (
        surge.peak.score or 0.0,
        surge.peak.observed,
    )
    return Surge(
        key,
        evidence,
        surge.onset_s,
        start_s,
        surge.observed + observed,
        surge.expected + expected,
        surge.mentions + mentions,
        surge.negative + negative,
        chance,
        reading if stronger else surge.peak,
    )


def rest(surge: Surge, *, start_s: int) -> Surge | None:
    """Let the minutes up to `start_s` pass without any mention."""
    minutes = (start_s - surge.last_s) // 60
    evidence = surge.evidence - minutes * BET * toll(surge.chance)
    if evidence <= 0.0:
        return None
    per_minute = surge.expected / surge.minutes
    return msgspec.structs.replace(
        surge,
        evidence=evidence,
        last_s=start_s,
        expected=surge.expected + minutes * per_minute,
    )
