"""When to ask again: back-off with jitter, Retry-After, rate budgets. Pure: time is an argument."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRY_AFTER_MAX_S = 3600.0
"""A server that asks for more is asked again after an hour all the same: it may have recovered."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015).

    A floor of a tenth keeps the jitter from hammering a source with near-zero waits.
    """

    base_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 300.0

    def wait_s(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after that many failures in a row (1 is the first)."""
        ceiling = min(self.cap_s, self.base_s * self.factor ** min(failures - 1, 64))
        return rng.uniform(ceiling / 10, ceiling)


def jittered(interval_s: float, rng: random.Random) -> float:
    """A poll interval with ±10 %, so that many sources do not ask in step."""
    return interval_s * rng.uniform(0.9, 1.1)


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date (RFC 9110, 10.2.3).

    Returns
    -------
    float or None
        Seconds from `now`, in 0..3600; None if the header is missing or cannot be read.

    Examples
    --------
    >>> retry_after_s("120", now=datetime(2025, 1, 1, tzinfo=UTC))
    120.0
    >>> retry_after_s("Wed, 01 Jan 2025 00:00:30 GMT", now=datetime(2025, 1, 1, tzinfo=UTC))
    30.0
    """
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # Longer numbers than this are nonsense, and int() refuses very long ones.
        return min(float(text), RETRY_AFTER_MAX_S) if len(text) <= 12 else RETRY_AFTER_MAX_S
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), RETRY_AFTER_MAX_S)


def limited_for_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """How long a source's rate-limit headers ask us to wait before the next request.

    Reads Retry-After, then `X-RateLimit-Remaining` with `X-RateLimit-Reset` and their unprefixed
    forms (reset as epoch seconds, seconds to go, or an ISO time).
    """
    lowered = {k.lower(): v for k, v in headers.items()}
    asked = retry_after_s(lowered.get("retry-after"), now=now)
    if asked is not None:
        return asked
    for prefix in ("x-ratelimit-", "ratelimit-"):
        if lowered.get(prefix + "remaining", "").strip() == "0":
            return _reset_s(lowered.get(prefix + "reset", ""), now)
    return None


def _reset_s(value: str, now: datetime) -> float | None:
    try:
        number = float(value)
        wait = number - now.timestamp() if number > 1e9 else number
    except ValueError:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return None
        wait = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    return min(max(wait, 0.0), RETRY_AFTER_MAX_S) if wait == wait else None  # not NaN


class Budget:
    """A token bucket: at most `per_window` units in any window on average, saved up to one window.

    Parameters
    ----------
    per_window
        Units (requests, quota points) granted per window.
    window_s
        Length of the window in seconds.
    """

    def __init__(self, per_window: float, window_s: float) -> None:
        self.per_window = per_window
        self.window_s = window_s
        self._left = per_window
        self._at: float | None = None

    def wait_s(self, units: float, *, now: float) -> float:
        """Take units and return 0, or take nothing and return the seconds until they are there."""
        left = self.left(now=now)
        if units <= left:
            self._left = left - units
            return 0.0
        return (units - left) * self.window_s / self.per_window

    def left(self, *, now: float) -> float:
        """Units that can be taken now."""
        if self._at is not None:
            grown = max(0.0, now - self._at) * self.per_window / self.window_s
            self._left = min(self.per_window, self._left + grown)
        self._at = now
        return self._left
