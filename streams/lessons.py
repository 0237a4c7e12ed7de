"""The feedback log and the lessons folded from it: one reader for workers and commands.

The worker writes to it too: a review's stars are a free, noisy label (`ratings`).
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from detectors.language.lessons import LessonBook
from detectors.language.tokens import READ_LIMIT
from detectors.language.understanding import LanguageConfig, sentiment_of
from streams import codec
from streams.log.decoded import decoded
from streams.log.port import Entry, Log
from streams.records import Label, Scored, Sentiment
from streams.settings import RootSettings
from streams.topics import FEEDBACK, TOPICS

logger = logging.getLogger(__name__)

SAVE_EVERY: Final = 1_000
"""Labels between two snapshots: some 0.2 s of folding to repeat after a crash."""

NO_LESSON: Final = frozenset({"spam", "giveaway", "repost"})
"""Flags of mentions whose stars teach nothing."""


def snapshot_path(settings: RootSettings) -> Path:
    """Where the snapshot of the lessons lies; it may be deleted: the log holds all of it."""
    return settings.data_dir / "lessons.snapshot"


def open_book(settings: RootSettings) -> LessonBook:
    """The book of the last snapshot, or a new one if there is none that fits."""
    path = snapshot_path(settings)
    config = settings.lessons.config()
    language = LanguageConfig(taxonomy=settings.taxonomy.taxonomy)
    if not path.exists():
        return LessonBook(config, language)
    try:
        return LessonBook.restore(path.read_bytes(), config, language)
    except (OSError, ValueError) as e:
        logger.warning("lessons: %s; reading all labels again", e)
        return LessonBook(config, language)


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
            label = decoded(record, codec.label, who="feedback")
            if label is None:
                # All workers skip it alike: the fold stays the same everywhere.
                book.skip(record.offset)
            else:
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
    was_sentiment: Sentiment | None = None,
    was_topics: tuple[str, ...] | None = None,
    kind: Literal["label", "rating", "promote", "rollback"] = "label",
    version: str = "",
) -> Label:
    """A label with its deterministic id: the same correction sent twice is learned once."""
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
        was_sentiment=was_sentiment,
        was_topics=was_topics,
        kind=kind,
        version=version,
    )


def ratings(book: LessonBook, scored: Iterable[Scored]) -> list[Entry]:
    """Records of the stars of fresh reviews, as far as the book still learns from stars.

    The same review gives the same record, whoever reads it and however often. What runs ahead of
    the book's reader is bounded there: all stars together have the cap of one person.
    """
    if not book.wants_stars:
        return []
    return [_entry(label) for s in scored if (label := _rating(s)) is not None]


def _rating(scored: Scored) -> Label | None:
    mention = scored.mention
    sentiment = None if mention.rating is None else sentiment_of(mention.rating)
    if sentiment is None or not mention.text.strip() or not NO_LESSON.isdisjoint(scored.flags):
        return None
    if mention.own or mention.deleted or mention.simulated or scored.fate == "revision":
        return None
    return make_label(
        who=mention.source,
        at=mention.published_at,
        mention=mention.id,
        text=mention.text[:READ_LIMIT],
        sentiment=sentiment,
        kind="rating",
    )


async def send(log: Log, labels: list[Label]) -> None:
    """Append labels to the feedback log; returns when they are kept."""
    await log.ensure([spec for spec in TOPICS if spec.name == FEEDBACK])
    await log.append([_entry(label) for label in labels])


def _entry(label: Label) -> Entry:
    return Entry(FEEDBACK, label.who.encode(), codec.encode(label), 0)
