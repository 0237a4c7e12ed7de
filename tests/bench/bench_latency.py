"""From published to visible in `/metrics` at 1,000 mentions a second on the real Kafka.

    make bench-latency                  # or ARGS="--seconds 60 --rate 1000"

Twenty busy brands and a quiet one (a mention a second) go through the connectors' own batches to
one worker process. A mention is visible at the first look at `/metrics` whose total of its brand
includes it; looks are some 50 ms apart, which is part of every figure.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from chain import free_port, siaga, wait_for  # noqa: E402 - a script finds its helpers first
from services import EPHEMERAL, start  # noqa: E402

from connectors.ingest.batch import Batcher  # noqa: E402
from streams import codec  # noqa: E402
from streams.log.kafka import KafkaLog  # noqa: E402
from streams.log.port import Entry  # noqa: E402
from streams.records import Mention, Tick  # noqa: E402
from streams.settings import LogSettings  # noqa: E402
from streams.topics import MENTIONS, all_topics  # noqa: E402

BUSY = tuple(f"toko-{n}" for n in range(20))
QUIET = "sepi"
PARTITIONS = 12
STEP_S = 0.02
LOOK_EVERY_S = 0.05
TEXTS = (
    "paket belum sampai sudah seminggu, tolong dicek",
    "mantap, pengiriman cepat sekali",
    "jam buka besok berapa ya?",
    "aplikasi error terus waktu bayar, kecewa",
)
TOTAL = re.compile(rb'^siaga_mentions_total\{brand="([^"]+)".*\} (\S+)$', re.MULTILINE)
GOALS = {"p50 quiet": 0.15, "p99": 1.0}


class Seen(NamedTuple):
    """Totals by brand at a time."""

    at_s: float
    totals: dict[str, float]


async def load(log: KafkaLog, seconds: float, rate: int) -> dict[str, list[float]]:
    """Publish at a rate; return the time at which each brand's mentions were made, in order."""
    made: dict[str, list[float]] = {brand: [] for brand in (*BUSY, QUIET)}
    batcher = Batcher()
    sending: set[asyncio.Task[None]] = set()
    begin = time.monotonic()
    n, quiet, ticked = 0, 0, -10.0

    def mention(brand: str, now_s: float) -> Mention:
        made[brand].append(now_s)
        at = datetime.now(UTC)
        count = len(made[brand])
        return Mention(
            id=f"bench:{brand}:{count}",
            source="bench",
            published_at=at,
            collected_at=at,
            text=TEXTS[count % len(TEXTS)],
            author=f"akun{count % 5_000}",
        )

    while (passed := time.monotonic() - begin) < seconds:
        now_s = time.monotonic()
        batches = []
        while n < passed * rate:
            brand = BUSY[n % len(BUSY)]
            batches += batcher.add(brand, mention(brand, now_s), now=now_s)
            n += 1
        if quiet < passed:
            batches += batcher.add(QUIET, mention(QUIET, now_s), now=now_s)
            quiet += 1
        batches += batcher.due(now=now_s)
        entries = [Entry(MENTIONS, b.brand.encode(), codec.encode(b)) for b in batches]
        if passed - ticked >= 5.0:
            ticked = passed
            clock = datetime.now(UTC)
            tick = codec.encode(Tick("bench", watermark=clock, clock=clock))
            entries += [Entry(MENTIONS, b"bench", tick, p) for p in range(PARTITIONS)]
        if entries:
            task = asyncio.create_task(log.append(entries))
            sending.add(task)
            task.add_done_callback(sending.discard)
        await asyncio.sleep(STEP_S)
    last = [Entry(MENTIONS, b.brand.encode(), codec.encode(b)) for b in batcher.flush()]
    await log.append(last)
    await asyncio.gather(*sending)
    return made


async def look(port: int, seen: list[Seen]) -> None:
    """Read `/metrics` for ever."""
    async with httpx.AsyncClient(timeout=10) as client:
        while True:
            try:
                text = (await client.get(f"http://127.0.0.1:{port}/metrics")).content
            except httpx.TransportError:
                await asyncio.sleep(0.2)
                continue
            totals: dict[str, float] = {}
            for brand, value in TOTAL.findall(text):
                name = brand.decode()
                totals[name] = totals.get(name, 0.0) + float(value)
            seen.append(Seen(time.monotonic(), totals))
            await asyncio.sleep(LOOK_EVERY_S)


def latencies(made: list[float], brand: str, seen: list[Seen]) -> list[float]:
    """Seconds from each mention to the first look that shows it."""
    found: list[float] = []
    looks = iter(seen)
    at = next(looks)
    for n, made_s in enumerate(made, 1):
        while at.totals.get(brand, 0.0) < n:
            at = next(looks)
        found.append(at.at_s - made_s)
    return found


def quantile(values: list[float], q: float) -> float:
    """The q-th quantile."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]


async def measure(kafka: str, port: int, seconds: float, rate: int) -> dict[str, float]:
    """Load and look at once; the figures."""
    log = KafkaLog(LogSettings(kind="kafka", bootstrap=(kafka,)))
    seen: list[Seen] = []
    # The first seconds warm the worker and are not counted.
    looking = asyncio.create_task(look(port, seen))
    made = await load(log, seconds, rate)
    wanted = sum(map(len, made.values()))
    end = time.monotonic() + 60
    while sum(seen[-1].totals.values()) < wanted:
        if time.monotonic() > end:
            raise RuntimeError(f"{wanted} published, {sum(seen[-1].totals.values()):.0f} seen")
        await asyncio.sleep(0.2)
    looking.cancel()
    await log.close()
    warm_s = min(times[0] for times in made.values()) + 5.0
    busy, quiet = [], []
    for brand, times in made.items():
        late = latencies(times, brand, seen)
        kept = [x for x, made_s in zip(late, times, strict=True) if made_s > warm_s]
        (quiet if brand == QUIET else busy).extend(kept)
    everything = busy + quiet
    return {
        "p50": quantile(everything, 0.5),
        "p99": quantile(everything, 0.99),
        "p99.9": quantile(everything, 0.999),
        "p50 quiet": quantile(quiet, 0.5),
        "p99 quiet": quantile(quiet, 0.99),
    }


def main() -> None:
    """Start Kafka and a worker, measure, print, write build/bench/latency.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=1000)
    asked = parser.parse_args()
    folder = ROOT / "build" / "bench" / f"latency-{int(time.time())}"
    folder.mkdir(parents=True)
    services = start(["kafka"], folder / "services", ports=EPHEMERAL)
    try:
        assert services.kafka is not None
        kafka, port = services.kafka.address, free_port()
        brands = "".join(f'[brands.{b}]\nnames = ["{b}"]\n' for b in (*BUSY, QUIET))
        (folder / "siaga.toml").write_text(
            f'[log]\nkind = "kafka"\nbootstrap = ["{kafka}"]\n[metrics]\nport = {port}\n{brands}'
        )

        async def ensure() -> None:
            log = KafkaLog(LogSettings(kind="kafka", bootstrap=(kafka,)))
            await log.ensure(all_topics("siaga"))
            await log.close()

        asyncio.run(ensure())
        told = folder / "worker.log"
        with siaga(folder, "worker", name="worker") as worker:
            wait_for(
                "the worker's partitions",
                lambda: told.exists() and "owns 12" in told.read_text(),
                timeout_s=60,
                running=[worker],
            )
            found = asyncio.run(measure(kafka, port, asked.seconds, asked.rate))
    finally:
        services.destroy()
    rows = []
    for metric, value in found.items():
        goal = GOALS.get(metric)
        print(f"{metric:10} {value * 1000:8.0f} ms" + (f"  goal {goal * 1000:.0f}" if goal else ""))
        rows.append(
            {
                "case": f"{asked.rate} mentions/s",
                "metric": metric,
                "value": round(value, 4),
                "unit": "s",
                "reference": goal,
                "ratio": round(value / goal, 3) if goal else None,
            }
        )
    (ROOT / "build" / "bench" / "latency.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
