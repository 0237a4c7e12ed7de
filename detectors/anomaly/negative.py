"""Signal "negative": how much negative is said."""

from detectors.anomaly.counts import CountDetector
from detectors.anomaly.features import Features


class Negative(CountDetector):
    """-log10 P(at least so much negative mass) under the series' own history.

    Examples
    --------
    >>> negative = Negative()
    >>> for i in range(2 * 1440):
    ...     negative.learn_one({"mentions": 5, "negative": 1.0 + i % 3})
    >>> negative.score_one({"mentions": 25, "negative": 22.0}) > 3.0
    True
    """

    signal = "negative"

    def value(self, x: Features) -> float:
        return x.negative
