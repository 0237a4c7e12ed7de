"""Planned events that people announce: a campaign looks like a surge, because it is one."""

from collections.abc import Iterable

import msgspec

EVERY_BRAND = "*"


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """A planned event: `siaga event add` writes one.

    While it runs, volume, reach and authors raise nothing; complaints need more evidence and have
    to be the larger part of the surge; security words count as ever.
    """

    id: str
    brand: str
    """Name of the brand, or "*" for all (a platform's planned outage)."""
    start_s: int
    end_s: int
    kind: str = "campaign"
    """campaign | outage | other"""
    title: str = ""

    def covers(self, brand: str, minute_s: int) -> bool:
        """Whether it runs for that brand in the minute that starts at `minute_s`."""
        return self.brand in (brand, EVERY_BRAND) and self.start_s <= minute_s < self.end_s


def is_announced(events: Iterable[Announced], brand: str, minute_s: int) -> bool:
    """Whether any event runs for a brand in a minute.

    >>> sale = Announced(id="sale", brand="kopi", start_s=600, end_s=1200)
    >>> is_announced([sale], "kopi", 600), is_announced([sale], "teh", 600)
    (True, False)
    >>> is_announced([sale], "kopi", 1200)
    False
    """
    return any(event.covers(brand, minute_s) for event in events)
