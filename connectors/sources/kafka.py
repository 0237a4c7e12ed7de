"""`kafka`: an existing topic of yours, one JSON object a record, fields by a mapping.

Read through the same client as our own log (kafka-python 3.0, `streams/log/kafka.py`) and without
a consumer group: positions live in our cursor, so that they move only with our own log.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec
from pydantic import Field

from connectors.contract import BadItem, Context, Fatal, Item, Page, Retryable, SourceSettings
from connectors.sources.tabular.mapping import Broken, Columns
from connectors.sources.tabular.mapping import Field as Mapped
from connectors.sources.tabular.times import parser
from streams.log.port import Log, LogRecord, Unavailable
from streams.settings import LogSettings, Name

SINCE = "since "
"""Begins a cursor that is a time in epoch milliseconds instead of offsets."""


class KafkaSettings(SourceSettings):
    """`type = "kafka"`."""

    type: Literal["kafka"] = "kafka"
    topic: str = Field(min_length=1, max_length=249)
    log: LogSettings = LogSettings(kind="kafka")
    """Where that Kafka is: bootstrap, security, as in `[log]`."""
    columns: dict[Mapped, str] = Field(default_factory=dict)
    """Key (dotted for nested ones) by field: id, time, text, author, brand, ..."""
    brand: Name | None = None
    channels: tuple[Name, ...] = ()
    time_format: str = "auto"
    time_zone: str | None = None
    start: Literal["earliest", "latest"] = "latest"
    """Where to begin when there is no cursor yet."""


@runtime_checkable
class TimedLog(Protocol):
    """A log whose records can be found by the broker's time."""

    async def at_time(self, topic: str, timestamp_ms: int) -> dict[int, int]: ...


class KafkaConnector:
    """Streams a topic; the cursor is the next offset by partition."""

    Settings: ClassVar[type[SourceSettings]] = KafkaSettings

    def __init__(self, settings: KafkaSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._parse = parser(settings.time_format, settings.time_zone)
        self._channels = frozenset(settings.channels)
        self._log: Log | None = None

    def open(self) -> Log:
        """Open the client; tests put another log in its place."""
        from streams.log.kafka import KafkaLog

        return KafkaLog(self._settings.log)

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        """Yield what comes; an empty page about once a second when nothing does."""
        try:
            if self._log is None:
                self._log = self.open()
            ends = await self._log.ends(self._settings.topic)
            if not ends:
                raise Fatal(f"there is no topic {self._settings.topic!r} in that Kafka")
            since_ms = _since(cursor)
            at = _decode(cursor) if since_ms is None else await self._at_time(since_ms)
            if at is None:
                at = ends if self._settings.start == "latest" else {}
                # The place is fixed now: a restart before the first record must not skip it.
                yield Page((), _encode(at))
            elif since_ms is not None:
                yield Page((), _encode(at))
            at = dict(at)
            async for records in self._log.read(self._settings.topic, start=at, follow=True):
                items = tuple(self._item(r) for r in records if r.value is not None)
                at |= {r.partition: r.offset + 1 for r in records}
                yield Page(items, _encode(at))
        except Unavailable as e:
            raise Retryable(f"that Kafka cannot be reached: {e}") from e

    def cursor_at(self, time: datetime) -> str | None:
        """Return a cursor that names the time; its offsets are looked up at the next start."""
        return f"{SINCE}{int(time.timestamp() * 1000)}"

    async def _at_time(self, since_ms: int) -> dict[int, int]:
        if not isinstance(self._log, TimedLog):
            raise Fatal("this log cannot be asked by time: siaga connector reset NAME")
        return await self._log.at_time(self._settings.topic, since_ms)

    async def close(self) -> None:
        """Close the client."""
        log, self._log = self._log, None
        if log is not None:
            await log.close()

    def _item(self, record: LogRecord) -> Item | BadItem:
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        raw = record.value or b""
        try:
            values: Any = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return BadItem("broken_row", "the record is no JSON", origin, raw)
        if not isinstance(values, dict):
            return BadItem("broken_row", "the record is no JSON object", origin, raw)
        columns = Columns(self._settings.columns, values)
        if "time" not in columns.names:
            # The broker's own stamp: what a topic without times in its records has.
            values = {**values, "time": str(record.timestamp_ms)}
            columns = Columns(self._settings.columns, values)
        found = columns.item(
            values,
            native_id=origin,
            parse_time=self._parse,
            brand=self._settings.brand or "",
            channels=self._channels,
        )
        if isinstance(found, Broken):
            return BadItem(found.reason, found.detail, origin, raw)
        return found


def _encode(at: dict[int, int]) -> str:
    return msgspec.json.encode({str(p): n for p, n in sorted(at.items())}).decode()


def _since(cursor: str | None) -> int | None:
    number = (cursor or "").removeprefix(SINCE)
    return int(number) if number != cursor and number.isdecimal() else None


def _decode(cursor: str | None) -> dict[int, int] | None:
    if cursor is None:
        return None
    try:
        return {int(p): n for p, n in msgspec.json.decode(cursor, type=dict[str, int]).items()}
    except (msgspec.DecodeError, ValueError) as e:
        raise Fatal("the saved cursor is not of a topic: siaga connector reset NAME") from e
