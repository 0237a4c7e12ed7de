"""History for the backtest: files to batches and ticks, by the same connector and the same door."""

import asyncio
import heapq
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from connectors.contract import Context, Fatal, Retryable
from connectors.ingest.batch import MAX_MENTIONS
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.sources.file import FileConnector, FileSettings
from connectors.sources.tabular.guess import Found, guess, source_name
from connectors.sources.tabular.mapping import Field
from streams.backtest.history import RUN, CannotRead, History, Request, Tally
from streams.records import Batch, Mention, MentionsRecord, Tick
from streams.service import CannotStart
from streams.settings import BrandSettings

SOURCE = "history"
MINUTE = timedelta(minutes=1)
CLOSING = timedelta(days=2)
"""The last tick is ahead by this much, so that every minute closes, whatever lateness is allowed,
and every incident comes to its end."""

Seen = tuple[datetime, str, Mention]


def read(request: Request) -> History:
    """Open files as one history in the order of time (entry point of `siaga.history`).

    Raises
    ------
    CannotRead
        If a file is missing, unreadable or lacks a column.
    """
    brands = dict(request.brands)
    sources = []
    for path in request.files:
        if not path.is_file():
            msg = f"{path}: no such file; give CSV or JSON lines files of texts"
            raise CannotRead(msg)
        values: dict[str, Any] = {"columns": dict(request.columns)}
        if not request.brands:
            found = _guessed(path, request)
            values |= {k: v for k, v in found.source.items() if k != "run"}
            for name, title in found.brands.items():
                brands.setdefault(name, BrandSettings(title=title, names=(title,)))
        sources.append((path, _settings(path, request, values)))
    matcher = Matcher(brands)
    tally = Tally()
    parts = [_mentions(path, s, matcher, brands, tally, len(sources)) for path, s in sources]
    merged = parts[0] if len(parts) == 1 else heapq.merge(*parts, key=itemgetter(0))
    return History(brands, as_records(merged), tally)


def _guessed(path: Path, request: Request) -> Found:
    try:
        return guess(path, mapped=cast("Mapping[Field, str]", request.columns))
    except CannotStart as e:
        raise CannotRead(str(e)) from e


def _settings(path: Path, request: Request, values: Mapping[str, Any]) -> FileSettings:
    try:
        return FileSettings.model_validate(
            {
                "path": path,
                "run": RUN,
                "time_zone": request.time_zone,
                "time_format": request.time_format,
                "format": request.form,
                "page_items": 2000,
                "page_minutes": 1e9,
                **values,
                "columns": {**values["columns"], **request.columns},
            }
        )
    except ValidationError as e:
        told = "; ".join(f"{'.'.join(map(str, x['loc']))}: {x['msg']}" for x in e.errors())
        raise CannotRead(f"{path}: {told}") from e


def _mentions(
    path: Path,
    settings: FileSettings,
    matcher: Matcher,
    brands: dict[str, BrandSettings],
    tally: Tally,
    files: int,
) -> Iterator[Seen]:
    """Mentions of one file, as its rows come."""
    name = source_name(path)
    door = Door(name, matcher, channel=settings.channel, run=RUN)
    connector = FileConnector(settings, Context(name=name, brands=brands))
    now = datetime.now(UTC)
    done = 0.0
    with asyncio.Runner() as runner, closing(_Closing(runner, connector)):
        # Not runner.run: it sets and unsets Ctrl-C's handler each time, and describes the page.
        wait = runner.get_loop().run_until_complete
        cursor: str | None = None
        while True:
            try:
                page = wait(connector.fetch(cursor))
            except (Fatal, Retryable, OSError) as e:
                raise CannotRead(str(e)) from e
            for item in page.items:
                tally.rows += 1
                outcome = door.admit(item, now=now)
                if outcome.dead is not None:
                    tally.dead += 1
                    reason = outcome.dead.reason
                    tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
                elif not outcome.mentions:
                    tally.unmatched += 1
                for brand, mention in outcome.mentions:
                    tally.mentions += 1
                    yield mention.published_at, brand, mention
            if page.ended:
                tally.done_ratio += (1.0 - done) / files
                return
            tally.done_ratio += (connector.read_ratio() - done) / files
            done = connector.read_ratio()
            cursor = page.cursor


class _Closing:
    def __init__(self, runner: asyncio.Runner, connector: FileConnector) -> None:
        self._runner = runner
        self._connector = connector

    def close(self) -> None:
        self._runner.run(self._connector.close())


def as_records(mentions: Iterator[Seen]) -> Iterator[MentionsRecord]:
    """Batches of each minute, then the tick that ends it.

    A mention that is older than the minute at hand (a file out of order within its lateness) goes
    along with it: the stream counts it as late or in time, as it would have.
    """
    held: dict[str, list[Mention]] = {}
    end: datetime | None = None
    for at, brand, mention in mentions:
        if end is None or at >= end:
            if end is not None:
                yield from _minute(held, end)
                held = {}
            end = at.replace(second=0, microsecond=0) + MINUTE
        held.setdefault(brand, []).append(mention)
    if end is not None:
        yield from _minute(held, end)
        last = end + CLOSING
        yield Tick(source=SOURCE, watermark=last, clock=last, run=RUN, ended=True)


def _minute(held: dict[str, list[Mention]], end: datetime) -> Iterator[MentionsRecord]:
    for brand, found in held.items():
        for n in range(0, len(found), MAX_MENTIONS):
            yield Batch(brand, tuple(found[n : n + MAX_MENTIONS]), RUN)
    yield Tick(source=SOURCE, watermark=end, clock=end, run=RUN)
