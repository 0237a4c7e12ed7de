"""Sums over several time scales at once, each against the sum of what was expected of it."""

from math import inf, sqrt

Z_CAP_SQUARED = 5.0
"""A block's squared deviation teaches the dispersion at most this many variances: with more, half a
day of crisis widens its own bounds by so much that its later hours look usual."""
LEAST_MEMORY = 50.0
"""Blocks that a dispersion remembers at least: half a day of quarters of an hour."""
LEAST_DISPERSION = 1e-4
"""No series is calmer than +-1 % around its level."""


def settled_fade(fade: float, known: float) -> float:
    """Fade of a dispersion `known` blocks after the daily rhythm was half believed.

    What was not expected before that is mostly the error of a rhythm that nobody knew: once it is
    known, half a day forgets it. Not positive: unknown as yet, all that was learned is kept.
    """
    return min(fade, 1.0 - 1.0 / max(known, LEAST_MEMORY)) if known > 0.0 else fade


class Windows:
    """Faded sums of observed and expected counts over several scales, and their dispersion.

    A faded sum with factor l has the mean and variance of a sum over (1 + l) / (1 - l) steps once
    it is multiplied by 1 + l; so l = (W - 1) / (W + 1) stands for a window of W steps, at the cost
    of two numbers. The expected sum fades alike and was written down when each step was still in
    the future, so a ramp does not raise its own bar.

    The dispersion a of a scale (variance = mean + a mean^2) is a faded method-of-moments estimate
    with a prior; deviations are capped, so that a past crisis teaches little.
    """

    __slots__ = (
        "disp_e", "disp_w", "dispersion", "fade", "keep", "lengths", "ninth", "observed",
        "scales", "usual",
    )  # fmt: skip

    def __init__(
        self, lengths: tuple[float, ...], prior: float, prior_weight: float, fade: float
    ) -> None:
        self.lengths = lengths
        self.keep = tuple((w - 1.0) / (w + 1.0) for w in lengths)
        self.scales = tuple((i, keep, 1.0 + keep) for i, keep in enumerate(self.keep))
        """What the hot loops below need of each scale: its place, l and 1 + l."""
        self.fade = fade
        n = len(lengths)
        self.observed = [0.0] * n
        self.usual = [0.0] * n
        # The prior is history that fades like any other.
        self.disp_e = [prior * prior_weight] * n
        self.disp_w = [prior_weight] * n
        self.dispersion = [prior] * n
        self.ninth = [prior / 9.0] * n

    def best(self, x: float, mean: float) -> tuple[float, int]:
        """Largest z over the scales if the current step holds `x` where `mean` was expected."""
        best, where = 0.0, 0
        observed, usual, ninth = self.observed, self.usual, self.ninth
        for i, keep, c in self.scales:
            t = c * (keep * observed[i] + x)
            m = c * (keep * usual[i] + mean)
            if t > m:
                # surprise.count_z, inlined: this is the hottest line of the product.
                v = ninth[i]
                g = (t / m) ** 0.3333333333333333
                u = 1.0 / (9.0 * t)
                z = ((1.0 - u) * g - 1.0 + v) / sqrt(u * g * g + v)
                if z > best:
                    best, where = z, i
        return best, where

    def reach(self, z: float, mean: float) -> float:
        """Return the smallest value of the current step at which some scale reaches `z`.

        Cornish-Fisher to the second order (Cornish and Fisher, 1938): within 0.3 of the score.
        """
        least = inf
        skew = (z * z - 1.0) / 6.0
        observed, usual, dispersion = self.observed, self.usual, self.dispersion
        for i, keep, c in self.scales:
            m = c * (keep * usual[i] + mean)
            dm = dispersion[i] * m
            top = m + z * sqrt(m + dm * m) + skew * (1.0 + 2.0 * dm)
            x = top / c - keep * observed[i]
            if x < least:
                least = x
        return max(least, 0.0)

    def push(self, x: float, mean: float) -> None:
        observed, usual = self.observed, self.usual
        for i, keep, _ in self.scales:
            observed[i] = keep * observed[i] + x
            usual[i] = keep * usual[i] + mean

    def push_empty(self, steps: int, mean: float) -> None:
        """`steps` empty steps of the same expectation."""
        observed, usual = self.observed, self.usual
        for i, keep, _ in self.scales:
            f = keep**steps
            observed[i] *= f
            usual[i] = f * usual[i] + mean * (1.0 - f) / (1.0 - keep)

    def pass_time(self, steps: float) -> None:
        """Steps that nothing is known of."""
        for i, keep in enumerate(self.keep):
            f = keep**steps
            self.observed[i] *= f
            self.usual[i] *= f

    def settle(self) -> None:
        """Take what was observed for what was expected: the level is still being found."""
        self.usual = list(self.observed)

    def learn_dispersion(self, known: float) -> None:
        """Compare observed and expected sums as they stand; called once a block."""
        fade = settled_fade(self.fade, known)
        observed, usual, dispersion = self.observed, self.usual, self.dispersion
        disp_e, disp_w, ninth = self.disp_e, self.disp_w, self.ninth
        for i, _, c in self.scales:
            m = c * usual[i]
            if m <= 0.0:
                continue
            q = c * observed[i] / m - 1.0
            e = q * q
            cap = Z_CAP_SQUARED * (dispersion[i] + 1.0 / m)
            if e > cap:
                e = cap
            e -= 1.0 / m
            # Small means say little of dispersion: weight by information, at most 1.
            w = m / (1.0 + m)
            w *= w
            disp_e[i] = fade * disp_e[i] + w * e
            disp_w[i] = fade * disp_w[i] + w
            d = disp_e[i] / disp_w[i]
            if d < LEAST_DISPERSION:
                d = LEAST_DISPERSION
            dispersion[i] = d
            ninth[i] = d / 9.0

    def state(self) -> list[float]:
        return [*self.observed, *self.usual, *self.disp_e, *self.disp_w, *self.dispersion]

    def load(self, state: list[float]) -> None:
        n = len(self.lengths)
        self.observed = list(state[:n])
        self.usual = list(state[n : 2 * n])
        self.disp_e = list(state[2 * n : 3 * n])
        self.disp_w = list(state[3 * n : 4 * n])
        self.dispersion = list(state[4 * n : 5 * n])
        self.ninth = [d / 9.0 for d in self.dispersion]

    @property
    def size(self) -> int:
        return 5 * len(self.lengths)
