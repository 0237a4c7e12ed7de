"""Rate limits as token buckets, bounded in memory (pure: `now` is an argument)."""

from collections import OrderedDict

KEYS = 10_000
"""Who is silent longest is forgotten first; a forgotten one starts with a full bucket."""


class Rate:
    """`burst` at once, then `per_minute` on the long run, for each key."""

    def __init__(self, burst: int, per_minute: float) -> None:
        self.burst = burst
        self.per_second = per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, *, now: float) -> float:
        """Take one; return 0.0 if there was one, else the seconds to wait for the next."""
        left, at = self._buckets.pop(key, (float(self.burst), now))
        left = min(float(self.burst), left + max(0.0, now - at) * self.per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self.per_second
        self._buckets[key] = (left - 1 if wait == 0.0 else left, now)
        while len(self._buckets) > KEYS:
            self._buckets.popitem(last=False)
        return wait
