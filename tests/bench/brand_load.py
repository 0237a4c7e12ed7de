"""What bench_brands.py sends to a worker: brands' mentions, past and present, and scrapes of it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx
from measured import TEXTS

from streams import codec
from streams.log.kafka import KafkaLog
from streams.log.port import Entry
from streams.records import Batch, Mention, Tick
from streams.topics import MENTIONS, SCORED

ACTIVE_ONE_IN = 20
PARTITIONS = 12
CHUNK = timedelta(minutes=15)
"""Of history that is published at a time, each brand's mentions of it in one record."""
IDLE_MENTIONS = 3
LAG_IS_MEASURED_EVERY_S = 5.0


class Scrape(NamedTuple):
    """When `/metrics` was asked and had answered, in epoch seconds, and how much came."""

    begin_s: float
    end_s: float
    size: int


@dataclass
class Load:
    """So many brands of one worker, and what is sent to it."""

    brands: int
    log: KafkaLog
    port: int
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    mentions: int = 0
    scrapes: list[Scrape] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return names(self.brands)

    @property
    def active(self) -> list[str]:
        return self.names[::ACTIVE_ONE_IN]

    def mention(self, at: datetime, collected: datetime) -> Mention:
        self.mentions += 1
        return Mention(
            id=f"forum:{self.mentions}",
            source="forum",
            published_at=at,
            collected_at=collected,
            text=self.rng.choice(TEXTS),
            author=f"akun{self.rng.randrange(5_000)}",
        )

    def tick(self, at: datetime) -> list[Entry]:
        tick = codec.encode(Tick("forum", watermark=at, clock=at))
        return [Entry(MENTIONS, b"forum", tick, p) for p in range(PARTITIONS)]

    async def history(self, begin: datetime, end: datetime) -> None:
        """Publish what was said of the brands between two times, which are a day at most."""
        chunks = (end - begin) // CHUNK
        idle = [name for n, name in enumerate(self.names) if n % ACTIVE_ONE_IN]
        now_and_then = [self.rng.randrange(chunks) for _ in idle for _ in range(IDLE_MENTIONS)]
        when: dict[int, list[str]] = {}
        for n, chunk in enumerate(now_and_then):
            when.setdefault(chunk, []).append(idle[n // IDLE_MENTIONS])
        per_chunk = CHUNK // timedelta(minutes=1)
        for n in range(chunks):
            from_ = begin + n * CHUNK
            entries = []
            for brand, count in (
                *((b, per_chunk) for b in self.active),
                *((b, 1) for b in when.get(n, ())),
            ):
                times = sorted(from_ + CHUNK * self.rng.random() for _ in range(count))
                batch = Batch(brand, tuple(self.mention(t, t) for t in times))
                entries.append(Entry(MENTIONS, brand.encode(), codec.encode(batch)))
            await self.log.append([*entries, *self.tick(from_ + CHUNK)])

    async def trickle(self, seconds: float, *, per_s: float) -> None:
        """Live mentions of the active brands in turn, one a record, with ticks every 5 s."""
        begin = time.monotonic()
        done, ticked = 0, -10.0
        active = self.active
        while (passed := time.monotonic() - begin) < seconds:
            entries = []
            now = datetime.now(UTC)
            while done < passed * per_s:
                brand = active[done % len(active)]
                batch = Batch(brand, (self.mention(now, now),))
                entries.append(Entry(MENTIONS, brand.encode(), codec.encode(batch)))
                done += 1
            if passed - ticked >= 5.0:
                ticked = passed
                entries += self.tick(now)
            if entries:
                await self.log.append(entries)
            await asyncio.sleep(0.01)

    async def scrape(self) -> str:
        async with httpx.AsyncClient(timeout=60) as client:
            begin_s = time.time()
            reply = await client.get(f"http://127.0.0.1:{self.port}/metrics")
            self.scrapes.append(Scrape(begin_s, time.time(), len(reply.content)))
        return reply.text

    async def caught_up(self) -> None:
        """Wait until nothing that was sent waits for the worker."""
        lag = 1.0
        while lag > 0:
            await asyncio.sleep(LAG_IS_MEASURED_EVERY_S + 0.5)
            lag = sum(map(float, figures(await self.scrape(), "siaga_worker_lag_records{")))


def names(brands: int) -> list[str]:
    """The brands' names."""
    return [f"merek-{n}" for n in range(brands)]


def figures(text: str, prefix: str) -> Iterator[str]:
    """Values of the lines of `/metrics` that begin with a prefix."""
    return (ln.rpartition(" ")[2] for ln in text.splitlines() if ln.startswith(prefix))


@asynccontextmanager
async def scored(log: KafkaLog) -> AsyncIterator[list[tuple[float, float]]]:
    """(made, sent) in epoch seconds of each mention that is scored while the block runs."""
    found: list[tuple[float, float]] = []
    ends = await log.ends(SCORED)

    async def follow() -> None:
        async with aclosing(log.read(SCORED, start=ends, follow=True)) as chunks:  # type: ignore[type-var] # the port says iterator, it is a generator
            async for chunk in chunks:
                for record in chunk:
                    batch = codec.scored.decode(record.value or b"")
                    found.extend(
                        (one.mention.collected_at.timestamp(), record.timestamp_ms / 1000)
                        for one in batch.mentions
                    )

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()
