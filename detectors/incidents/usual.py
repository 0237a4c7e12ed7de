"""What is usual for a brand, learned by the judge itself: for the floors of the first days.

The detectors' expectation is better once they are warm; until then, and for security words, a slow
mean and a fast leaky sum are enough to tell "much more than so far" from "this brand is busy".
"""

import math

import msgspec

from detectors.incidents.detection import MINUTE_S, Detection
from detectors.incidents.verdict import Recent

MEMORY_MINUTES = 1440.0
"""The mean forgets over a day: a whole daily rhythm."""
RECENT_MINUTES = 10.0
SECURITY_MINUTES = 60.0
LATELY_MINUTES = 120.0
"""An evening is twice the day's mean: while the rhythm is unknown, the last hours say more."""
TOLD_MINUTES = 1080.0
"""As long as the slow burn's longest window (36 hours, faded: 18 hours) remembers."""
ACUTE_SCORE = 3.0
"""A minute that is so surprising by itself is acute: its excess is no part of a slow burn."""
SECURITY_ANEW = 0.35
"""Of the leaky sum: one mention of an hour ago. What comes after it is another story."""

# What a minute leaves of each.
_KEEP_USUAL = math.exp(-1.0 / MEMORY_MINUTES)
_KEEP_RECENT = math.exp(-1.0 / RECENT_MINUTES)
_KEEP_SECURITY = math.exp(-1.0 / SECURITY_MINUTES)
_KEEP_TOLD = math.exp(-1.0 / TOLD_MINUTES)


class Usual(msgspec.Struct, frozen=True, array_like=True):
    """Means per minute over about a day, and leaky sums over about 10 (security: 60) minutes."""

    minutes: int = 0
    negative: float = 0.0
    security: float = 0.0
    recent_mentions: float = 0.0
    recent_negative: float = 0.0
    recent_security: float = 0.0
    recent_top_reach: float = 0.0
    told: float = 0.0
    """Negative excess of the last day that acute incidents have already told of: a slow burn has
    to make its case without it."""
    lately: float = 0.0
    """Mean of `negative` over about two hours."""
    security_since_s: int = 0
    """Minute of the first security mention of those that are still remembered..."""
    security_sum: float = 0.0
    """... and how many there were since: what an incident of security words tells."""

    def after_quiet(self, minutes: int) -> "Usual":
        """The same after so many minutes without a mention."""
        if minutes <= 0:
            return self
        grown = min(float(self.minutes + minutes), MEMORY_MINUTES)
        # A plain mean while young, an exponentially forgetting one afterwards.
        keep = min(self.minutes / grown, math.exp(-minutes / MEMORY_MINUTES)) if grown else 1.0
        fast = math.exp(-minutes / RECENT_MINUTES)
        slow = math.exp(-minutes / SECURITY_MINUTES)
        return Usual(
            self.minutes + minutes,
            self.negative * keep,
            self.security * keep,
            self.recent_mentions * fast,
            self.recent_negative * fast,
            self.recent_security * slow,
            self.recent_top_reach * slow,
            self.told * math.exp(-minutes / TOLD_MINUTES),
            self.lately * math.exp(-minutes / LATELY_MINUTES),
            self.security_since_s,
            self.security_sum,
        )

    def after(self, detection: Detection, *, learn: bool) -> "Usual":
        """The same after a minute; `learn` is False while an incident is open."""
        minutes = self.minutes + 1
        grown = min(float(minutes), MEMORY_MINUTES)
        negative, security, lately = self.negative, self.security, self.lately
        if learn:  # its own crisis must not become what is usual
            keep = min(self.minutes / grown, _KEEP_USUAL)
            negative = negative * keep + detection.negative / grown
            security = security * keep + detection.security / grown
            weight = 1.0 / min(float(minutes), LATELY_MINUTES)
            lately += weight * (detection.negative - lately)
        since_s, sum_ = self.security_since_s, self.security_sum
        if detection.security and self.recent_security < SECURITY_ANEW:
            since_s, sum_ = detection.start_s, 0.0
        return Usual(
            minutes,
            negative,
            security,
            self.recent_mentions * _KEEP_RECENT + detection.mentions,
            self.recent_negative * _KEEP_RECENT + detection.negative,
            self.recent_security * _KEEP_SECURITY + detection.security,
            max(self.recent_top_reach * _KEEP_SECURITY, detection.top_reach),
            self.told * _KEEP_TOLD + _acute(detection),
            lately,
            since_s,
            sum_ + detection.security,
        )

    def recent(self, *, warming: bool) -> Recent:
        """The recent sums beside what was usual before them."""
        return Recent(
            negative=self.recent_negative,
            mentions=self.recent_mentions,
            top_reach=self.recent_top_reach,
            security=self.recent_security,
            usual_negative=max(
                self._before(self.negative, self.recent_negative, RECENT_MINUTES),
                self._before(self.lately, self.recent_negative, RECENT_MINUTES, LATELY_MINUTES),
            ),
            usual_security=self._before(self.security, self.recent_security, SECURITY_MINUTES),
            told=self.told,
            minutes_seen=self.minutes,
            warming=warming,
        )

    def _before(
        self, mean: float, recent: float, window: float, memory_minutes: float = MEMORY_MINUTES
    ) -> float:
        """Usual sum over `window` minutes without the last ones: no surge is its own yardstick."""
        memory = min(float(self.minutes), memory_minutes)
        if memory < 2.0 * window:
            return 0.0
        # Leaky sums have forgotten a part of what they saw: a fifth more is set aside.
        return max(mean * memory - 1.2 * recent, 0.0) / (memory - window) * window


def _acute(detection: Detection) -> float:
    """The minute's negative excess, if the minute is surprising by itself."""
    reading = detection.reading("negative")
    if reading is None or (reading.score or 0.0) < ACUTE_SCORE:
        return 0.0
    return max(reading.observed - (reading.expected or 0.0), 0.0)


def gap_minutes(last_s: int, start_s: int) -> int:
    """Whole minutes that lie between two minutes."""
    return max((start_s - last_s) // MINUTE_S - 1, 0)
