"""The contract between detectors and the rest: what one signal says about one minute."""

import msgspec


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a signal observed, what its own history led it to expect, and how surprising that is.

    Attributes
    ----------
    signal
        Name from the closed set of `detectors.anomaly.bank.SIGNALS`, e.g. "volume".
    observed
        The value of the minute (mentions per minute, share 0..1, ...).
    expected
        Mean under the series' own history; None while nothing is known.
    upper
        The value from which this minute would score 3 (once in a thousand minutes), given the
        minutes before it; None as above. 0 when those alone reach it.
    score
        -log10 P(X >= observed) under the series' own history: 3 means once in a thousand minutes.
        None while warming up ("unknown is not zero").
    warming
        True until the detector has seen enough to be believed.
    window_s
        Seconds of the window that carries the score: 60 is this minute alone, 3600 the last hour.
    """

    signal: str
    observed: float
    expected: float | None = None
    upper: float | None = None
    score: float | None = None
    warming: bool = False
    window_s: int = 60
