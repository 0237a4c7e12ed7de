"""History for the backtest: files to batches and ticks, by the same connector and the same door."""

import asyncio
import heapq
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from pydantic import ValidationError

from connectors.contract import BadItem, Context, Fatal, Item, Retryable
from connectors.ingest.batch import MAX_MENTIONS
from connectors.ingest.door import OLDEST, Door
from connectors.ingest.match import Matcher
from connectors.sources.file import FileConnector, FileSettings, OutOfOrder
from connectors.sources.tabular.guess import Found, guess, source_name
from connectors.sources.tabular.mapping import Field
from connectors.sources.tabular.opening import open_binary
from streams.backtest.history import RUN, CannotRead, History, Request, Tally
from streams.records import Batch, Mention, MentionsRecord, Tick
from streams.service import CannotStart
from streams.settings import BrandSettings

SOURCE = "history"
MOST_BRANDS = 5_000
"""A column with more values is no brand: rows beyond it are told as `unknown_brand`."""
AHEAD = timedelta(days=10 * 366)
"""Made-up weeks may lie ahead of the clock; what lies further ahead is a mistyped year."""
TOO_NEW = "time_too_new"
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
        mapped = cast("Mapping[Field, str]", request.columns)
        return guess(path, mapped=mapped, most_brands=MOST_BRANDS)
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
    # Files of one history are mostly its months: where the next one begins, nothing fell silent.
    channel = settings.channel or (SOURCE if files > 1 else None)
    door = Door(name, matcher, channel=channel, run=RUN)
    end = datetime.now(UTC) + AHEAD
    context = Context(name=name, brands=brands, now=lambda: end)
    done = 0.0
    connector = FileConnector(settings, context)
    with asyncio.Runner() as runner, ExitStack() as stack:
        stack.callback(lambda: runner.run(connector.close()))
        # Not runner.run: it sets and unsets Ctrl-C's handler each time, and describes the page.
        wait = runner.get_loop().run_until_complete
        cursor: str | None = None
        while True:
            try:
                page = wait(connector.fetch(cursor))
            except OutOfOrder:
                folder = stack.enter_context(TemporaryDirectory(prefix="siaga-history-"))
                connector = FileConnector(_unpacked(settings, folder), context)
                continue
            except (Fatal, Retryable, OSError) as e:
                raise CannotRead(str(e)) from e
            for item in page.items:
                tally.rows += 1
                if _published(item) > end:
                    tally.bury(TOO_NEW)
                    continue
                # Not our clock: what is ahead of it did not happen just now.
                outcome = door.admit(item, now=end)
                if outcome.dead is not None:
                    tally.bury(outcome.dead.reason)
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


def _published(item: Item | BadItem) -> datetime:
    """When it was published; long ago if it does not say so with a zone (the door's case)."""
    if not isinstance(item, Item) or item.published_at.utcoffset() is None:
        return OLDEST
    return item.published_at


def _unpacked(settings: FileSettings, folder: str) -> FileSettings:
    """The same with its file unpacked: exports are often gzipped and newest first."""
    plain = Path(folder) / settings.path.stem
    packed, _ = open_binary(settings.path)
    with packed, plain.open("wb") as sink:
        shutil.copyfileobj(packed, sink, 1 << 20)
    return settings.model_copy(update={"path": plain})


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
