"""Files of corrections: JSON lines or CSV, read to labels and written again."""

import csv
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from detectors.language.understanding import SENTIMENTS, Sentiment, sentiment_of
from streams.lessons import make_label
from streams.records import Label, Time


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One correction in a file (JSON lines or CSV; other columns are ignored)."""

    text: str
    mention: str = ""
    sentiment: str = ""
    topics: str | tuple[str, ...] | None = None
    """Separated by commas in CSV."""
    rating: float | None = None
    """Stars 1..5: a noisy label of its own where no person named a sentiment or topics."""
    who: str = ""
    at: Time | None = None
    was_sentiment: Sentiment | None = None
    was_topics: tuple[str, ...] | None = None


class Mistake(Exception):
    """A row that is no correction; the message says where, what and what to do."""


def rows(file: Path) -> list[Row]:
    """The rows of a file.

    Raises
    ------
    Mistake
        If the file cannot be read, or a row has no text or a value of the wrong kind.
    """
    try:
        if file.suffix == ".csv":
            with file.open(encoding="utf-8-sig", newline="") as f:
                return [msgspec.convert(_filled(r), Row, strict=False) for r in csv.DictReader(f)]
        lines = file.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Row) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError, csv.Error, msgspec.DecodeError) as e:
        msg = f"{file}: {e}; each record needs a text and a sentiment, topics or a rating"
        raise Mistake(msg) from e


def _filled(record: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in record.items() if v and k != "was_topics"}


def label_of(row: Row, where: str, names: Collection[str]) -> Label | None:
    """The label of a row; None for a mere rating that says nothing (three stars).

    Parameters
    ----------
    where
        For messages: the place of the row.
    names
        Topics there are.

    Raises
    ------
    Mistake
        If the row says nothing, or names a sentiment or topic that there is not.
    """
    topics = row.topics.split(",") if isinstance(row.topics, str) else row.topics
    wanted = None if topics is None else tuple(t.strip() for t in topics if t.strip())
    sentiment = next((s for s in SENTIMENTS if s == row.sentiment), None)
    if row.sentiment and sentiment is None:
        msg = f"{where}: unknown sentiment {row.sentiment!r}; use {', '.join(SENTIMENTS)}"
        raise Mistake(msg)
    unknown = set(wanted or ()) - set(names)
    if unknown:
        msg = f"{where}: unknown topics {sorted(unknown)}; use {', '.join(names)}"
        raise Mistake(msg)
    if not row.text.strip():
        msg = f"{where}: the text is empty"
        raise Mistake(msg)
    by_person = bool(sentiment or wanted)
    if not by_person and row.rating is None:
        msg = f"{where}: give a sentiment, topics or a rating"
        raise Mistake(msg)
    if row.rating is not None and not 1 <= row.rating <= 5:
        msg = f"{where}: rating {row.rating:g} is not between 1 and 5"
        raise Mistake(msg)
    stars = None if row.rating is None else sentiment_of(row.rating)
    if not by_person and stars is None:
        return None
    return make_label(
        who=row.who,
        at=row.at or datetime.now(UTC),
        mention=row.mention,
        text=row.text,
        sentiment=sentiment if by_person else stars,
        topics=wanted if by_person else None,
        was_sentiment=row.was_sentiment,
        was_topics=row.was_topics,
        kind="label" if by_person else "rating",
    )


def row_of(label: Label) -> Row:
    """The row of a person's label."""
    return Row(
        text=label.text,
        mention=label.mention,
        sentiment=label.sentiment or "",
        topics=label.topics,
        who=label.who,
        at=label.at,
        was_sentiment=label.was_sentiment,
        was_topics=label.was_topics,
    )
