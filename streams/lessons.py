"""The feedback log and the lessons folded from it: one reader for workers and commands."""

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from detectors.language.lessons import LessonBook
from detectors.language.taxonomy import Taxonomy
from detectors.language.understanding import LanguageConfig
from streams import codec
from streams.log.port import Entry, Log
from streams.records import Label, Sentiment
from streams.settings import RootSettings
from streams.topics import FEEDBACK, TOPICS

logger = logging.getLogger(__name__)

SAVE_EVERY: Final = 1_000
"""Labels between two snapshots: some 0.2 s of folding to repeat after a crash."""


def snapshot_path(settings: RootSettings) -> Path:
    """Where the snapshot of the lessons lies; it may be deleted: the log holds all of it."""
    return settings.data_dir / "lessons.snapshot"


def open_book(path: Path | None, taxonomy: Taxonomy | None = None) -> LessonBook:
    """The book of the last snapshot, or a new one if there is none that fits.

    Parameters
    ----------
    taxonomy
        The configured topics (`settings.taxonomy.taxonomy`); None for those that ship.
    """
    language = LanguageConfig(taxonomy=taxonomy)
    if path is None or not path.exists():
        return LessonBook(language=language)
    try:
        return LessonBook.restore(path.read_bytes(), language=language)
    except (OSError, ValueError) as e:
        logger.warning("lessons: %s; reading all labels again", e)
        return LessonBook(language=language)


def save_book(book: LessonBook, path: Path) -> None:
    """Write the snapshot; a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_bytes(book.snapshot())
    fresh.replace(path)


async def fold(
    log: Log,
    book: LessonBook,
    *,
    path: Path | None = None,
    follow: bool = False,
    after: Callable[[LessonBook], Awaitable[None]] | None = None,
) -> None:
    """Fold the feedback log into the book, from where the book stands.

    Parameters
    ----------
    path
        Where to save a snapshot now and then; None: nowhere.
    follow
        Go on for ever; else stop at the log's present end.
    after
        Called after each chunk that changed the book.
    """
    if FEEDBACK not in await log.topics():
        if not follow:
            return
        await log.ensure([spec for spec in TOPICS if spec.name == FEEDBACK])
    saved = book.next_offset
    async for chunk in log.read(FEEDBACK, start={0: book.next_offset}, follow=follow):
        for record in chunk:
            try:
                label = codec.label.decode(record.value or b"")
            except msgspec.DecodeError as e:
                # All workers skip it alike: the fold stays the same everywhere.
                logger.warning("feedback record %d is no label (%s): skipped", record.offset, e)
                book.skip(record.offset)
                continue
            book.apply(label, record.offset)
        if chunk and after is not None:
            await after(book)
        if path is not None and book.next_offset - saved >= SAVE_EVERY:
            save_book(book, path)
            saved = book.next_offset
        await asyncio.sleep(0)
    if path is not None and book.next_offset > saved:
        save_book(book, path)


def make_label(
    *,
    who: str,
    at: datetime,
    mention: str = "",
    text: str = "",
    sentiment: Sentiment | None = None,
    topics: tuple[str, ...] | None = None,
    kind: Literal["label", "promote", "rollback"] = "label",
    version: str = "",
) -> Label:
    """A label with its deterministic id: the same correction sent twice is the same label."""
    key = "\x1f".join(
        (kind, who, at.isoformat(), mention, text, sentiment or "", ",".join(topics or ()), version)
    )
    return Label(
        id=hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24],
        who=who,
        at=at,
        mention=mention,
        text=text,
        sentiment=sentiment,
        topics=topics,
        kind=kind,
        version=version,
    )


async def send(log: Log, labels: list[Label]) -> None:
    """Append labels to the feedback log; returns when they are kept."""
    await log.ensure([spec for spec in TOPICS if spec.name == FEEDBACK])
    await log.append(
        [Entry(FEEDBACK, label.who.encode(), codec.encode(label), 0) for label in labels]
    )
