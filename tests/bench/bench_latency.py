"""From published to visible in `/metrics` at 1,000 mentions a second on the real Kafka.

    make bench-latency                  # or ARGS="--seconds 60 --rate 1000"

Twenty busy brands and a quiet one (a mention a second) go through the connectors' own batches to
one worker process. A mention is visible at the first look at `/metrics` whose total of its brand
includes it; looks are some 50 ms apart, which is part of every figure.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from measured import TEXTS, Rows, quantile  # noqa: E402 - a script finds its helpers first
from one_worker import Placed, one_worker, publish  # noqa: E402

from streams.log.kafka import KafkaLog  # noqa: E402
from streams.records import Mention  # noqa: E402

BUSY = tuple(f"toko-{n}" for n in range(20))
QUIET = "sepi"
STEP_S = 0.02
LOOK_EVERY_S = 0.05
TOTAL = re.compile(rb'^siaga_mentions_total\{brand="([^"]+)".*\} (\S+)$', re.MULTILINE)
GOALS = {"p50 quiet": 0.15, "p99": 1.0}


class Seen(NamedTuple):
    """Totals by brand at a time."""

    at_s: float
    totals: dict[str, float]


async def load(log: KafkaLog, seconds: float, rate: int) -> dict[str, list[float]]:
    """Publish at a rate; return the time at which each brand's mentions were made, in order."""
    made: dict[str, list[float]] = {brand: [] for brand in (*BUSY, QUIET)}
    n = quiet = 0

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

    def due(passed_s: float) -> Iterator[tuple[str, Mention]]:
        nonlocal n, quiet
        now_s = time.monotonic()
        while n < passed_s * rate:
            brand = BUSY[n % len(BUSY)]
            yield brand, mention(brand, now_s)
            n += 1
        if quiet < passed_s:
            yield QUIET, mention(QUIET, now_s)
            quiet += 1

    await publish(log, seconds, due, source="bench", step_s=STEP_S)
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


async def measure(at: Placed, seconds: float, rate: int) -> dict[str, float]:
    """Load and look at once; the figures."""
    log = at.log()
    seen: list[Seen] = []
    # The first seconds warm the worker and are not counted.
    looking = asyncio.create_task(look(at.port, seen))
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
    with one_worker("latency", (*BUSY, QUIET)) as at:
        found = asyncio.run(measure(at, asked.seconds, asked.rate))
    rows = Rows("latency")
    for metric, value in found.items():
        rows.add(f"{asked.rate} mentions/s", metric, value, "s", goal=GOALS.get(metric))
    rows.write()


if __name__ == "__main__":
    main()
