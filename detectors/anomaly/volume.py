"""Signal "volume": how many mentions."""

from detectors.anomaly.counts import CountDetector
from detectors.anomaly.features import Features


class Volume(CountDetector):
    """-log10 P(at least so many mentions) under the series' own history.

    Examples
    --------
    >>> import random
    >>> rng, volume = random.Random(7), Volume()
    >>> for _ in range(3 * 1440):
    ...     volume.learn_one({"mentions": sum(rng.random() < 0.1 for _ in range(100))})
    >>> volume.score_one({"mentions": 10}) < 1.0
    True
    >>> volume.score_one({"mentions": 40}) > 5.0
    True
    """

    signal = "volume"

    def value(self, x: Features) -> float:
        return x.mentions
