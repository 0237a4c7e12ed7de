"""A review's stars teach by themselves: two workers, one feedback log, the same bits."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detectors.language.lesson_config import LessonConfig
from detectors.language.lessons import LessonBook
from streams import codec
from streams.lessons import fold, ratings
from streams.log.embedded import EmbeddedLog
from streams.log.port import Entry
from streams.pipeline.config import PipelineConfig
from streams.pipeline.pipeline import Pipeline
from streams.records import Batch, Label, Mention, Scored
from streams.topics import FEEDBACK, MENTIONS, all_topics, state_topic
from streams.worker.core import Core

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CONFIG = LessonConfig(free_labels=20)
BRANDS = ("toko", "kirim")


def review(n: int, *, rating: float | None = 1.0, **more: object) -> Mention:
    """A starred review in words that the shipped weights do not know."""
    return Mention(
        id=f"google_play:{n}",
        source="google_play",
        text=f"wadidaw {('mleyot', 'kiyowo', 'sksksk')[n % 3]} {n}",
        published_at=START + timedelta(minutes=n),
        collected_at=START,
        rating=rating,
        **more,  # type: ignore[arg-type]  # fields of a mention
    )


def scored(mention: Mention, **more: object) -> Scored:
    """The review as the worker reads it."""
    return Scored(
        mention=mention,
        sentiment="neutral",
        probabilities=(0.3, 0.4, 0.3),
        **more,  # type: ignore[arg-type]  # fields of a scored mention
    )


def worker(log: EmbeddedLog, book: LessonBook) -> Core:
    """A core that writes the stars it sees, as the service does."""
    return Core(
        log,
        Pipeline(PipelineConfig(brands=frozenset(BRANDS)), book.active),
        state_topic=state_topic("siaga"),
        more=lambda outcome: ratings(book, outcome.scored),
    )


async def labels(log: EmbeddedLog) -> list[Label]:
    """All that the feedback log holds."""
    return [
        codec.label.decode(record.value or b"")
        async for chunk in log.read(FEEDBACK)
        for record in chunk
    ]


async def read(core: Core, partition: int, records: Sequence[bytes], *, keep: bool = True) -> None:
    """Let a worker read a partition; `keep` False: it dies after it has written the outputs."""
    await core.assign([partition])
    for offset, record in enumerate(records):
        await core.take(partition, offset, record, lambda: None)
    if keep:
        await core.flush()
    else:
        waiting = core._waiting[partition].entries
        await core.log.append([entry for entry in waiting if entry.topic == FEEDBACK])


def test_two_workers_learn_the_stars_once_and_hold_the_same_bits(tmp_path: Path) -> None:
    async def main() -> None:
        log = EmbeddedLog(tmp_path / "log.db", 2)
        await log.ensure(all_topics("siaga"))
        records = [
            [codec.encode(Batch(brand, (review(n), review(n + 100, rating=5.0)))) for n in range(4)]
            for brand in BRANDS  # the same reviews name both brands
        ]
        for partition, (brand, values) in enumerate(zip(BRANDS, records, strict=True)):
            await log.append([Entry(MENTIONS, brand.encode(), v, partition) for v in values])
        first, second = LessonBook(CONFIG), LessonBook(CONFIG)
        await read(worker(log, first), 0, records[0], keep=False)
        await read(worker(log, first), 0, records[0])  # read again after the crash
        await read(worker(log, second), 1, records[1])
        assert len(await labels(log)) == 3 * 8
        await fold(log, first)
        await fold(log, second)
        assert first.learned == first.starred == 8
        assert first.digest() == second.digest()
        assert first.active.digest() == LessonBook(CONFIG).active.digest()
        before = first.active.understand("wadidaw").probabilities
        assert first.shadow.understand("wadidaw").probabilities != before
        await log.close()

    asyncio.run(main())


def test_worker_writes_no_more_stars_than_will_be_learned() -> None:
    book = LessonBook(CONFIG)
    reviews = [scored(review(n)) for n in range(60)]
    for entry in ratings(book, reviews):
        book.apply(codec.label.decode(entry.value or b""))
    assert book.starred == 20
    assert ratings(book, reviews) == []


@pytest.mark.parametrize(
    "silent",
    [
        scored(review(1, rating=3.0)),
        scored(review(1, rating=None)),
        scored(review(1, rating=float("nan"))),
        scored(review(1, own=True)),
        scored(review(1, simulated=True)),
        scored(review(1, deleted=True)),
        scored(review(1), flags=("spam",)),
        scored(review(1), fate="revision"),
    ],
)
def test_stars_that_teach_nothing(silent: Scored) -> None:
    assert ratings(LessonBook(), [silent]) == []


def test_security_complaint_with_a_star_teaches() -> None:
    assert len(ratings(LessonBook(), [scored(review(1), flags=("security",))])) == 1
