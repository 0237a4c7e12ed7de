"""Signal "negative_share": is the mood worse, whatever the volume?"""

import math

from detectors.anomaly.config import BankConfig
from detectors.anomaly.counts import LOOKS_PER_SCALE
from detectors.anomaly.detector import Detector
from detectors.anomaly.features import Features
from detectors.anomaly.reading import Reading
from detectors.anomaly.surprise import beta_z, neg_log_tail
from detectors.anomaly.tail import Tail
from detectors.anomaly.windows import Z_CAP_SQUARED, settled_fade

SHARE_PRIOR = 0.3
SHARE_PRIOR_MENTIONS = 20.0
"""Before anything is known: 30 % negative, worth twenty mentions."""
UNIT_PRIOR = 0.7
UNIT_MENTIONS = 2000.0
"""A sum of probabilities varies less than a count of negatives would: by this part of its
variance, learned from single minutes over the last so many of them that held a mention."""
RESTLESS_PRIOR = 0.02
"""Extra variance of a share between windows, as a correlation between its mentions."""
LEVEL_CAP = 3.0
"""A block teaches the usual share at most so many standard deviations."""


class NegativeShare(Detector):
    """-log10 P(so much negative mass or more among so many mentions) under the usual share.

    Over each window the negative mass is beta-binomial around the expected share; its correlation
    is learned per window as the dispersion of a count is. A quiet minute says nothing of the mood,
    so the windows start at five minutes and the tail is taught only by steps with mentions.

    Examples
    --------
    >>> share = NegativeShare()
    >>> for i in range(2 * 1440):
    ...     share.learn_one({"mentions": 10, "negative": 2.0 + i % 3})
    >>> share.score_one({"mentions": 10, "negative": 3.0}) < 1.5
    True
    >>> for i in range(10):
    ...     share.learn_one({"mentions": 10, "negative": 7.0})
    >>> share.score_one({"mentions": 10, "negative": 7.0}) > 3.0
    True
    """

    signal = "negative_share"

    def __init__(self, config: BankConfig | None = None) -> None:
        super().__init__(config)
        config = self.dials
        step = config.step_s
        lengths = tuple(w / step for w in config.share_scales_s if w > step) or (1.0,)
        self.lengths = lengths
        self.keep = tuple((w - 1.0) / (w + 1.0) for w in lengths)
        n = len(lengths)
        self.mentions = [0.0] * n
        self.negative = [0.0] * n
        self.usual = [0.0] * n
        ask = config.restless_blocks
        self.corr_e = [RESTLESS_PRIOR * ask] * n
        self.corr_w = [ask] * n
        self.corr = [RESTLESS_PRIOR] * n
        self.block_s = max(config.block_s, step)
        self.fade = math.exp(-self.block_s / (86_400.0 * config.base_days))
        self.unknown = 86_400.0 * config.rhythm_prior_days / self.block_s
        self.level_x = SHARE_PRIOR * SHARE_PRIOR_MENTIONS
        self.level_n = SHARE_PRIOR_MENTIONS
        self.share = SHARE_PRIOR
        self.unit = UNIT_PRIOR
        self.block_x = 0.0
        self.block_n = 0.0
        self.block = -1
        self._known: tuple[float, float, float, int] | None = None
        """The last surprise until something is learned: who reads a minute then learns it."""
        self.tail = Tail(
            max(1.0, LOOKS_PER_SCALE * n), event=config.event_steps, cap=config.event_cap
        )
        self.refresh_upper()

    def _surprise(self, n: float, x: float) -> tuple[float, int]:
        """-ln p of so much negative mass among `n` mentions, and the window that says so."""
        known = self._known
        if known is not None and known[0] == n and known[1] == x:
            return known[2], known[3]
        best, where = 0.0, 0
        mentions, negative, usually = self.mentions, self.negative, self.usual
        expected = n * self.share
        for i, keep in enumerate(self.keep):
            c = 1.0 + keep
            mass = c * (keep * negative[i] + x)
            usual = c * (keep * usually[i] + expected)
            if mass > usual > 0.0:
                total = c * (keep * mentions[i] + n)
                shrink = 1.0 / (self.unit * (1.0 + self.corr[i] * max(total - 1.0, 0.0)))
                a = max(mass * shrink, 1e-6)
                b = max((total - mass) * shrink, 0.0) + 1.0
                p = min(usual / total, 0.999)
                z = beta_z(a, b, p / (1.0 - p))
                if z > best:
                    best, where = z, i
        s = neg_log_tail(best)
        self._known = (n, x, s, where)
        return s, where

    def read(self, x: Features, *, start_s: int, elapsed_ratio: float = 1.0) -> Reading:  # noqa: ARG002 - a share needs neither clock nor elapsed time
        n = x.mentions
        negative = min(x.negative, n)
        s, where = self._surprise(n, negative)
        warming = self.warming
        keep = self.keep[where]
        total = keep * self.mentions[where] + n
        observed = (keep * self.negative[where] + negative) / total if total > 0.0 else 0.0
        # A normal band on purpose: the reading's band is for the eye, the score is exact.
        size = max((1.0 + keep) * total, 1.0)
        shrink = 1.0 / (self.unit * (1.0 + self.corr[where] * max(size - 1.0, 0.0)))
        sd = math.sqrt(self.share * (1.0 - self.share) / max(size * shrink, 1.0))
        return Reading(
            self.signal,
            observed,
            self.share,
            min(1.0, self.share + self.upper_z * sd),
            None if warming else (self.tail.score(s) if n > 0.0 else 0.0),
            warming,
            int(self.lengths[where] * self.dials.step_s),
        )

    def learn(self, x: Features, *, start_s: int, held: bool = False) -> None:
        step = self.dials.step_s
        gap = (start_s - self.clock) // step if self.clock else 0
        if gap > 0:
            self._fade(gap)
        self._enter(start_s)
        self.clock = start_s + step
        if held:
            self._fade(1)
            return
        n = x.mentions
        negative = min(x.negative, n)
        if n > 0.0:
            s, _ = self._surprise(n, negative)
            self.tail.learn(s)
            p = self.share
            d = min((negative - p * n) ** 2 / (p * (1.0 - p) * n), Z_CAP_SQUARED)
            self.unit = min(max(self.unit + (d - self.unit) / UNIT_MENTIONS, 0.05), 1.0)
        self._known = None
        mentions, mass, usual = self.mentions, self.negative, self.usual
        expected = n * self.share
        for i, keep in enumerate(self.keep):
            mentions[i] = keep * mentions[i] + n
            mass[i] = keep * mass[i] + negative
            usual[i] = keep * usual[i] + expected
        self.block_x += negative
        self.block_n += n
        self.seen_s += step

    def quiet(self, steps: int, *, start_s: int) -> None:
        step = self.dials.step_s
        gap = (start_s - self.clock) // step if self.clock else 0
        if gap > 0:
            self._fade(gap)
        self.clock = start_s + steps * step
        # The first block ends where it would have ended minute by minute; the rest are empty.
        self._enter(start_s)
        left = -(-((self.block + 1) * self.block_s - start_s) // step)
        now = min(steps, max(1, left))
        self._fade(now)
        self.seen_s += now * step
        if steps > now:
            self._enter(start_s + now * step)
            self._fade(steps - now)
            self.seen_s += (steps - now) * step
            self._enter(self.clock - step)

    def _fade(self, steps: int) -> None:
        self._known = None
        mentions, negative, usual = self.mentions, self.negative, self.usual
        for i, keep in enumerate(self.keep):
            f = keep**steps
            mentions[i] *= f
            negative[i] *= f
            usual[i] *= f

    def _enter(self, start_s: int) -> None:
        block = start_s // self.block_s
        if block == self.block:
            return
        if self.block >= 0:
            self._close()
        self.block = block

    def _close(self) -> None:
        self._known = None
        p, n = self.share, self.block_n
        if n > 0.0:
            fade = settled_fade(self.fade, self.seen_s / self.block_s - self.unknown)
            for i, keep in enumerate(self.keep):
                self._learn_correlation(i, 1.0 + keep, fade)
            variance = p * (1.0 - p) * n * (1.0 + self.corr[-1] * max(n - 1.0, 0.0))
            most = p * n + LEVEL_CAP * math.sqrt(variance) + 1.0
            self.level_x = self.fade * self.level_x + min(self.block_x, most)
            self.level_n = self.fade * self.level_n + n
            ask = SHARE_PRIOR_MENTIONS
            share = (self.level_x + SHARE_PRIOR * ask) / (self.level_n + ask)
            self.share = min(max(share, 0.005), 0.995)
        self.block_x = 0.0
        self.block_n = 0.0
        self.refresh_upper()

    def _learn_correlation(self, i: int, c: float, fade: float) -> None:
        n = c * self.mentions[i]
        if n <= 1.0:
            return
        p = min(max(self.usual[i] * c / n, 0.005), 0.995)
        unit = p * (1.0 - p) * self.unit
        d = (c * self.negative[i] - p * n) ** 2 / (unit * n)  # 1 if mentions are independent
        d = min(d, Z_CAP_SQUARED * (1.0 + self.corr[i] * (n - 1.0)))
        w = (n - 1.0) ** 2 / (n + 20.0) ** 2
        e = (d - 1.0) / (n - 1.0)
        self.corr_e[i] = fade * self.corr_e[i] + w * e
        self.corr_w[i] = fade * self.corr_w[i] + w
        self.corr[i] = min(max(self.corr_e[i] / self.corr_w[i], 1e-4), 0.9)

    def state(self) -> list[float]:
        return [
            float(self.clock), self.seen_s, self.upper_z, *self.tail.state(),
            self.level_x, self.level_n, self.share, self.unit,
            self.block_x, self.block_n, float(self.block),
            *self.mentions, *self.negative, *self.usual, *self.corr_e, *self.corr_w, *self.corr,
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        self._known = None
        self.clock, self.seen_s, self.upper_z = int(state[0]), state[1], state[2]
        at = 3 + Tail.SIZE
        self.tail.load(state[3:at])
        self.level_x, self.level_n, self.share, self.unit = state[at : at + 4]
        self.block_x, self.block_n = state[at + 4 : at + 6]
        self.block = int(state[at + 6])
        n = len(self.keep)
        at += 7
        parts = [list(state[at + k * n : at + (k + 1) * n]) for k in range(6)]
        self.mentions, self.negative, self.usual, self.corr_e, self.corr_w, self.corr = parts
