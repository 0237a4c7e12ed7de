"""Rows of a CSV or JSON-lines file with the offset behind each, so that reading can resume there.

A broken row costs itself and nothing else: a stray quote would swallow the rows behind it, so a
bad row of several lines is given up for its first line only, and reading goes on at the second.
"""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from connectors.sources.tabular.mapping import Values

MAX_ROW_BYTES = 8 * 1024 * 1024
"""Longer rows are broken: no source has such texts, and they must not fill the memory."""

BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """One row: its values, or what is wrong with it."""

    values: Values | None
    end: int
    """Offset in bytes after the row."""
    line: int
    """Line of its beginning, from 1."""
    next_line: int
    raw: bytes
    problem: str = ""


class Rows(Protocol):
    """A file's rows in order, from an offset on."""

    header: Sequence[str]

    def next(self) -> Row | None:
        """Return the next row; None at the end (in a file that still grows: for now)."""
        ...

    def restart(self, offset: int, line: int) -> None:
        """Go on at another place, after the file was moved there."""
        ...


class Lines:
    """Lines of a binary file with their offsets; `complete_only` holds back an unfinished last."""

    def __init__(self, file: BinaryIO, *, offset: int, line: int, complete_only: bool) -> None:
        self._file = file
        self._complete_only = complete_only
        self._pushed: deque[bytes] = deque()
        self._partial = b""
        self.offset = offset
        self.line = line

    def read(self) -> bytes:
        """Return the next line with its end; b"" at the end."""
        if self._pushed:
            raw = self._pushed.popleft()
        else:
            raw = self._partial + self._file.readline(MAX_ROW_BYTES - len(self._partial))
            self._partial = b""
            if self._complete_only and not raw.endswith(b"\n") and len(raw) < MAX_ROW_BYTES:
                self._partial = raw
                return b""
        self.offset += len(raw)
        self.line += 1 if raw.endswith(b"\n") else 0
        return raw

    def row(self, values: Values, number: int, raw: bytes) -> Row:
        """Return a row that ends where this stands."""
        return Row(values, self.offset, number, self.line, raw)

    def broken(self, number: int, raw: bytes, problem: str) -> Row:
        """Return a broken row that ends where this stands."""
        return Row(None, self.offset, number, self.line, raw, problem)

    def push_back(self, lines: Sequence[bytes]) -> None:
        """Give lines back; they come again."""
        self._pushed.extendleft(reversed(lines))
        self.offset -= sum(map(len, lines))
        self.line -= sum(raw.endswith(b"\n") for raw in lines)

    def restart(self, offset: int, line: int) -> None:
        """Forget what was held back; the file stands at `offset` now."""
        self._pushed.clear()
        self._partial = b""
        self.offset, self.line = offset, line

    def skip_rest(self) -> int:
        """Skip the rest of a line that was too long; return the bytes skipped."""
        skipped = 0
        while raw := self._file.readline(1 << 20):
            skipped += len(raw)
            if raw.endswith(b"\n"):
                self.line += 1
                break
        self.offset += skipped
        return skipped


class JsonRows:
    """One JSON object a line."""

    def __init__(self, lines: Lines, header: Sequence[str]) -> None:
        self.header = header
        self._lines = lines

    def restart(self, offset: int, line: int) -> None:
        """Go on at another place."""
        self._lines.restart(offset, line)

    def next(self) -> Row | None:
        """Return the next object; empty lines are skipped."""
        while True:
            number = self._lines.line
            raw = self._lines.read()
            if not raw:
                return None
            if len(raw) >= MAX_ROW_BYTES and not raw.endswith(b"\n"):
                self._lines.skip_rest()
                return Row(
                    None, self._lines.offset, number, self._lines.line, raw, "longer than 8 MiB"
                )
            if not raw.strip():
                continue
            try:
                values = msgspec.json.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as e:
                values = _lenient(raw)
                if values is None:
                    return Row(
                        None, self._lines.offset, number, self._lines.line, raw, f"no JSON: {e}"
                    )
            except RecursionError:
                return Row(
                    None, self._lines.offset, number, self._lines.line, raw, "nested too deeply"
                )
            if not isinstance(values, dict):
                problem = "no JSON object; one object a line is needed"
                return self._lines.broken(number, raw, problem)
            return self._lines.row(values, number, raw)


def _lenient(raw: bytes) -> object:
    """Read JSON whose strings hold invalid UTF-8; None if it is broken otherwise."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        try:
            found: object = msgspec.json.decode(raw.decode(errors="replace"))
        except (msgspec.DecodeError, RecursionError):
            return None
        return found
    return None


class CsvRows:
    """Comma-separated values with quotes (RFC 4180), strict enough to notice a stray quote."""

    def __init__(
        self, lines: Lines, header: Sequence[str], *, delimiter: str, encoding: str, growing: bool
    ) -> None:
        self.header = header
        self._lines = lines
        self._delimiter = delimiter
        self._encoding = encoding
        self._growing = growing
        self._taken: list[bytes] = []
        csv.field_size_limit(MAX_ROW_BYTES)
        self._reader = self._make()

    def restart(self, offset: int, line: int) -> None:
        """Go on at another place."""
        self._lines.restart(offset, line)
        self._reader = self._make()

    def next(self) -> Row | None:
        """Return the next row; empty lines are skipped."""
        while True:
            self._taken = []
            number = self._lines.line
            try:
                values = next(self._reader)
            except StopIteration:
                self._reader = self._make()
                return None
            except csv.Error as e:
                unfinished = "unexpected end of data" in str(e)
                if self._growing and unfinished and sum(map(len, self._taken)) < MAX_ROW_BYTES:
                    self._lines.push_back(self._taken)
                    self._reader = self._make()
                    return None
                return self._give_up(number, str(e))
            if len(values) == len(self.header):
                found = dict(zip(self.header, values, strict=True))
                return Row(
                    found, self._lines.offset, number, self._lines.line, b"".join(self._taken)
                )
            if not values:
                continue
            return self._give_up(number, f"{len(values)} columns instead of {len(self.header)}")

    def header_row(self) -> list[str]:
        """Return the next row as names; repeated and empty ones get their position."""
        try:
            names = next(self._reader)
        except (StopIteration, csv.Error):
            return []
        seen: dict[str, None] = {}
        for n, name in enumerate(names):
            plain = name.strip() or f"column{n + 1}"
            seen[plain if plain not in seen else f"{plain}_{n + 1}"] = None
        return list(seen)

    def _give_up(self, number: int, problem: str) -> Row:
        first, *rest = self._taken
        self._lines.push_back(rest)
        if len(first) >= MAX_ROW_BYTES and not first.endswith(b"\n"):
            self._lines.skip_rest()
            problem = "longer than 8 MiB"
        self._reader = self._make()
        return self._lines.broken(number, first, problem)

    def _make(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), delimiter=self._delimiter, strict=True)

    def _texts(self) -> Iterator[str]:
        taken = 0
        while raw := self._lines.read():
            self._taken.append(raw)
            taken = len(raw) if len(self._taken) == 1 else taken + len(raw)
            if taken >= MAX_ROW_BYTES:
                raise csv.Error("longer than 8 MiB: a quote that is never closed?")
            # surrogateescape: the door replaces what is no text and counts it as repaired
            yield raw.decode(self._encoding, "surrogateescape")
