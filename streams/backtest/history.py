"""What the backtest asks of whoever can read history: the entry point group `siaga.history`.

A reader turns files into the same batches and ticks that a source would have sent while it all
happened: one tick each minute of event time in which something was published.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple, Protocol

from streams.records import MentionsRecord
from streams.settings import BrandSettings

RUN = "backtest"


@dataclass(frozen=True)
class Request:
    """Which history, and what its columns mean.

    Attributes
    ----------
    brands
        Configured brands; empty: those that the brand column names, or one named after the file.
    columns
        Column by field, as `siaga replay` maps them.
    """

    files: Sequence[Path]
    brands: Mapping[str, BrandSettings] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    time_format: str = "auto"
    form: str = "auto"


@dataclass
class Tally:
    """What became of the rows so far."""

    rows: int = 0
    mentions: int = 0
    dead: int = 0
    """Rows that could not become mentions."""
    unmatched: int = 0
    done_ratio: float = 0.0
    """How much of the files has been read, 0..1."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Dead rows by reason."""

    def bury(self, reason: str) -> None:
        """Count a row that could not become a mention."""
        self.dead += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def why(self) -> str:
        """The reasons, the most frequent first.

        >>> Tally(reasons={"empty_text": 2, "broken_row": 7}).why()
        'broken_row 7, empty_text 2'
        """
        by_count = sorted(self.reasons.items(), key=lambda r: (-r[1], r[0]))
        return ", ".join(f"{reason} {count:,}" for reason, count in by_count)


class History(NamedTuple):
    """An opened history; `tally` moves on while `records` is consumed."""

    brands: Mapping[str, BrandSettings]
    records: Iterator[MentionsRecord]
    tally: Tally


class CannotRead(Exception):
    """The files cannot be read; the message says why and what to do."""


class Reader(Protocol):
    """An entry point of `siaga.history`."""

    def __call__(self, request: Request) -> History: ...


def open_history(request: Request) -> History:
    """Open files with the installed reader.

    Raises
    ------
    CannotRead
        If no package offers a reader, or the files are not readable.
    """
    for point in sorted(entry_points(group="siaga.history"), key=lambda p: p.name):
        reader: Reader = point.load()
        return reader(request)
    msg = "no installed package reads history (entry point group siaga.history)"
    raise CannotRead(msg)
