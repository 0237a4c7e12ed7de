"""When the rows of a file are due: at once, or as fast as they happened. Pure: now is given."""

from datetime import datetime


class Pace:
    """A replay's own clock.

    Parameters
    ----------
    speed
        1 plays as it happened, 60 a minute in a second; 0 as fast as possible.
    fast_until
        As fast as possible until this time of the file, `speed` from there.
    live
        The file grows: its clock is everybody's.
    """

    def __init__(self, speed: float, *, fast_until: datetime | None, live: bool) -> None:
        self._speed = speed
        self._fast_until = fast_until
        self._live = live
        self._anchor: tuple[datetime, datetime] | None = None
        self.seen: datetime | None = None
        """The latest time of a row that was given out."""

    def saw(self, time: datetime) -> None:
        """Note a row that is given out."""
        self.seen = max(time, self.seen or time)

    def is_due(self, time: datetime, *, now: datetime) -> bool:
        """Whether a row of this time may be given out."""
        if self._speed == 0 or (self._fast_until and time < self._fast_until):
            return True
        if self._anchor is None:
            begin = max(filter(None, (self._fast_until, self.seen)), default=time)
            self._anchor = (begin, now)
        clock = self.clock(now=now)
        return clock is None or time <= clock

    def clock(self, *, now: datetime) -> datetime | None:
        """Return the replay's now; None for a file that is followed as it grows."""
        if self._anchor is not None:
            event, wall = self._anchor
            return event + (now - wall) * self._speed
        return None if self._live else self.seen
