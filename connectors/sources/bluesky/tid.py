"""TIDs: ids that carry the microsecond in which they were made.

https://atproto.com/specs/tid: 13 characters of base32-sortable; 53 bits of microseconds since
1970, then 10 bits of a clock's number.
"""

from datetime import UTC, datetime, timedelta

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_VALUE = {c: n for n, c in enumerate(_ALPHABET)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LENGTH = 13

PLAUSIBLE_US = range(1_640_995_200_000_000, 7_258_118_400_000_000)
"""2022 (before the network was open) to 2200: outside it a key only looks like a TID."""


def micros(tid: str) -> int | None:
    """Return the microseconds since 1970 of a TID; None if it is none.

    >>> micros("3l3qo2vuowo2b"), micros("self")
    (1725911162246036, None)
    """
    if len(tid) != LENGTH:
        return None
    value = 0
    for c in tid:
        digit = _VALUE.get(c)
        if digit is None:
            return None
        value = value << 5 | digit
    us = value >> 10
    return us if us in PLAUSIBLE_US else None


def tid(us: int, clock: int = 0) -> str:
    """Return the TID of a microsecond.

    >>> micros(tid(1725911162246036))
    1725911162246036
    """
    value = us << 10 | clock
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(60, -1, -5))


def at(us: int) -> datetime:
    """Return the time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)
