"""Signal "velocity": one complaint that goes viral."""

from detectors.anomaly.features import Features
from detectors.anomaly.magnitudes import MagnitudeDetector


class Velocity(MagnitudeDetector):
    """-log10 P(one negative mention spreads so far) under the series' own history.

    Examples
    --------
    >>> import random
    >>> rng, velocity = random.Random(3), Velocity()
    >>> for _ in range(2 * 1440):
    ...     velocity.learn_one({"mentions": 1, "top_reach": rng.lognormvariate(4, 1)})
    >>> velocity.score_one({"mentions": 1, "top_reach": 200_000}) > 3.0
    True
    """

    signal = "velocity"

    def value(self, x: Features) -> float:
        return x.top_reach
