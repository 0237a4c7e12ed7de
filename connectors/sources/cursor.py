"""Cursors that forgive: what cannot be read is the start, since repeats are dropped by id."""

from typing import Self

import msgspec


class LenientCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a connector keeps from page to page: fields with defaults that stand for the start.

    >>> class Place(LenientCursor, frozen=True):
    ...     since_ms: int = 0
    >>> Place.read(Place(since_ms=5).written())
    Place(since_ms=5)
    >>> Place.read(None), Place.read("of another source")
    (Place(since_ms=0), Place(since_ms=0))
    """

    @classmethod
    def read(cls, cursor: str | None) -> Self:
        """Read what `written` has given."""
        if not cursor:
            return cls()
        try:
            return msgspec.json.decode(cursor, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return cls()

    def written(self) -> str:
        """As the text of a page's cursor."""
        return msgspec.json.encode(self).decode()
