"""The kafka source over a log in memory: every record is an item or a dead letter, once."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from connectors.contract import BadItem, Context, Fatal, Item, Page
from connectors.memory_log import MemoryLog
from connectors.sources.kafka import KafkaConnector, KafkaSettings
from connectors.testkit import ConnectorSuite
from streams.log.port import Entry, Log
from streams.topics import TopicSpec

TOPIC = "crm.comments"


class InMemory(KafkaConnector):
    """Reads a memory log instead of a broker."""

    log: MemoryLog

    def open(self) -> Log:
        return self.log


def filled(rows: list[bytes]) -> MemoryLog:
    async def story() -> MemoryLog:
        log = MemoryLog(partitions=3)
        await log.ensure([TopicSpec(TOPIC)])
        entries = [Entry(TOPIC, None, raw, n % 3) for n, raw in enumerate(rows)]
        await log.append(entries)
        return log

    return asyncio.run(story())


def source(log: MemoryLog, context: Context | None = None, **values: Any) -> InMemory:
    mapped = {"id": "nr", "text": "body.text", "time": "ts"}
    settings = KafkaSettings.model_validate(
        {"topic": TOPIC, "columns": mapped, "start": "earliest", **values}
    )
    made = InMemory(settings, context or Context("crm"))
    made.log = log
    return made


def row(n: int) -> bytes:
    return json.dumps(
        {"nr": f"n{n}", "ts": 1_748_000_000 + n, "body": {"text": f"kopi {n}"}}
    ).encode()


def read(connector: InMemory, cursor: str | None, pages: int) -> list[Page]:
    async def story() -> list[Page]:
        found: list[Page] = []
        stream = cast("AsyncGenerator[Page, None]", connector.stream(cursor))
        async with asyncio.timeout(5), aclosing(stream) as coming:
            async for page in coming:
                found.append(page)
                if len(found) >= pages:
                    break
        return found

    return asyncio.run(story())


def test_nested_keys_are_mapped() -> None:
    pages = read(source(filled([row(1)])), None, 3)
    [item] = [i for p in pages for i in p.items if isinstance(i, Item)]
    assert (item.native_id, item.text) == ("n1", "kopi 1")
    assert item.published_at == datetime.fromtimestamp(1_748_000_001, UTC)


@pytest.mark.parametrize("raw", [b"{", b"[1]", b"\xff", b"[" * 50_000, b'{"nr": "1", "ts": "x"}'])
def test_what_cannot_be_read_is_a_dead_letter_with_its_place(raw: bytes) -> None:
    pages = read(source(filled([raw])), None, 3)
    [bad] = [i for p in pages for i in p.items]
    assert isinstance(bad, BadItem)
    assert bad.origin == "crm.comments/0/0"
    assert bad.original == raw


def test_latest_fixes_its_place_at_once() -> None:
    log = filled([row(1)])
    [page] = read(source(log, start="latest"), None, 1)
    asyncio.run(log.append([Entry(TOPIC, None, row(2), 0)]))
    pages = read(source(log, start="latest"), page.cursor, 2)
    assert [i.native_id for p in pages for i in p.items if isinstance(i, Item)] == ["n2"]


def test_a_topic_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(Fatal, match="no topic"):
        read(source(MemoryLog()), None, 1)


class TestKafka(ConnectorSuite):
    expected_ids = tuple(f"n{n}" for n in range(9))
    finite = False
    recorded = filled([row(n) for n in range(9)])

    def connector(self, context: Context) -> KafkaConnector:
        return source(self.recorded, context)


class Timed(MemoryLog):
    """Finds records by their number instead of the broker's time."""

    async def at_time(self, topic: str, timestamp_ms: int) -> dict[int, int]:
        return {p: min(timestamp_ms, end) for p, end in (await self.ends(topic)).items()}


def test_a_reset_to_a_time_begins_at_the_offsets_of_that_time() -> None:
    plain = filled([row(n) for n in range(9)])
    timed = Timed(partitions=3)
    timed._records = plain._records
    cursor = source(timed).cursor_at(datetime.fromtimestamp(0.002, UTC))  # 2 ms: number 2
    first, *pages = read(source(timed), cursor, 4)
    assert first.items == ()
    assert first.cursor == '{"0":2,"1":2,"2":2}'
    assert {i.native_id for p in pages for i in p.items if isinstance(i, Item)} == {
        "n6",
        "n7",
        "n8",
    }


def test_a_log_that_cannot_be_asked_by_time_is_a_sentence() -> None:
    made = source(filled([row(1)]))
    with pytest.raises(Fatal, match="by time"):
        read(made, made.cursor_at(datetime(2025, 1, 1, tzinfo=UTC)), 1)
