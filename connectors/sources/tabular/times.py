"""Times as exports write them: ISO 8601, epoch seconds or milliseconds, mail, strptime."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

_NUMBER = re.compile(r"-?\d{1,19}(?:\.\d+)?$")
_TWITTER = "%a %b %d %H:%M:%S %z %Y"
"""As in "Tue Feb 17 07:36:05 +0000 2015": always with its zone."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MILLISECONDS_FROM = 1e11
"""Numbers above are milliseconds: as seconds they would lie beyond the year 5138."""

MICROSECONDS_FROM = 1e14
"""Numbers above are microseconds, by the same reasoning."""


def epoch(value: float) -> datetime:
    """Return the time of an epoch number; its size tells seconds from milli- and microseconds.

    Raises
    ------
    ValueError, OverflowError
        If it is no time between the years 1 and 9999.

    Examples
    --------
    >>> epoch(1_700_000_000) == epoch(1_700_000_000_000) == epoch(1_700_000_000_000_000)
    True
    """
    if abs(value) >= MICROSECONDS_FROM:
        value /= 1e6
    elif abs(value) >= MILLISECONDS_FROM:
        value /= 1e3
    # Not fromtimestamp, which raises OSError as well for what lies beyond its years.
    return EPOCH + timedelta(seconds=value)


def _auto(text: str) -> datetime:
    if _NUMBER.match(text):
        return epoch(float(text))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.strptime(text, _TWITTER)  # noqa: DTZ007  # the format holds %z
    except ValueError:
        return parsedate_to_datetime(text)


def parser(form: str = "auto", zone: str | None = None) -> Callable[[str], datetime]:
    """Return a function from text to a time, in UTC if its zone is known.

    Parameters
    ----------
    form
        "auto", "epoch" or a strptime format.
    zone
        Zone of times that name none; None leaves them naive (the door makes dead letters).

    Returns
    -------
    callable
        Raises ValueError for what it cannot read.

    Examples
    --------
    >>> parser(zone="Asia/Jakarta")("2025-01-01 07:00").isoformat()
    '2025-01-01T00:00:00+00:00'
    """
    place = ZoneInfo(zone) if zone else None

    def parse(text: str) -> datetime:
        try:
            if form == "auto":
                time = _auto(text.strip())
            elif form == "epoch":
                time = epoch(float(text))
            else:
                time = datetime.strptime(text.strip(), form)  # noqa: DTZ007  # zoned below
            if time.tzinfo is None:
                if place is None:
                    return time
                time = time.replace(tzinfo=place)
            return time.astimezone(UTC)
        except (ValueError, OverflowError, OSError, TypeError, IndexError) as e:
            raise ValueError(f"{text[:60]!r} is no time that I can read") from e

    return parse
