"""Lessons: the same on every worker, bounded for every person, reversible."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from detectors.language.cases import hard_cases
from detectors.language.lesson_config import LessonConfig
from detectors.language.lessons import LessonBook
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


def test_one_person_cannot_fill_what_promotions_are_measured_by() -> None:
    book = _book(*_labels(500), config=LessonConfig(free_labels=20))
    assert book.learned == 20
    assert book.held_out < 20


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
    shown = book.admission.contradictions[0]
    assert (shown.first_who, shown.first, shown.second_who, shown.second) == (
        "ani",
        "positive",
        "budi",
        "negative",
    )


def test_person_may_correct_themselves() -> None:
    first = Record(id="a1", mention="m", text="lumayan lah ya", sentiment="positive")
    book = _book(first, Record(id="a3", mention="m", text="lumayan lah ya", sentiment="negative"))
    assert not book.admission.contradictions


def test_people_who_name_other_topics_contradict_each_other() -> None:
    first = Record(id="a1", who="ani", mention="m", text="telat lagi", topics=("delivery",))
    second = Record(id="b2", who="budi", mention="m", text="telat lagi", topics=("refund",))
    book = _book(first, second)
    shown = book.admission.contradictions[0]
    assert (shown.first, shown.second) == ("[delivery]", "[refund]")
    assert book.learned == 1


def test_topics_may_follow_the_sentiment_and_both_are_remembered() -> None:
    book = _book(
        Record(id="a1", who="ani", mention="m", text="telat lagi", sentiment="negative"),
        Record(id="a2", who="ani", mention="m", text="telat lagi", topics=("delivery",)),
        Record(id="b3", who="budi", mention="m", text="telat lagi", sentiment="positive"),
    )
    assert book.admission.contradictions[0].first == "negative [delivery]"


def test_same_label_sent_twice_is_learned_once() -> None:
    book = _book(*_labels(10))
    for label in _labels(10):
        book.apply(label)
    assert book.digest() == _book(*_labels(10)).digest()


def _stars(count: int, sentiment: str = "positive") -> list[Record]:
    labels = _labels(count, "google_play", sentiment)
    return [msgspec.structs.replace(label, kind="rating", topics=None) for label in labels]


def test_stars_teach_less_than_a_person() -> None:
    config = LessonConfig(held_out_every=1_000_000)
    gentle, firm = _book(*_stars(1), config=config), _book(*_labels(1), config=config)
    text = _labels(1)[0].text
    untaught = firm.active.understand(text).probabilities[2]
    moved = gentle.shadow.understand(text).probabilities[2] - untaught
    assert moved > 0
    person = _book(*_labels(1, "ani", "positive"), config=config)
    assert person.shadow.understand(text).probabilities[2] - untaught > moved


def test_stars_of_all_sources_together_have_the_cap_of_one_person() -> None:
    config = LessonConfig(free_labels=20)
    records = _stars(100)
    many = [msgspec.structs.replace(r, who=f"source{i}") for i, r in enumerate(records)]
    book = _book(*many, config=config)
    assert (book.learned, book.capped, book.starred) == (20, 80, 20)
    assert not book.wants_stars


def test_stars_are_never_what_a_promotion_is_measured_by() -> None:
    book = _book(*_stars(100))
    assert book.held_out == 0
    assert book.labels == 0


def test_person_overrules_stars_and_stars_never_a_person() -> None:
    config = LessonConfig(held_out_every=1_000_000)
    review, person = _stars(1)[0], _labels(1, "google_play", "negative")[0]
    person = msgspec.structs.replace(person, id="p", who="ani")
    both = _book(review, person, config=config)
    assert both.learned == 2
    assert not both.admission.contradictions
    alone = _book(person, config=config)
    assert _book(person, review, config=config).digest() == alone.digest()


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
    records += [Record(id="r", kind="rollback"), *_stars(5), *_labels(9, "citra")]
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
