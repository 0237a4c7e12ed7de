"""What many brands cost one `siaga worker` on the real Kafka: memory, CPU, changelog, recovery.

    make bench-brands                   # or ARGS="--sizes 100 1000 --days 1 --seconds 60"

One brand in twenty is active: a mention a minute. Every other one was mentioned three times since
the history began. The history is worked first, at full speed, in its own event time; then the
worker lives through `--seconds` of wall time, which is what CPU and the changelog's bytes are taken
from (a day's are that rate times a day). `/metrics` is read every 5 s in the second half of it.

Whether a scrape stalls the stream is asked with 40 mentions a second: from the time at which one is
made to the time that its scored record carries, apart by whether a scrape went on meanwhile. Then
the worker is killed with -9 and started again while mentions keep coming.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from chain import free_port, siaga, wait_for  # noqa: E402 - a script finds its helpers first
from measured import Rows, cpu_s, load_now, memory_mib, quantile  # noqa: E402
from services import EPHEMERAL, start  # noqa: E402

from streams import codec  # noqa: E402
from streams.log.kafka import KafkaLog  # noqa: E402
from streams.log.port import Entry  # noqa: E402
from streams.records import Batch, Mention, Tick  # noqa: E402
from streams.settings import LogSettings  # noqa: E402
from streams.topics import MENTIONS, SCORED, all_topics, state_topic  # noqa: E402

SIZES = (100, 1_000, 10_000)
ACTIVE_ONE_IN = 20
PARTITIONS = 12
CHUNK = timedelta(minutes=15)
"""Of history that is published at a time, each brand's mentions of it in one record."""
IDLE_MENTIONS = 3
SCRAPE_EVERY_S = 5.0
PROBES_PER_S = 40
PROBE_S = 40.0
SETTLE_S = 12.0
CAUGHT_UP_LOOK_S = 10.0
"""Seldom: a look costs the worker CPU that the history is not to blame for."""
DAY_S = 86_400
GOALS = {"memory": 1024.0, "cpu": 0.25, "recovery": 30.0, "scrape": 1.0}
"""At 10,000 brands: MiB, share of a core, seconds, seconds."""
TEXTS = (
    "paket belum sampai sudah seminggu, tolong dicek",
    "mantap, pengiriman cepat sekali",
    "jam buka besok berapa ya?",
    "terima kasih, respon admin ramah",
    "aplikasi error waktu bayar, kecewa",
)


class Scrape(NamedTuple):
    """When `/metrics` was asked and had answered, in epoch seconds, and how much came."""

    begin_s: float
    end_s: float
    size: int


@dataclass
class Bench:
    """One worker with so many brands, and what is sent to it."""

    brands: int
    log: KafkaLog
    port: int
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    sent: int = 0
    """Records appended to the mentions topic."""
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

    async def append(self, entries: list[Entry]) -> None:
        self.sent += len(entries)
        await self.log.append(entries)

    def tick(self, at: datetime) -> list[Entry]:
        tick = codec.encode(Tick("forum", watermark=at, clock=at))
        return [Entry(MENTIONS, b"forum", tick, p) for p in range(PARTITIONS)]

    async def history(self, begin: datetime, end: datetime) -> None:
        """Publish what the brands were told between two times."""
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
            await self.append([*entries, *self.tick(from_ + CHUNK)])

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
                await self.append(entries)
            await asyncio.sleep(0.01)

    async def scrape(self) -> str:
        async with httpx.AsyncClient(timeout=60) as client:
            begin_s = time.time()
            reply = await client.get(f"http://127.0.0.1:{self.port}/metrics")
            self.scrapes.append(Scrape(begin_s, time.time(), len(reply.content)))
        return reply.text

    async def taken(self) -> int:
        """Records that the worker has taken since it started."""
        text = await self.scrape()
        return int(float(next(figures(text, "siaga_worker_records_total "))))

    async def caught_up(self) -> None:
        while await self.taken() < self.sent:  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(CAUGHT_UP_LOOK_S)


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


async def changelog_bytes(log: KafkaLog, begin: dict[int, int], end: dict[int, int]) -> int:
    """Bytes of keys and values between two positions of the state topic, uncompressed."""
    total = 0
    async for chunk in log.read(state_topic("siaga"), start=begin):
        total += sum(
            len(r.key or b"") + len(r.value or b"") for r in chunk if r.offset < end[r.partition]
        )
    return total


async def scraping(bench: Bench) -> None:
    """Read `/metrics` every 5 s until cancelled."""
    while True:
        await bench.scrape()
        await asyncio.sleep(SCRAPE_EVERY_S)


async def live(bench: Bench, pid: int, seconds: float, rows: Rows, case: str) -> None:
    """CPU and changelog at a trickle, without and with scrapes."""
    per_s = len(bench.active) / 60
    await bench.trickle(SETTLE_S, per_s=per_s)
    state = state_topic("siaga")
    begin = await bench.log.ends(state)
    before_s, cpu_before = time.monotonic(), cpu_s(pid)
    await bench.trickle(seconds / 2, per_s=per_s)
    alone = (cpu_s(pid) - cpu_before) / (time.monotonic() - before_s)
    bench.scrapes.clear()
    middle_s, cpu_middle = time.monotonic(), cpu_s(pid)
    task = asyncio.create_task(scraping(bench))
    await bench.trickle(seconds / 2, per_s=per_s)
    task.cancel()
    watched = (cpu_s(pid) - cpu_middle) / (time.monotonic() - middle_s)
    passed_s = time.monotonic() - before_s
    await asyncio.sleep(1.0)
    written = await changelog_bytes(bench.log, begin, await bench.log.ends(state))
    goal = GOALS if bench.brands == SIZES[-1] else {}
    rows.add(case, "CPU, no scrape", alone, "cores")
    rows.add(case, "CPU, a scrape every 5 s", watched, "cores", goal=goal.get("cpu"))
    rows.add(case, "changelog a day, by wall time", written / passed_s * DAY_S / 1e9, "GB")
    worst = max(s.end_s - s.begin_s for s in bench.scrapes)
    rows.add(case, "scrape, worst", worst, "s", goal=goal.get("scrape"))
    rows.add(case, "scrape, size", bench.scrapes[-1].size / 1e6, "MB")
    memory = memory_mib(pid)
    rows.add(case, "memory", memory, "MiB", goal=goal.get("memory"))


async def stall(bench: Bench, rows: Rows, case: str) -> None:
    """Latencies with and without a scrape going on."""
    bench.scrapes.clear()
    async with scored(bench.log) as found:
        task = asyncio.create_task(scraping(bench))
        await bench.trickle(PROBE_S, per_s=PROBES_PER_S)
        task.cancel()
        await asyncio.sleep(3.0)
    beside: list[float] = []
    during: list[float] = []
    for made_s, sent_s in found:
        hit = any(made_s < s.end_s and sent_s > s.begin_s for s in bench.scrapes)
        (during if hit else beside).append(sent_s - made_s)
    for what, values in (("beside scrapes", beside), ("during a scrape", during)):
        for q, name in ((0.5, "p50"), (0.99, "p99"), (1.0, "worst")):
            rows.add(case, f"made to scored {what}, {name}", quantile(values, q), "s")


async def work(
    brands: int, kafka: str, folder: Path, asked: argparse.Namespace, rows: Rows
) -> None:
    """All figures of one number of brands."""
    case, prefix, port = f"{brands:,} brands", f"brands{brands}.", free_port()
    log = KafkaLog(LogSettings(kind="kafka", bootstrap=(kafka,), prefix=prefix))
    await log.ensure(all_topics("siaga"))
    tables = "".join(f'[brands.{b}]\nnames = ["{b}"]\n' for b in names(brands))
    (folder / "siaga.toml").write_text(
        f'[log]\nkind = "kafka"\nbootstrap = ["{kafka}"]\nprefix = "{prefix}"\n'
        f"partitions = {PARTITIONS}\n[metrics]\nport = {port}\n{tables}"
    )
    told = folder / "worker.log"

    def owns(times: int) -> bool:
        return told.exists() and told.read_text().count(f"owns {PARTITIONS}") >= times

    bench = Bench(brands, log, port)
    goal = GOALS if brands == SIZES[-1] else {}
    print(f"\n{case}, {len(bench.active)} of them active; {load_now()}", flush=True)
    with ExitStack() as running:
        worker = running.enter_context(siaga(folder, "worker", name="worker"))
        await asyncio.to_thread(
            wait_for, "partitions", lambda: owns(1), timeout_s=120, running=[worker]
        )
        empty = memory_mib(worker.pid)
        rows.add(case, "memory with no brand seen", empty, "MiB")
        begin = datetime.now(UTC) - timedelta(days=asked.days)
        for day in range(asked.days):
            used, mentions = cpu_s(worker.pid), bench.mentions
            await bench.history(begin + timedelta(days=day), begin + timedelta(days=day + 1))
            await bench.caught_up()
            used = (cpu_s(worker.pid) - used) / (bench.mentions - mentions) * 1e6
            rows.add(case, f"memory after day {day + 1}", memory_mib(worker.pid), "MiB")
            rows.add(case, f"CPU a mention of day {day + 1}", used, "us")
        await live(bench, worker.pid, asked.seconds, rows, case)
        rows.add(case, "memory a brand", (memory_mib(worker.pid) - empty) / brands * 1024, "KiB")
        await stall(bench, rows, case)
        more = asyncio.create_task(bench.trickle(600, per_s=len(bench.active) / 60 + 5))
        await asyncio.sleep(5.0)
        worker.kill()
        worker.wait()
        killed_s = time.time()
        again = running.enter_context(siaga(folder, "worker", name="worker"))
        async with scored(log) as found:
            while not any(sent_s > killed_s for _, sent_s in found):
                if again.poll() is not None or time.time() - killed_s > 300:
                    raise RuntimeError(told.read_text()[-3000:])
                await asyncio.sleep(0.05)
            first_s = min(sent_s for _, sent_s in found if sent_s > killed_s)
        rows.add(
            case, "kill -9 to first processed", first_s - killed_s, "s", goal=goal.get("recovery")
        )
        await asyncio.sleep(5.0)
        peak = memory_mib(again.pid, peak=True)
        rows.add(case, "memory at its highest, restored", peak, "MiB", goal=goal.get("memory"))
        print([ln for ln in told.read_text().splitlines() if "Restored" in ln][-1])
        more.cancel()
        again.kill()  # nothing more is asked of it
    await log.close()


def main() -> None:
    """Start Kafka, work every size, write build/bench/brands.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--days", type=int, default=2, help="of history (dedupe keeps two)")
    parser.add_argument("--seconds", type=float, default=120.0, help="of live trickle")
    asked = parser.parse_args()
    rows = Rows("brands")
    folder = ROOT / "build" / "bench" / f"brands-{int(time.time())}"
    for brands in asked.sizes:
        where = folder / str(brands)
        where.mkdir(parents=True)
        services = start(["kafka"], where / "services", ports=EPHEMERAL)
        try:
            assert services.kafka is not None
            asyncio.run(work(brands, services.kafka.address, where, asked, rows))
        finally:
            services.destroy()
    if set(SIZES) <= set(asked.sizes):
        rows.write()  # a part of it replaces no whole


if __name__ == "__main__":
    main()
