"""A surge: a run of minutes in which one signal stays above its own history.

The detectors already sum over windows and calibrate: a score of 5.5 is reached in one minute of
300,000. What they cannot say is whether it lasts, since when, and how much it is in all. A surge
says that, with a few numbers:

* `smooth`: the score, half of the way up each minute and a third of the way down, so that no
  single minute opens an incident and a short lull does not end it.
* `lasting`: what it adds that the surge goes on. Windows that do not overlap bear witness apart:
  each window of W minutes adds log10 of the e-value p**-0.5 / 2 (a calibrator of Vovk and Wang,
  Annals of Statistics 49, 2021: worth 1 on average if nothing goes on), W-th by W-th, from the
  second window on. `evidence` is the sum of both.
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
LASTING_BOUND = 3.0
"""Most that lasting adds: a surge that is that well proven needs no more."""
RECENT_MINUTES = 10.0
_KEEP = math.exp(-1.0 / RECENT_MINUTES)
_LOG_2 = math.log10(2.0)
ANCHOR_S = 10_800
ANCHOR_RATIO = 2.0
"""For three hours no more is expected than twice what was when it began. The detectors learn within
the hour that a crisis "carries on"; that is no reason to call it usual. The day's rhythm moves the
expectation by about that much in three hours by itself."""
GONE = 1.0
"""Evidence below this, with no excess left, is no surge."""
SHARE_MINUTES = 240.0
"""A worse mood among few mentions is told by the share's longest window, four hours..."""
SHARE_GONE = 0.5
"""... and half a complaint is no run."""


class Surge(msgspec.Struct, frozen=True, array_like=True):
    """Sums are since `onset_s`; `mentions` and `negative` are the series' own over that time."""

    key: str
    """`negative`, or `topic/payment/negative`, or `channel/forum/volume`."""
    smooth: float
    lasting: float
    since_s: int
    """First minute that counts for lasting."""
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
    usual_share: float
    """Usual negative part of the series' mentions, when it began."""
    peak: Reading
    """The strongest minute."""

    @property
    def evidence(self) -> float:
        """On the score's scale: 5 is beyond chance in 100,000 minutes."""
        return self.smooth + self.lasting

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
    def rate(self) -> float:
        """Observed a minute since the onset."""
        return self.observed / self.minutes

    @property
    def recent_rate(self) -> float:
        """Observed a minute in the last ten: a storm that grew slowly is worse than its mean."""
        return self.recent_observed * (1.0 - _KEEP)

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
    mentions: float
    negative: float
    usual_share: float = 0.0
    slack: float | None = None
    """What is allowed over zero before it counts as excess; None: the minute (or window) stands
    for itself and nothing is cumulated."""
    steady: bool = False
    """The expectation of one minute compares with that of another (not so for shares)."""
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
    before = surge.smooth if surge else 0.0
    way = DOWN if score < before else (1.0 if at_once else UP)
    smooth = before + way * (score - before)
    if surge is not None:
        amount = _anchored(amount, surge, start_s)
    excess_left = surge.excess_left if surge else 0.0
    if amount.slack is not None:
        excess_left = max(excess_left + amount.observed - amount.slack, 0.0)
    if excess_left <= 0.0 and smooth < GONE:
        return None
    since_s = surge.since_s if surge and smooth >= GONE else start_s
    # One post is one event, however long it is looked at.
    age_s = start_s - since_s
    lasting = 0.0 if at_once else _lasting(surge, smooth, score, age_s, reading.window_s)
    per_minute = 60 / amount.window_s
    keep = _KEEP
    recent_observed = (keep * surge.recent_observed if surge else 0.0) + (
        amount.observed * per_minute
    )
    recent_expected = (keep * surge.recent_expected if surge else 0.0) + (
        amount.expected * per_minute
    )
    if surge is None or surge.excess_left <= 0.0:
        # A new run of excess, or one that stands for itself. What lasts is the run: the long
        # windows of a busy brand are surprised for hours by a rise too small to matter, and a
        # lively minute amid them is no crisis.
        cumulates = amount.slack is not None
        # By place: sixteen names would cost five times as much, and this is done each minute.
        return Surge(
            key,
            smooth,
            0.0 if cumulates else lasting,
            start_s if cumulates else since_s,
            start_s + 60 - amount.window_s,
            start_s,
            excess_left,
            amount.observed,
            amount.expected,
            amount.mentions,
            amount.negative,
            recent_observed,
            recent_expected,
            amount.expected * per_minute,
            amount.usual_share,
            reading,
        )
    strength = (reading.score or 0.0, reading.observed)
    stronger = strength > (surge.peak.score or 0.0, surge.peak.observed)
    return Surge(
        key,
        smooth,
        lasting,
        since_s,
        surge.onset_s,
        start_s,
        excess_left,
        surge.observed + amount.observed,
        surge.expected + amount.expected,
        surge.mentions + amount.mentions,
        surge.negative + amount.negative,
        recent_observed,
        recent_expected,
        surge.base,
        surge.usual_share,
        reading if stronger else surge.peak,
    )


def _anchored(amount: Amount, surge: Surge, start_s: int) -> Amount:
    """The minute against what was expected when the surge began."""
    if not amount.steady or surge.excess_left <= 0.0 or start_s - surge.onset_s > ANCHOR_S:
        return amount
    expected = min(amount.expected, ANCHOR_RATIO * surge.base)
    if expected == amount.expected:
        return amount
    return msgspec.structs.replace(amount, expected=expected, slack=SLACK * expected)


def lasting_gain(score: float) -> float:
    """What a window with this score adds to `lasting`."""
    # Half of the e-value: neighbouring windows of restless conversations go together.
    return 0.5 * (0.5 * score - _LOG_2)


def _lasting(surge: Surge | None, smooth: float, score: float, age_s: int, window_s: int) -> float:
    if surge is None or smooth < GONE:
        return 0.0
    gain = lasting_gain(score)
    if gain > 0.0 and age_s < window_s:
        # The first window has spoken by its score; a lower score takes back at once.
        return surge.lasting
    return min(max(surge.lasting + gain * 60 / window_s, 0.0), LASTING_BOUND)


def told(surge: Surge) -> Surge:
    """The surge once a level has fallen: its run is over, what goes on begins a new one.

    A slow burn's sums are its window's own; what was told of it is set aside elsewhere (usual.py).
    """
    if surge.signal == "slow_burn":
        return surge
    return msgspec.structs.replace(
        surge, lasting=0.0, excess_left=0.0, observed=0.0, expected=0.0, mentions=0.0, negative=0.0
    )


def rest(surge: Surge, *, start_s: int) -> Surge | None:
    """Let the minutes up to `start_s` pass without any mention."""
    minutes = (start_s - surge.last_s) // 60
    fade = (1.0 - DOWN) ** minutes
    smooth = surge.smooth * fade
    if surge.signal == "negative_share":
        # Where nothing is said nothing is expected either: the run only ages.
        per_minute = 0.0
        excess_left = surge.excess_left * math.exp(-minutes / SHARE_MINUTES)
        if excess_left < SHARE_GONE:
            excess_left = 0.0
    else:
        per_minute = surge.recent_expected / RECENT_MINUTES
        excess_left = max(surge.excess_left - minutes * SLACK * max(per_minute, surge.base), 0.0)
    if excess_left <= 0.0 and smooth < GONE:
        return None
    keep = math.exp(-minutes / RECENT_MINUTES)
    return msgspec.structs.replace(
        surge,
        smooth=smooth,
        lasting=surge.lasting * fade if smooth >= GONE else 0.0,
        last_s=start_s,
        excess_left=excess_left,
        expected=surge.expected + minutes * per_minute,
        recent_observed=surge.recent_observed * keep,
    )
