"""Signal "authors": how many different people speak."""

from detectors.anomaly.counts import CountDetector
from detectors.anomaly.features import Features


class Authors(CountDetector):
    """-log10 P(at least so many distinct authors): many voices are worse than one loud one.

    Examples
    --------
    >>> authors = Authors()
    >>> for i in range(2 * 1440):
    ...     authors.learn_one({"mentions": 5, "authors": 2 + i % 3})
    >>> authors.score_one({"mentions": 25, "authors": 25}) > 3.0
    True
    """

    signal = "authors"

    def value(self, x: Features) -> float:
        return x.authors
