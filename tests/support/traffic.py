"""Mentions of some brands on the real Kafka, as the connectors' own batches: a past, then live."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from connectors.ingest.batch import Batcher
from streams import codec
from streams.log.kafka import KafkaLog
from streams.log.port import Entry
from streams.records import Batch, Mention, Tick
from streams.settings import LogSettings
from streams.topics import MENTIONS, all_topics

SOURCE = "forum"
MINUTE_S = 60.0
TICK_S = 5.0
PAST_TICK_S = 900.0
STEP_S = 0.25
JOY = (
    "pesanan {n} sudah sampai, terima kasih {b}",
    "jam buka {b} hari minggu apa ya, nomor {n}",
    "mantap, layanan {b} cepat sekali, nilai {n}",
    "ada yang tahu promo {b} minggu {n}?",
    "lagi antre di {b}, urutan {n}",
    "{b} bagus, puas belanja ke-{n}",
    "senang belanja di {b}, sudah ke-{n}",
)
CALM = (*JOY, "kecewa, {b} lambat menjawab tiket {n}")
ANGRY = (
    "parah, {b} tidak bisa dibuka sejak pagi, sudah {n} kali coba",
    "kecewa berat, paket {b} nomor {n} tidak pernah sampai",
    "{b} payah, kurir tidak datang, aduan {n} diabaikan",
    "buruk sekali {b}, barang {n} rusak dan tidak diganti",
)


@dataclass(frozen=True)
class Burst:
    """More mentions of a brand from one time to another (epoch seconds)."""

    brand: str
    begin: float
    end: float
    a_minute: float
    angry: bool

    def at(self, now: float) -> float:
        """Mentions a minute at a time."""
        return self.a_minute if self.begin <= now < self.end else 0.0


@dataclass
class Traffic:
    """Publishes from `cursor` to `until` (epoch seconds) at once, then waits for `go`."""

    settings: LogSettings
    usual: Mapping[str, float]
    """Mentions a minute by brand."""
    cursor: float
    until: float
    seed: int = 4
    bursts: list[Burst] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)
    """Wall time at which the first mention of a brand's first burst was on the log."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._numbers = count()
        self._batcher = Batcher()
        self._past, self._gone, self._over = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Until the past is on the log."""
        assert self._past.wait(timeout_s), "the past is not on the log yet"

    def go(self) -> None:
        """Follow the clock from here on; what lies between goes at once."""
        self._gone.set()

    def stop(self) -> None:
        """End, and wait for it."""
        self._over.set()
        self._gone.set()
        self._thread.join()

    async def _run(self) -> None:
        self._log = KafkaLog(self.settings)
        await self._log.ensure(all_topics("siaga"))
        while self.cursor < self.until and not self._over.is_set():
            end = min(self.cursor + PAST_TICK_S, self.until)
            await self._publish(end, tick=True)
        self._past.set()
        await asyncio.to_thread(self._gone.wait)
        ticked = 0.0
        while not self._over.is_set():
            now = time.time()
            due = now - ticked >= TICK_S
            ticked = now if due else ticked
            await self._publish(now, tick=due)
            await asyncio.sleep(STEP_S)
        await self._log.close()

    async def _publish(self, until: float, *, tick: bool) -> None:
        began: set[str] = set()
        batches: list[Batch] = []
        for at, brand, texts, burst in sorted(self._between(self.cursor, until)):
            began |= {brand} if burst else set()
            batches += self._batcher.add(brand, self._mention(brand, at, texts), now=at)
        batches += self._batcher.flush()
        entries = [Entry(MENTIONS, b.brand.encode(), codec.encode(b)) for b in batches]
        if tick:
            when = datetime.fromtimestamp(until, UTC)
            word = codec.encode(Tick(SOURCE, watermark=when, clock=when))
            everywhere = range(self.settings.partitions)
            entries += [Entry(MENTIONS, SOURCE.encode(), word, p) for p in everywhere]
        self.cursor = until
        if entries:
            await self._log.append(entries)
        for brand in began:
            self.first.setdefault(brand, time.time())

    def _between(
        self, begin: float, end: float
    ) -> Iterator[tuple[float, str, Sequence[str], bool]]:
        """Time, brand, what people may write, whether it belongs to a burst."""
        for brand, a_minute in self.usual.items():
            yield from ((at, brand, CALM, False) for at in self._times(begin, end, a_minute))
        for burst in list(self.bursts):
            found = self._times(max(begin, burst.begin), min(end, burst.end), burst.a_minute)
            yield from ((at, burst.brand, ANGRY if burst.angry else JOY, True) for at in found)

    def _times(self, begin: float, end: float, a_minute: float) -> Iterator[float]:
        """A Poisson process."""
        at = begin
        while (at := at + self._random.expovariate(a_minute / MINUTE_S)) < end:
            yield at

    def _mention(self, brand: str, at: float, texts: Sequence[str]) -> Mention:
        n = next(self._numbers)
        text = self._random.choice(texts)
        published = datetime.fromtimestamp(at, UTC)
        return Mention(
            id=f"{SOURCE}:{n}",
            source=SOURCE,
            published_at=published,
            collected_at=published,
            text=text.format(b=brand, n=n),
            author=f"orang{self._random.randrange(20_000)}",
        )
