"""A table read from a place on, as its rows lie or in the order of time, and where it stands."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

import msgspec

from connectors.contract import Fatal
from connectors.sources.tabular.opening import Table
from connectors.sources.tabular.rows import Row

TimeOf = Callable[[Row], float | None]
"""Epoch seconds of a row; None if it has no time that may move the clock."""


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where to read on."""

    fingerprint: str
    offset: int = 0
    line: int = 2
    index: int | None = None
    """In the order of time: how many rows were read."""

    def encode(self) -> str:
        """As a connector's cursor; `decode` gives back an equal one."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def decode(cursor: str | None) -> "Cursor | None":
        """The place that a connector's cursor names; None: the start.

        Raises
        ------
        Fatal
            If it is another connector's.
        """
        if cursor is None:
            return None
        try:
            return msgspec.json.decode(cursor, type=Cursor)
        except msgspec.DecodeError as e:
            raise Fatal("the saved cursor is not of a file: siaga connector reset NAME") from e


class Spot(NamedTuple):
    """A row of a table that is read in the order of time."""

    time_s: float
    offset: int
    line: int


def rows_of(table: Table) -> Iterator[Row]:
    """All rows from where the table stands."""
    while (row := table.rows.next()) is not None:
        yield row


def goes_back(table: Table, time_of: TimeOf, *, lateness_s: float) -> bool:
    """Whether a row is older than one before it by more than the allowed lateness."""
    latest = float("-inf")
    for row in rows_of(table):
        time_s = time_of(row)
        if time_s is not None:
            if time_s < latest - lateness_s:
                return True
            latest = max(latest, time_s)
    return False


def by_time(table: Table, time_of: TimeOf) -> list[Spot]:
    """All rows of a table in the order of time: an index in memory."""
    spots: list[Spot] = []
    start, time_s = table.body, float("-inf")
    for row in rows_of(table):
        # A row without a sensible time keeps the place of the row before it.
        time_s = time_of(row) or time_s
        spots.append(Spot(time_s, start, row.line))
        start = row.end
    return sorted(spots)


class Reading:
    """An open table that is read on from its cursor.

    Parameters
    ----------
    table
        Opened at the cursor.
    cursor
        None: at its start.
    spots
        Its rows in the order of time; None: as they lie.
    """

    def __init__(self, table: Table, cursor: Cursor | None, spots: list[Spot] | None) -> None:
        self.table = table
        self.cursor = cursor
        self._spots = spots

    def next(self) -> Row | None:
        """Return the next row (in the order of time the same one until `move`), None at the end."""
        if self._spots is not None:
            index = self._index
            if index >= len(self._spots):
                return None
            _, offset, line = self._spots[index]
            self.table.file.seek(offset)
            self.table.rows.restart(offset, line)
        return self.table.rows.next()

    def move(self, row: Row) -> None:
        """Stand behind a row."""
        if self._spots is None:
            self.cursor = Cursor(self.table.fingerprint, row.end, row.next_line)
        else:
            self.cursor = Cursor(self.table.fingerprint, index=self._index + 1)

    def before(self, time_s: float) -> Cursor | None:
        """The place before the first row of a time or later; None if the rows lie as they lie."""
        if self._spots is None:
            return None
        index = bisect_left(self._spots, time_s, key=attrgetter("time_s"))
        return Cursor(self.table.fingerprint, index=index)

    def ratio(self, size_bytes: int) -> float:
        """How much has been read, 0..1; a guess for a compressed table."""
        if self.cursor is None:
            return 0.0
        if self._spots is not None:
            return self._index / max(len(self._spots), 1)
        return min(self.cursor.offset / max(size_bytes, 1), 1.0)

    @property
    def _index(self) -> int:
        return (self.cursor.index or 0) if self.cursor else 0
