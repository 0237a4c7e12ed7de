"""Lessons: the same on every worker, bounded for every person, reversible."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from detectors.language.cases import hard_cases
from detectors.language.lessons import LessonBook, LessonConfig
from detectors.language.understanding import Language

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
SLANG = ("wadidaw", "mleyot", "ambyarrr", "kiyowo", "sksksk")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Shaped like the record of the feedback log."""

    id: str
    who: str = "ani"
    at: datetime = START
    mention: str = ""
    text: str = ""
    sentiment: str | None = None
    topics: tuple[str, ...] | None = None
    kind: str = "label"
    version: str = ""


def _labels(count: int, who: str = "ani", sentiment: str = "negative") -> list[Record]:
    return [
        Record(
            id=f"{who}-{i}",
            who=who,
            at=START + timedelta(minutes=i),
            mention=f"{who}:{i}",
            text=f"{SLANG[i % 5]} pesanan {i}",
            sentiment=sentiment,
            topics=("delivery",) if i % 3 == 0 else None,
        )
        for i in range(count)
    ]


def _book(*labels: Record, config: LessonConfig = LessonConfig()) -> LessonBook:  # noqa: B008  # frozen
    book = LessonBook(config)
    for label in labels:
        book.apply(label)
    return book


def test_active_model_is_untouched_until_a_promotion() -> None:
    book = _book(*_labels(60))
    assert book.active.digest() == Language().digest()
    assert book.shadow.digest() != book.active.digest()
    book.apply(Record(id="p", kind="promote"))
    assert book.active.digest() == book.shadow.digest()
    assert book.active.version.startswith(book.base + "+")
    assert book.active.understand("wadidaw").sentiment == "negative"


def test_promotion_that_harms_the_hard_cases_is_refused() -> None:
    wrong = {"negative": "positive", "positive": "negative", "neutral": "negative"}
    poison = [
        Record(id=f"x{i}", who=f"w{i % 9}", text=c.text, sentiment=wrong[c.sentiment])
        for i, c in enumerate(hard_cases() * 3)
    ]
    book = _book(*poison, Record(id="p", kind="promote"))
    assert book.active.version == book.base
    decision = book.decisions[-1]
    assert not decision.done
    assert "hard cases" in decision.reason or "held-out" in decision.reason


def test_one_persons_labels_are_capped() -> None:
    config = LessonConfig(free_labels=20, held_out_every=1_000_000)
    book = _book(*_labels(300, sentiment="positive"), config=config)
    assert book.learned == 20
    assert book.capped == 280
    within = _book(*_labels(20, sentiment="positive"), config=config)
    assert book.shadow.digest() == within.shadow.digest()


def test_a_team_may_teach_beyond_one_persons_cap() -> None:
    config = LessonConfig(free_labels=20, held_out_every=1_000_000)
    both = [r for pair in zip(_labels(60, "ani"), _labels(60, "budi"), strict=True) for r in pair]
    assert _book(*both, config=config).learned > 80


def test_contradiction_is_shown_and_not_learned() -> None:
    first = Record(id="a1", who="ani", mention="m", text="lumayan lah ya", sentiment="positive")
    second = Record(id="b2", who="budi", mention="m", text="lumayan lah ya", sentiment="negative")
    book = _book(first)
    before = book.shadow.digest()
    book.apply(second)
    assert book.shadow.digest() == before
    shown = book.contradictions[0]
    assert (shown.first_who, shown.first, shown.second_who, shown.second) == (
        "ani",
        "positive",
        "budi",
        "negative",
    )


def test_person_may_correct_themselves() -> None:
    first = Record(id="a1", mention="m", text="lumayan lah ya", sentiment="positive")
    book = _book(first, Record(id="a3", mention="m", text="lumayan lah ya", sentiment="negative"))
    assert not book.contradictions


def test_rollback_forgets_a_bad_lesson_bit_by_bit() -> None:
    book = _book(*_labels(40), Record(id="p1", kind="promote"))
    good = book.active.digest()
    version = book.active.version
    for label in _labels(40, "budi", "positive"):
        book.apply(label)
    book.apply(Record(id="p2", kind="promote"))
    assert book.active.version != version
    book.apply(Record(id="r", kind="rollback"))
    assert book.active.version == version
    assert book.active.digest() == book.shadow.digest() == good
    book.apply(Record(id="r2", kind="rollback"))
    assert book.active.digest() == Language().digest()


def test_rollback_to_an_unknown_version_is_refused() -> None:
    book = _book(Record(id="r", kind="rollback", version="nonsense"))
    assert not book.decisions[-1].done
    assert "unknown version" in book.decisions[-1].reason


def test_repeated_offset_changes_nothing() -> None:
    book = LessonBook()
    for offset, label in enumerate(_labels(10)):
        book.apply(label, offset)
        book.apply(label, offset)
    assert book.digest() == _book(*_labels(10)).digest()
    assert book.next_offset == 10


def test_label_of_unknown_topics_or_nothing_is_counted_and_harmless() -> None:
    book = _book(Record(id="z", text="x"), Record(id="y", text="x", topics=("weather",)))
    assert book.labels == 2


@pytest.mark.parametrize("cut", [0, 1, 17, 44, 45, 46, 59])
def test_restart_from_a_snapshot_is_as_if_nothing_happened(cut: int) -> None:
    records = [*_labels(30), Record(id="p", kind="promote"), *_labels(14, "budi", "positive")]
    records += [Record(id="r", kind="rollback"), *_labels(14, "citra")]
    whole = _book(*records)
    book = LessonBook.restore(_book(*records[:cut]).snapshot())
    for label in records[cut:]:
        book.apply(label)
    assert book.digest() == whole.digest()
    assert book.snapshot() == whole.snapshot()


def test_foreign_snapshot_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="from its beginning"):
        LessonBook.restore(b"nonsense")
    state = msgspec.msgpack.decode(LessonBook().snapshot())
    state["base"] = "1999.01-1"
    with pytest.raises(ValueError, match=r"1999\.01-1"):
        LessonBook.restore(msgspec.msgpack.encode(state))
