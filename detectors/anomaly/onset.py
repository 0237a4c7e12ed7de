"""The onset gate: pass a score on only where something begins."""


class OnsetGate:
    """Passes a score that is clearly above a fading memory of the highest one; 0 otherwise.

    People are told that something begins, not that it goes on. Constant memory: one number.

    Parameters
    ----------
    margin
        A new high is one that is higher by this much: 0.3 is half as likely again.
    fade_per_hour
        The remembered high sinks by so much an hour: an event that scored 5 no longer hides one
        that scores 4 after seven hours.

    Examples
    --------
    >>> gate = OnsetGate()
    >>> [gate.one(score, start_s=60 * i) for i, score in enumerate((1.0, 3.0, 2.0, 3.1, 3.5))]
    [1.0, 3.0, 0.0, 0.0, 3.5]
    """

    def __init__(self, margin: float = 0.3, fade_per_hour: float = 0.07) -> None:
        self.margin = margin
        self.fade_per_s = fade_per_hour / 3600.0
        self.high = -margin
        self.at_s = 0

    def one(self, score: float, *, start_s: int) -> float:
        """Return `score` if it is an onset, else 0; times must not go back."""
        faded = self.high - self.fade_per_s * (start_s - self.at_s)
        self.at_s = start_s
        self.high = max(faded, -self.margin, score)
        return score if score > faded + self.margin else 0.0
