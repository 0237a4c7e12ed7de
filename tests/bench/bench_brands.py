"""What many brands, and a long past, cost one `siaga worker` on the real Kafka.

    make bench-brands                   # or ARGS="--sizes 100 1000 --past 0 --seconds 60"

One brand in twenty is active: a mention a minute. Every other one is mentioned three times a day.
The history is worked first, at full speed, in its own event time; then the
worker lives through `--seconds` of wall time, which is what CPU and the changelog's bytes are taken
from (a day's are that rate times a day). `/metrics` is read every 5 s in the second half of it.

Whether a scrape stalls the stream is asked at the largest size, with 40 mentions a second: from the
time at which one is made to the time that its scored record carries, apart by whether a scrape went
on meanwhile. Then the worker is killed with -9 and started again while mentions keep coming, and at
last it is asked to stop.

Last come 3 and `--past` days of 200 brands: ids are kept for two days, so from the third on as many
are forgotten as come, and their ratio is to be 1. A changelog is compacted within the hour; there,
where a day passes in seconds, within those.
"""

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from brand_load import PARTITIONS, Load, figures, names, scored  # noqa: E402 - a script finds its helpers first
from chain import free_port, siaga, wait_for  # noqa: E402
from kafka import KafkaAdminClient  # noqa: E402
from kafka.admin import ConfigResource, ConfigResourceType  # noqa: E402
from measured import Rows, cpu_s, load_now, memory_mib, quantile  # noqa: E402
from services import EPHEMERAL, KafkaOptions, start  # noqa: E402

from streams.log.kafka import KafkaLog  # noqa: E402
from streams.settings import LogSettings  # noqa: E402
from streams.topics import all_topics, state_topic  # noqa: E402

SIZES = (100, 1_000, 10_000)
PAST_BRANDS = 200
SETTLED_DAYS, PAST_DAYS = 3, 7
SETTLED_PER_S = 2.0
"""Live mentions of the compared cases: at the rate of the others half a minute is luck."""
SCRAPE_EVERY_S = 5.0
PROBES_PER_S = 40
PROBE_S = 30.0
SETTLE_S = 6.0
DAY_S = 86_400
GOALS = {"memory": 1024.0, "cpu": 0.25, "recovery": 30.0, "scrape": 1.0, "stop": 5.0}
"""At 10,000 brands: MiB, share of a core, seconds."""
FLAT = 1.2
"""So many times the figure of three days is still no growth."""
GROWTH = (
    "memory",
    "memory at its highest, restored",
    "CPU a mention of the last day",
    "CPU from the start to it",
    "changelog values restored",
    "changelog restored",
)
"""Figures that hardly depend on what else the machine does."""
STATE = state_topic("siaga")
SOON = {
    "segment.ms": "5000",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "5000",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "1000",
}


@dataclass
class Bench:
    """One worker, its load and its figures."""

    case: str
    load: Load
    rows: Rows
    folder: Path
    running: ExitStack
    per_s: float
    """Live mentions."""
    goals: dict[str, float] = field(default_factory=dict)
    starts: int = 0

    @property
    def told(self) -> str:
        """What the worker has logged."""
        path = self.folder / "worker.log"
        return path.read_text() if path.exists() else ""

    def add(self, metric: str, value: float, unit: str, goal: str = "") -> None:
        """One figure, beside its goal if this case has one."""
        self.rows.add(self.case, metric, value, unit, goal=self.goals.get(goal))

    def begin(self) -> "Popen[bytes]":
        """Start the worker."""
        self.starts += 1
        return self.running.enter_context(siaga(self.folder, "worker", name="worker"))

    def owns(self) -> bool:
        """Whether the worker of the last start has its partitions."""
        return self.told.count(f"owns {PARTITIONS}") >= self.starts


async def changelog_bytes(log: KafkaLog, begin: dict[int, int], end: dict[int, int]) -> int:
    """Bytes of keys and values between two positions of the state topic, uncompressed."""
    total = 0
    async for chunk in log.read(STATE, start=begin):
        total += sum(
            len(r.key or b"") + len(r.value or b"") for r in chunk if r.offset < end[r.partition]
        )
    return total


async def scraping(load: Load) -> None:
    """Read `/metrics` every 5 s until cancelled."""
    while True:
        await load.scrape()
        await asyncio.sleep(SCRAPE_EVERY_S)


async def past(bench: Bench, pid: int, hours: int) -> None:
    """Work the hours of history up to now, day by day."""
    load, begin = bench.load, datetime.now(UTC) - timedelta(hours=hours)
    for day in range(0, hours, 24):
        used, mentions = cpu_s(pid), load.mentions
        end = min(day + 24, hours)
        await load.history(begin + timedelta(hours=day), begin + timedelta(hours=end))
        await load.caught_up()
    used = (cpu_s(pid) - used) / (load.mentions - mentions) * 1e6
    bench.add("CPU a mention of the last day", used, "us")


async def live(bench: Bench, pid: int, seconds: float) -> None:
    """CPU and changelog at a trickle, without and with scrapes."""
    load = bench.load
    per_s = bench.per_s
    await load.trickle(SETTLE_S, per_s=per_s)
    begin = await load.log.ends(STATE)
    before_s, cpu_before = time.monotonic(), cpu_s(pid)
    await load.trickle(seconds / 2, per_s=per_s)
    alone = (cpu_s(pid) - cpu_before) / (time.monotonic() - before_s)
    load.scrapes.clear()
    middle_s, cpu_middle = time.monotonic(), cpu_s(pid)
    task = asyncio.create_task(scraping(load))
    await load.trickle(seconds / 2, per_s=per_s)
    task.cancel()
    watched = (cpu_s(pid) - cpu_middle) / (time.monotonic() - middle_s)
    passed_s = time.monotonic() - before_s
    await asyncio.sleep(1.0)
    written = await changelog_bytes(load.log, begin, await load.log.ends(STATE))
    bench.add("CPU, no scrape", alone, "cores")
    bench.add("CPU, a scrape every 5 s", watched, "cores", "cpu")
    bench.add("changelog a day, by wall time", written / passed_s * DAY_S / 1e9, "GB")
    bench.add("scrape, worst", max(s.end_s - s.begin_s for s in load.scrapes), "s", "scrape")
    bench.add("scrape, size", load.scrapes[-1].size / 1e6, "MB")
    bench.add("memory", memory_mib(pid), "MiB", "memory")


async def stall(bench: Bench) -> None:
    """Latencies with and without a scrape going on."""
    load = bench.load
    load.scrapes.clear()
    async with scored(load.log) as found:
        task = asyncio.create_task(scraping(load))
        await load.trickle(PROBE_S, per_s=PROBES_PER_S)
        task.cancel()
        await asyncio.sleep(3.0)
    beside: list[float] = []
    during: list[float] = []
    for made_s, sent_s in found:
        hit = any(made_s < s.end_s and sent_s > s.begin_s for s in load.scrapes)
        (during if hit else beside).append(sent_s - made_s)
    for what, values in (("beside scrapes", beside), ("during a scrape", during)):
        for q, name in ((0.5, "p50"), (0.99, "p99"), (1.0, "worst")):
            bench.add(f"made to scored {what}, {name}", quantile(values, q), "s")


async def killed(bench: Bench, worker: "Popen[bytes]") -> "Popen[bytes]":
    """Kill with -9 amid live mentions and start again; the new worker."""
    load = bench.load
    more = asyncio.create_task(load.trickle(600, per_s=len(load.active) / 60 + 5))
    await asyncio.sleep(5.0)
    worker.kill()
    worker.wait()
    killed_s = time.time()
    again = bench.begin()
    async with scored(load.log) as found:
        while not any(sent_s > killed_s for _, sent_s in found):
            if again.poll() is not None or time.time() - killed_s > 300:
                raise RuntimeError(bench.told[-3000:])
            await asyncio.sleep(0.05)
        used_s = cpu_s(again.pid)
        first_s = min(sent_s for _, sent_s in found if sent_s > killed_s)
    bench.add("kill -9 to first processed", first_s - killed_s, "s", "recovery")
    bench.add("CPU from the start to it", used_s, "s")
    await load.caught_up()
    values = float(next(figures(await load.scrape(), "siaga_worker_restored_values_total ")))
    bench.add("changelog values restored", values, "values")
    written = await changelog_bytes(load.log, {}, await load.log.ends(STATE))
    bench.add("changelog restored", written / 1e6, "MB")
    peak = memory_mib(again.pid, peak=True)
    bench.add("memory at its highest, restored", peak, "MiB", "memory")
    more.cancel()
    return again


def stopped(bench: Bench, worker: "Popen[bytes]") -> None:
    """Ask the worker to stop."""
    begin_s = time.monotonic()
    worker.terminate()
    worker.wait(120)
    bench.add("SIGTERM to its end", time.monotonic() - begin_s, "s", "stop")


async def work(bench: Bench, hours: int, seconds: float, *, probe: bool) -> None:
    """All figures of one case."""
    worker, load = bench.begin(), bench.load
    await asyncio.to_thread(wait_for, "partitions", bench.owns, timeout_s=120, running=[worker])
    empty = memory_mib(worker.pid)
    bench.add("memory with no brand seen", empty, "MiB")
    await past(bench, worker.pid, hours)
    await live(bench, worker.pid, seconds)
    of_a_brand = (memory_mib(worker.pid) - empty) / load.brands * 1024
    bench.add("memory a brand", of_a_brand, "KiB")
    if probe:
        await stall(bench)
    stopped(bench, await killed(bench, worker))


def growth(rows: Rows, short: str, long: str) -> None:
    """What the longer past costs, as a ratio to the shorter one."""
    found = {(row["case"], row["metric"]): row["value"] for row in rows.rows}
    for metric in GROWTH:
        ratio = found[long, metric] / found[short, metric]
        rows.add(f"{long} to {short.rpartition(', ')[2]}", metric, ratio, "ratio", goal=FLAT)


def _compact_soon(kafka: str, topic: str) -> None:
    """Let the broker compact a topic within seconds, as it does within an hour."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, SOON)])
    finally:
        admin.close()


async def run(
    case: str,
    brands: int,
    hours: int,
    asked: argparse.Namespace,
    rows: Rows,
    *,
    settled: bool = False,
) -> None:
    """One case on a Kafka of its own; `settled`: its changelog is compacted as it goes."""
    folder = asked.folder / case.replace(" ", "-").replace(",", "")
    quick = KafkaOptions(properties={"log.cleaner.backoff.ms": "1000"} if settled else {})
    services = start(["kafka"], folder / "services", ports=EPHEMERAL, kafka=quick)
    try:
        assert services.kafka is not None
        kafka, port, prefix = services.kafka.address, free_port(), f"brands{brands}."
        log = KafkaLog(LogSettings(kind="kafka", bootstrap=(kafka,), prefix=prefix))
        await log.ensure(all_topics("siaga"))
        if settled:
            await asyncio.to_thread(_compact_soon, kafka, prefix + STATE)
        tables = "".join(f'[brands.{b}]\nnames = ["{b}"]\n' for b in names(brands))
        (folder / "siaga.toml").write_text(
            f'[log]\nkind = "kafka"\nbootstrap = ["{kafka}"]\nprefix = "{prefix}"\n'
            f"partitions = {PARTITIONS}\n[metrics]\nport = {port}\n{tables}"
        )
        load = Load(brands, log, port)
        goals = GOALS if brands == SIZES[-1] else {}
        print(f"\n{case}, {len(load.active)} brands active; {load_now()}", flush=True)
        with ExitStack() as running:
            per_s = SETTLED_PER_S if settled else len(load.active) / 60
            bench = Bench(case, load, rows, folder, running, per_s, goals)
            probe = not settled and brands == max(asked.sizes)
            await work(bench, hours, asked.seconds, probe=probe)
        await log.close()
    finally:
        services.destroy()


def main() -> None:
    """Start Kafka, work every case, write build/bench/brands.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--hours", type=int, default=12, help="of history at each size")
    parser.add_argument("--seconds", type=float, default=30.0, help="of live trickle")
    parser.add_argument("--past", type=int, default=PAST_DAYS, help="days of a long past; 0: none")
    parser.add_argument("--past-brands", type=int, default=PAST_BRANDS)
    asked = parser.parse_args()
    rows = Rows("brands")
    asked.folder = ROOT / "build" / "bench" / f"brands-{int(time.time())}"
    for brands in asked.sizes:
        asyncio.run(run(f"{brands:,} brands", brands, asked.hours, asked, rows))
    if asked.past:
        cases = {days: f"{asked.past_brands:,} brands, {days} days"
                 for days in (SETTLED_DAYS, asked.past)}  # fmt: skip
        for days, case in cases.items():
            asyncio.run(run(case, asked.past_brands, 24 * days, asked, rows, settled=True))
        growth(rows, cases[SETTLED_DAYS], cases[asked.past])
    if set(SIZES) <= set(asked.sizes) and asked.past:
        rows.write()  # a part of it replaces no whole


if __name__ == "__main__":
    main()
