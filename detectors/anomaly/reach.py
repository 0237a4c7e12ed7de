"""Signal "reach": how many people may have seen it."""

from detectors.anomaly.features import Features
from detectors.anomaly.magnitudes import MagnitudeDetector


class Reach(MagnitudeDetector):
    """-log10 P(a minute reaches so many people) under the series' own history.

    Examples
    --------
    >>> import random
    >>> rng, reach = random.Random(3), Reach()
    >>> for _ in range(2 * 1440):
    ...     reach.learn_one({"mentions": 3, "reach": rng.lognormvariate(7, 1)})
    >>> reach.score_one({"mentions": 3, "reach": 1000}) < 1.0
    True
    >>> reach.score_one({"mentions": 3, "reach": 1_000_000}) > 3.0
    True
    """

    signal = "reach"

    def value(self, x: Features) -> float:
        return x.reach
