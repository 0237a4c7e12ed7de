"""`file`: CSV and JSON lines from disk: backfill, replay at any speed, or follow as it grows.

What it sees: the rows of one file. Files need not be sorted: one whose rows go back in time by
more than `lateness_s` is read in the order of time (by an index in memory). gzip and zstd are
read as they are.
"""

import logging
import os
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, field_validator

from connectors.contract import BadItem, Context, Fatal, Item, Page, SourceSettings
from connectors.ingest.door import FUTURE_SKEW, OLDEST
from connectors.sources.tabular import mapping
from connectors.sources.tabular.mapping import Broken, Columns
from connectors.sources.tabular.opening import Format, Table, open_table
from connectors.sources.tabular.pace import Pace
from connectors.sources.tabular.reading import Cursor, Reading, Spot, by_time, goes_back, rows_of
from connectors.sources.tabular.rows import Row
from connectors.sources.tabular.times import parser
from streams.settings import Name

logger = logging.getLogger(__name__)


class FileSettings(SourceSettings):
    """`type = "file"`."""

    type: Literal["file"] = "file"
    run: Name = "replay"
    path: Path
    format: Format = "auto"
    columns: dict[mapping.Field, str] = Field(default_factory=dict)
    """Column (or dotted JSON path) by field: id, time, text, author, brand, channel, url, ..."""
    brand: Name | None = None
    """All rows are about this brand; no matching then."""
    channels: tuple[Name, ...] = ()
    """The closed set of values of the channel column; others count as the source's own."""
    time_format: str = "auto"
    """auto (ISO 8601, epoch), epoch, or a strptime format."""
    time_zone: str | None = None
    """Zone of times that name none; without it they become dead letters."""
    encoding: str = "utf-8"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    order: Literal["auto", "as_is", "time"] = "auto"
    """time: read by time, whatever the order of rows; auto: only if the file needs it."""
    follow: bool = False
    """Wait for more at the end, like `tail -f`; use `run = "live"` then."""
    speed: float = Field(default=0.0, ge=0)
    """1 plays as it happened, 60 a minute in a second; 0 as fast as possible."""
    fast_until: AwareDatetime | None = None
    """As fast as possible until this time of the file, `speed` from there."""
    poll_s: float = Field(default=0.25, ge=0.05, le=86_400)
    lateness_s: float = Field(default=0.0, ge=0, le=86_400)
    page_items: int = Field(default=1000, ge=1, le=10_000)
    page_minutes: float = Field(default=30.0, gt=0)
    """A page spans no more of the file's time, so that minutes close in order."""

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        try:
            return value if value is None else ZoneInfo(value).key
        except (KeyError, ValueError, OSError) as e:
            raise ValueError(f"no time zone {value!r}; write Asia/Jakarta") from e

    @field_validator("encoding")
    @classmethod
    def _ascii_based(cls, value: str) -> str:
        try:
            plain = "a,\n".encode(value) == b"a,\n"
        except LookupError as e:
            raise ValueError(f"unknown encoding {value!r}; try utf-8 or cp1252") from e
        if not plain:
            raise ValueError(f"{value} does not hold ASCII as it is: save the file as UTF-8")
        return value


class OutOfOrder(Fatal):
    """A compressed file whose rows go back in time: only what can seek is read by time."""


class FileConnector:
    """Reads a file page by page; the cursor is an offset (or an index, in the order of time)."""

    Settings: ClassVar[type[SourceSettings]] = FileSettings

    def __init__(self, settings: FileSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._parse = parser(settings.time_format, settings.time_zone)
        self._channels = frozenset(settings.channels)
        self._columns: Columns | None = None
        self._reading: Reading | None = None
        self._held: tuple[Row, Item | BadItem] | None = None
        """Taken and not yet due."""
        self._pace = self._new_pace()

    async def fetch(self, cursor: str | None) -> Page:
        """Return the rows that are due."""
        wanted = Cursor.decode(cursor)
        if self._reading is None or wanted != self._reading.cursor:
            try:
                self._reading = self._open(wanted)
            except (OSError, EOFError, zlib.error) as e:
                raise Fatal(f"{self._settings.path} is damaged: {e}") from e
        if self._reading is None:
            return self._at_end(cursor)
        return self._page(self._reading, cursor)

    def read_ratio(self) -> float:
        """How much of the file has been read, 0..1; a guess for a compressed one."""
        if self._reading is None:
            return 0.0
        return self._reading.ratio(self._settings.path.stat().st_size)

    def cursor_at(self, time: datetime) -> str | None:
        """Return the cursor before the first row of a time or later (the end if there is none)."""
        reading = self._open(None)
        if reading is None:
            return None  # nothing there so far: all that comes is later
        table = reading.table
        found = reading.before(time.timestamp())
        if found is None:
            found = Cursor(table.fingerprint, table.body, table.first_line)
            for row in rows_of(table):
                item = self._item(row)
                if isinstance(item, Item) and self._is_plausible(item.published_at):
                    if _aware(item.published_at) >= time:
                        break
                    found = Cursor(table.fingerprint, row.end, row.next_line)
        table.file.close()
        return found.encode()

    async def close(self) -> None:
        """Close the file."""
        if self._reading is not None:
            self._reading.table.file.close()
            self._reading = None

    def _new_pace(self) -> Pace:
        settings = self._settings
        return Pace(settings.speed, fast_until=settings.fast_until, live=settings.follow)

    def _open(self, wanted: Cursor | None) -> Reading | None:
        settings = self._settings
        self._held, self._pace = None, self._new_pace()
        table = self._opened()
        if table is not None and wanted is not None and not self._fits(table, wanted):
            logger.warning(
                "source %s: %s is another file than before; reading it from its start",
                self._context.name,
                settings.path,
            )
            wanted = None
        if table is None:
            return None
        columns = Columns(settings.columns, table.rows.header)
        if missing := columns.missing(table.rows.header):
            nested = [m for m in missing if "." not in m]
            if nested and table.rows.header:
                table.file.close()
                raise Fatal(
                    f"{settings.path} has no {', no '.join(nested)}; it has: "
                    f"{', '.join(table.rows.header)[:500]}. Map them: columns = {{text = '...'}}"
                )
        self._columns = columns
        sorts = settings.order == "time"
        if settings.order == "auto" and not settings.follow:
            sorts = wanted.index is not None if wanted else self._goes_back(table)
        table.file.close()
        spots = None
        if sorts:
            spots = self._index()
            wanted = wanted or Cursor(table.fingerprint, index=0)
        table = self._opened(wanted)
        return Reading(table, wanted, spots) if table is not None else None

    def _opened(self, at: Cursor | None = None) -> Table | None:
        settings = self._settings
        plain = at is not None and at.index is None
        return open_table(
            settings.path,
            form=settings.format,
            delimiter=settings.delimiter,
            encoding=settings.encoding,
            growing=settings.follow,
            offset=at.offset if at and plain else None,
            line=at.line if at and plain else 1,
        )

    def _fits(self, table: Table, wanted: Cursor) -> bool:
        if wanted.fingerprint != table.fingerprint:
            return False
        return not table.seekable or wanted.offset <= self._settings.path.stat().st_size

    def _goes_back(self, table: Table) -> bool:
        return goes_back(table, self._time_s, lateness_s=self._settings.lateness_s)

    def _index(self) -> list[Spot]:
        table = self._opened()
        if table is None:
            return []
        try:
            if not table.seekable:
                raise OutOfOrder(
                    f"{self._settings.path} is compressed and not in the order of time: "
                    "unpack it, or set order = 'as_is' with a lateness_s that covers it"
                )
            return by_time(table, self._time_s)
        finally:
            table.file.close()

    def _page(self, reading: Reading, cursor: str | None) -> Page:
        settings, pace = self._settings, self._pace
        items: list[Item | BadItem] = []
        first: datetime | None = None
        span = timedelta(minutes=settings.page_minutes)
        waits = ended = False
        while len(items) < settings.page_items:
            try:
                taken = self._held or self._take(reading)
            except (OSError, EOFError, zlib.error) as e:
                if items:
                    break  # what was read is published first
                raise Fatal(
                    f"{settings.path} is damaged behind {cursor or 'its start'}: {e}"
                ) from e
            if taken is None:
                ended = True
                break
            row, item = taken
            if isinstance(item, Item) and self._is_plausible(item.published_at):
                time = _aware(item.published_at)
                if waits := not pace.is_due(time, now=self._context.now()):
                    self._held = taken
                    break
                first = first or time
                if time - first > span:
                    self._held = taken
                    break
                pace.saw(time)
            self._held = None
            items.append(item)
            reading.move(row)
        if items and reading.cursor is not None:
            cursor = reading.cursor.encode()
        if ended and not items:
            return self._at_end(cursor)
        clock = pace.clock(now=self._context.now())
        watermark = clock - timedelta(seconds=settings.lateness_s) if clock else None
        more = not waits and not (ended and settings.follow)
        return Page(tuple(items), cursor, more=more, watermark=watermark, clock=clock)

    def _take(self, reading: Reading) -> tuple[Row, Item | BadItem] | None:
        row = reading.next()
        return (row, self._item(row)) if row is not None else None

    def _item(self, row: Row) -> Item | BadItem:
        origin = f"{self._settings.path.name}:{row.line}"
        if row.values is None or self._columns is None:
            return BadItem("broken_row", row.problem, origin, row.raw)
        found = self._columns.item(
            row.values,
            # Stable for one file; the fingerprint parts files that one source reads in turn.
            native_id=f"row-{row.end}",
            parse_time=self._parse,
            brand=self._settings.brand or "",
            channels=self._channels,
        )
        if isinstance(found, Broken):
            return BadItem(found.reason, found.detail, origin, row.raw)
        return found

    def _time_s(self, row: Row) -> float | None:
        """Epoch seconds of a row's time; None if it has none that may move the clock."""
        if row.values is None or self._columns is None:
            return None
        time = self._columns.time(row.values, self._parse)
        if isinstance(time, Broken) or not self._is_plausible(time):
            return None
        return _aware(time).timestamp()

    def _is_plausible(self, time: datetime) -> bool:
        """Whether a row's time may move the clock: one 1970 or 2099 must not close whole years."""
        return OLDEST <= _aware(time) <= self._context.now() + FUTURE_SKEW

    def _was_replaced(self, reading: Reading) -> bool:
        """Whether the path leads to another file now (a rotated log), or to a shorter one."""
        table, cursor = reading.table, reading.cursor
        try:
            now = self._settings.path.stat()
        except FileNotFoundError:
            return False  # moved away; the next one will come
        then = os.fstat(table.file.fileno())
        shorter = cursor is not None and table.seekable and now.st_size < cursor.offset
        return (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino) or shorter

    def _at_end(self, cursor: str | None) -> Page:
        if self._settings.follow:
            if self._reading is not None and self._was_replaced(self._reading):
                self._reading.table.file.close()
                self._reading = None
                return Page((), None, more=True)
            return Page((), cursor)
        return Page((), cursor, ended=True, watermark=self._pace.seen, clock=self._pace.seen)


def _aware(time: datetime) -> datetime:
    # A naive time becomes a dead letter at the door; here it only has to have a place.
    return time if time.tzinfo else time.replace(tzinfo=UTC)
