"""One worker on a Kafka of its own, and mentions for it at a rate, in the connectors' batches."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from chain import free_port, siaga, wait_for
from measured import ROOT
from services import EPHEMERAL, start

from connectors.ingest.batch import Batcher
from streams import codec
from streams.log.kafka import KafkaLog
from streams.log.port import Entry
from streams.records import Mention, Tick
from streams.settings import LogSettings
from streams.topics import MENTIONS, all_topics

PARTITIONS = 12
TICK_S = 5.0
STARTS_S = 120.0

Due = Callable[[float], Iterable[tuple[str, Mention]]]
"""Brand and mention of all that is to be published so many seconds after the begin."""


class Placed(NamedTuple):
    """Where things are: Kafka's address, the port of the worker's `/metrics`, its process."""

    kafka: str
    port: int
    pid: int

    def log(self) -> KafkaLog:
        """A client of that Kafka; close it."""
        return _log(self.kafka)


@contextmanager
def one_worker(bench: str, brands: Sequence[str]) -> Iterator[Placed]:
    """Start both in `build/bench` and wait until the worker owns all partitions."""
    folder = ROOT / "build" / "bench" / f"{bench}-{int(time.time())}"
    folder.mkdir(parents=True)
    services = start(["kafka"], folder / "services", ports=EPHEMERAL)
    try:
        assert services.kafka is not None
        kafka, port = services.kafka.address, free_port()
        tables = "".join(f'[brands.{b}]\nnames = ["{b}"]\n' for b in brands)
        (folder / "siaga.toml").write_text(
            f'[log]\nkind = "kafka"\nbootstrap = ["{kafka}"]\n[metrics]\nport = {port}\n{tables}'
        )
        asyncio.run(_ensure(kafka))
        told = folder / "worker.log"
        with siaga(folder, "worker", name="worker") as worker:
            wait_for(
                "the worker's partitions",
                lambda: told.exists() and f"owns {PARTITIONS}" in told.read_text(),
                timeout_s=STARTS_S,
                running=[worker],
            )
            yield Placed(kafka, port, worker.pid)
    finally:
        services.destroy()


async def publish(
    log: KafkaLog,
    seconds: float,
    due: Due,
    *,
    source: str,
    step_s: float,
    acknowledged: Callable[[float, float], None] = lambda *_: None,
) -> None:
    """Publish what is due, step by step, and a tick every `TICK_S`; no append waits for another.

    `acknowledged` is told of each append: seconds since the begin, and how long Kafka took.
    """
    batcher, begin_s = Batcher(), time.monotonic()

    async def append(entries: list[Entry]) -> None:
        began_s = time.monotonic()
        await log.append(entries)
        acknowledged(began_s - begin_s, time.monotonic() - began_s)

    ticked_s = -TICK_S
    async with asyncio.TaskGroup() as sending:
        while (passed_s := time.monotonic() - begin_s) < seconds:
            now_s = time.monotonic()
            batches = [
                batch
                for brand, mention in due(passed_s)
                for batch in batcher.add(brand, mention, now=now_s)
            ]
            batches += batcher.due(now=now_s)
            entries = [Entry(MENTIONS, b.brand.encode(), codec.encode(b)) for b in batches]
            if passed_s - ticked_s >= TICK_S:
                ticked_s, clock = passed_s, datetime.now(UTC)
                tick = codec.encode(Tick(source, watermark=clock, clock=clock))
                entries += [Entry(MENTIONS, source.encode(), tick, p) for p in range(PARTITIONS)]
            if entries:
                sending.create_task(append(entries))
            await asyncio.sleep(step_s)
        last = [Entry(MENTIONS, b.brand.encode(), codec.encode(b)) for b in batcher.flush()]
        await append(last)


def _log(kafka: str) -> KafkaLog:
    return KafkaLog(LogSettings(kind="kafka", bootstrap=(kafka,)))


async def _ensure(kafka: str) -> None:
    log = _log(kafka)
    await log.ensure(all_topics("siaga"))
    await log.close()
