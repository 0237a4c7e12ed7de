"""Opens a table file: compression, format, delimiter and header found out, positioned to read."""

import gzip
import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast

import msgspec
import zstandard

from connectors.contract import Fatal
from connectors.sources.tabular.rows import BOM, CsvRows, JsonRows, Lines, Rows

Format = Literal["auto", "csv", "jsonl"]

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
HEADER_MAX_BYTES = 1 << 20
KEY_LINES = 50
"""Objects that are looked at to learn the keys of a JSON-lines file."""


class Table(NamedTuple):
    """An open file."""

    file: BinaryIO
    rows: Rows
    fingerprint: str
    """Of the first line: another file under the same name must not be resumed in the middle."""
    body: int
    """Offset of the first row."""
    first_line: int
    """Its line, from 1."""
    seekable: bool


class _Unpacked(io.RawIOBase):
    """A zstd stream whose damage is an `OSError`, as gzip's is."""

    def __init__(self, reader: Any, damage: type[Exception]) -> None:
        self._reader = reader
        self._damage = damage

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._reader.readinto(buffer))
        except self._damage as e:
            raise OSError(f"damaged zstd: {e}") from e

    def close(self) -> None:
        self._reader.close()
        super().close()


def open_binary(path: Path) -> tuple[BinaryIO, bool]:
    """Open a plain, gzip or zstd file by its first bytes; return it and whether seeking is cheap.

    Raises
    ------
    Fatal
        If it is not there, may not be read, or needs an extra that is not installed.
    """
    try:
        file = path.open("rb")
        magic = file.read(4)
        file.seek(0)
    except FileNotFoundError as e:
        raise Fatal(f"no such file: {path}") from e
    except OSError as e:
        raise Fatal(f"{path} cannot be read: {e.strerror or e}") from e
    if magic.startswith(GZIP_MAGIC):
        return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb")), False
    if magic == ZSTD_MAGIC:
        reader = zstandard.ZstdDecompressor().stream_reader(
            file, read_across_frames=True, closefd=True
        )
        unpacked = _Unpacked(reader, zstandard.ZstdError)
        return cast("BinaryIO", io.BufferedReader(unpacked)), False
    return file, True


def open_table(
    path: Path,
    *,
    form: Format,
    delimiter: str | None,
    encoding: str,
    growing: bool,
    offset: int | None = None,
    line: int = 1,
) -> Table | None:
    """Open a table and stand before its first row, or at an offset of an earlier reading.

    Returns
    -------
    Table or None
        None if the file is empty so far.
    """
    file, seekable = open_binary(path)
    try:
        begin, begin_line, first = _first_line(file)
        if not first.strip() or (growing and not first.endswith(b"\n")):
            file.close()
            return None
        _refuse_utf16(path, first)
        fingerprint = hashlib.sha256(first).hexdigest()[:16]
        text = first.removeprefix(BOM)
        kind = form if form != "auto" else _guess(path, text)
        if kind == "jsonl":
            header = _keys(path, text, file)
            body, body_line = begin + len(first) - len(text), begin_line
        else:
            delimiter = delimiter or _delimiter(text.decode(encoding, "replace"))
            header = _header(text, delimiter, encoding)
            body, body_line = begin + len(first), begin_line + 1
        at = body if offset is None else offset
        if seekable:
            file.seek(at)
        else:
            file.close()
            file, _ = open_binary(path)
            _skip(file, at)
        lines = Lines(
            file, offset=at, line=body_line if offset is None else line, complete_only=growing
        )
        rows: Rows
        if kind == "jsonl":
            rows = JsonRows(lines, header)
        else:
            rows = CsvRows(
                lines, header, delimiter=delimiter or ",", encoding=encoding, growing=growing
            )
    except (OSError, EOFError) as e:
        file.close()
        raise Fatal(f"{path} cannot be read: {e}") from e
    except BaseException:
        file.close()
        raise
    return Table(file, rows, fingerprint, body, body_line, seekable)


def _skip(file: BinaryIO, count: int) -> None:
    """Read on to an offset of a stream that cannot seek."""
    while count > 0:
        read = len(file.read(min(count, 1 << 20)))
        if not read:
            return
        count -= read


def _refuse_utf16(path: Path, first: bytes) -> None:
    if first.startswith(UTF16_MARKS):
        raise Fatal(f"{path} is UTF-16: save it as UTF-8")


def _guess(path: Path, first: bytes) -> Format:
    names = [s.lower() for s in path.suffixes]
    if ".csv" in names or ".tsv" in names:
        return "csv"
    if first.lstrip().startswith(b"["):
        raise Fatal(f"{path} is one JSON array: one object a line is needed (jq -c '.[]')")
    return "jsonl" if first.lstrip().startswith(b"{") else "csv"


def _first_line(file: BinaryIO) -> tuple[int, int, bytes]:
    """Return the first line that is not blank, with its offset and number."""
    begin, number = 0, 1
    while first := file.readline(HEADER_MAX_BYTES):
        if first.removeprefix(BOM).strip():
            return begin, number, first
        begin, number = begin + len(first), number + 1
    return begin, number, b""


def _keys(path: Path, first: bytes, file: BinaryIO) -> list[str]:
    """Return the keys of the first objects; not every object has all of them."""
    found: dict[str, None] = {}
    for n, raw in enumerate((first, *(file.readline(HEADER_MAX_BYTES) for _ in range(KEY_LINES)))):
        try:
            values = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # a broken row says so when it is read
        if isinstance(values, dict):
            found |= dict.fromkeys(map(str, values))
        elif n == 0:
            raise Fatal(f"{path}: its first line is no JSON object")
    return list(found)


def _delimiter(header: str) -> str:
    """Return the most frequent of the usual delimiters."""
    return max((",", ";", "\t", "|"), key=header.count)


def _header(first: bytes, delimiter: str, encoding: str) -> list[str]:
    lines = Lines(io.BytesIO(first), offset=0, line=1, complete_only=False)
    wide = CsvRows(lines, (), delimiter=delimiter, encoding=encoding, growing=False)
    return wide.header_row()
