"""The daily quota of the YouTube Data API; pure: time is an argument.

https://developers.google.com/youtube/v3/determine_quota_cost: 10,000 units a day by default, of
which `commentThreads.list` and `comments.list` cost 1 a call; `search.list` has 100 calls a day of
its own; invalid requests cost, too; the day ends at midnight Pacific time.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

PACIFIC = ZoneInfo("America/Los_Angeles")

AHEAD = 0.05
"""Share of the day's units that may be spent before their time, so that a start is not slow."""


class Spent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one Pacific day has cost so far."""

    day: str = ""
    units: int = 0
    searches: int = 0

    def on(self, now: datetime) -> "Spent":
        """Return itself, or a new day's."""
        day = now.astimezone(PACIFIC).date().isoformat()
        return self if self.day == day else Spent(day)

    def plus(self, *, units: int = 0, searches: int = 0) -> "Spent":
        """Return what it is after a call."""
        return Spent(self.day, self.units + units, self.searches + searches)

    def or_more(self, other: "Spent") -> "Spent":
        """Return the larger of two counts of one day; the later day wins."""
        if self.day != other.day:
            return max(self, other, key=lambda s: s.day)
        return Spent(self.day, max(self.units, other.units), max(self.searches, other.searches))


def midnight(now: datetime) -> datetime:
    """Return when the current Pacific day ends.

    >>> from datetime import UTC
    >>> midnight(datetime(2025, 7, 1, 6, 30, tzinfo=UTC)).astimezone(UTC).isoformat()
    '2025-07-01T07:00:00+00:00'
    """
    there = now.astimezone(PACIFIC)
    return datetime.combine(there.date() + timedelta(days=1), datetime.min.time(), PACIFIC)


def until_midnight_s(now: datetime) -> float:
    """Return the seconds until the quota is new."""
    return max((midnight(now) - now).total_seconds(), 0.0)


def granted(budget: int, now: datetime) -> int:
    """Return how much of a day's budget may be spent by now, so that it lasts until midnight."""
    elapsed = min(max(1 - until_midnight_s(now) / 86_400, 0.0), 1.0)
    return max(int(budget * (AHEAD + (1 - AHEAD) * elapsed)), 1)
