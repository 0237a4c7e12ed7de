"""The kafka source and the runner on a real Kafka: a topic in, mentions out, none lost."""

import asyncio
import json

import pytest
from services import Kafka

from connectors.contract import Context
from connectors.ingest import cursors
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.ingest.runner import Runner
from connectors.sources.kafka import KafkaConnector, KafkaSettings
from streams import codec
from streams.log.kafka import KafkaLog
from streams.log.port import Entry
from streams.records import Batch
from streams.settings import BrandSettings, LogSettings
from streams.topics import MENTIONS, TOPICS, TopicSpec

TOPIC = "crm.comments"
COUNT = 500


@pytest.mark.kafka
def test_a_topic_becomes_mentions_on_kafka_and_a_restart_repeats_none(kafka: Kafka) -> None:
    where = LogSettings(
        kind="kafka", bootstrap=(kafka.address,), prefix="connectors-source.", partitions=3
    )

    def row(n: int) -> Entry:
        value = {"nr": n, "ts": 1_748_000_000 + n, "isi": f"kopi {n}"}
        return Entry(TOPIC, None, json.dumps(value).encode(), n % 3)

    async def run(log: KafkaLog, until: int) -> None:
        mapped = {"id": "nr", "time": "ts", "text": "isi"}
        source = KafkaSettings(topic=TOPIC, log=where, columns=mapped, start="earliest")
        door = Door("crm", Matcher({"kopi": BrandSettings(names=("kopi",))}))
        saved = (await cursors.load(log)).get(("crm", "live"))
        connector = KafkaConnector(source, Context("crm"))
        runner = Runner("crm", connector, source, door, log, partitions=(0, 1, 2), saved=saved)
        task = asyncio.create_task(runner.run())
        async with asyncio.timeout(60):
            while runner.standing.mentions < until:  # noqa: ASYNC110  # watches a count
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def story() -> list[str]:
        log = KafkaLog(where)
        try:
            await log.ensure([*TOPICS, TopicSpec(TOPIC)])
            await log.append([row(n) for n in range(COUNT)])
            await run(log, COUNT)
            await log.append([row(n) for n in range(COUNT, COUNT + 50)])
            await run(log, COUNT + 50)
            found: list[str] = []
            async for chunk in log.read(MENTIONS):
                for record in chunk:
                    batch = codec.mentions.decode(record.value or b"")
                    if isinstance(batch, Batch):
                        found += [m.id for m in batch.mentions]
            return found
        finally:
            await log.close()

    assert sorted(asyncio.run(story())) == sorted(f"crm:{n}" for n in range(COUNT + 50))


@pytest.mark.kafka
def test_offsets_are_found_by_time(kafka: Kafka) -> None:
    where = LogSettings(
        kind="kafka", bootstrap=(kafka.address,), prefix="connectors-time.", partitions=2
    )

    async def story() -> list[dict[int, int]]:
        log = KafkaLog(where)
        try:
            await log.ensure([TopicSpec(TOPIC)])
            await log.append([Entry(TOPIC, None, b"{}", 0, 1_000 * n) for n in range(1, 6)])
            await log.append([Entry(TOPIC, None, b"{}", 1, 2_000)])
            return [await log.at_time(TOPIC, ms) for ms in (0, 2_500, 5_000, 9_000)]
        finally:
            await log.close()

    assert asyncio.run(story()) == [{0: 0, 1: 0}, {0: 2, 1: 1}, {0: 4, 1: 1}, {0: 5, 1: 1}]
