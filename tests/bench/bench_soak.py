"""A worker under steady load on the real Kafka: memory over time, CPU, lag.

    make bench-soak MINUTES=30 RATE=2000

The simulated shop's texts of twenty brands, through the connectors' own batches. Once a second the
lag is taken: the age of the oldest mention that was made and does not show in `/metrics` yet.

The first third settles (at least `SETTLES_S`: by then slots of ids have come and gone). The growth
is the slope of a straight line through the memory of the rest; beside it stand the slopes of that
rest's halves, which tell a slow climb from one that ends, and how far the memory swings about the
line. Kafka's share of the lag is how long an append waits for its acknowledgement.
"""

import argparse
import asyncio
import re
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from bench_latency import TOTAL  # noqa: E402 - a script finds its helpers first
from bench_throughput import texts  # noqa: E402
from measured import MIB, Rows, cpu_s, load_now, memory_mib, quantile  # noqa: E402
from one_worker import Placed, one_worker, publish  # noqa: E402

from streams.log.kafka import KafkaLog  # noqa: E402
from streams.records import Mention  # noqa: E402

BRANDS = tuple(f"toko-{n}" for n in range(20))
STEP_S = 0.05
LOOK_EVERY_S = 1.0
TOLD_EVERY_S = 30.0
LAG_GOAL_S = 1.0
GROWTH_GOAL = 0.2
"""MiB a minute. Ids in memory would be 0.9 at least."""
SETTLES_S = 600.0
SCRATCH = re.compile(rb"^siaga_worker_scratch_bytes (\S+)", re.MULTILINE)


class Look(NamedTuple):
    """The worker at a time, in seconds since the start."""

    at_s: float
    memory_mib: float
    cpu_s: float
    lag_s: float
    shown: int
    scratch_mib: float


async def load(
    log: KafkaLog,
    seconds: float,
    rate: int,
    made: deque[tuple[float, int]],
    acknowledged: list[tuple[float, float]],
) -> None:
    """Publish at a rate; `made` gets (time, mentions so far) at each step.

    `acknowledged` gets (since the start, how long Kafka took) of each append: what of a lag is not
    the worker's.
    """

    said = cycle(texts())
    n = 0

    def due(passed_s: float) -> Iterator[tuple[str, Mention]]:
        nonlocal n
        now_s, at = time.monotonic(), datetime.now(UTC)
        while n < passed_s * rate:
            yield (
                BRANDS[n % len(BRANDS)],
                Mention(
                    id=f"forum:{n}",
                    source="forum",
                    published_at=at,
                    collected_at=at,
                    text=next(said),
                    author=f"akun{n % 50_021}",
                ),
            )
            n += 1
        made.append((now_s, n))

    def took(at_s: float, wait_s: float) -> None:
        acknowledged.append((at_s, wait_s))

    await publish(log, seconds, due, source="forum", step_s=STEP_S, acknowledged=took)


async def look(
    at: Placed, begin_s: float, made: deque[tuple[float, int]], looks: list[Look]
) -> None:
    """Look once a second until cancelled; fails when the worker is gone."""
    async with httpx.AsyncClient(timeout=30) as client:
        while True:
            asked_s = time.monotonic()
            memory_mib(at.pid)
            with suppress(httpx.TransportError):
                text = (await client.get(f"http://127.0.0.1:{at.port}/metrics")).content
                shown = int(sum(float(value) for _, value in TOTAL.findall(text)))
                while made and made[0][1] <= shown:
                    made.popleft()
                lag_s = max(0.0, asked_s - made[0][0]) if made else 0.0
                at_s = time.monotonic() - begin_s
                scratch = sum(float(value) for value in SCRATCH.findall(text)) / MIB
                looks.append(Look(at_s, memory_mib(at.pid), cpu_s(at.pid), lag_s, shown, scratch))
            await asyncio.sleep(max(0.0, LOOK_EVERY_S - (time.monotonic() - asked_s)))


async def tell(looks: list[Look], rate: int) -> None:
    """Print a line now and then."""
    print(f"{'minutes':>8}{'MiB':>9}{'CPU':>7}{'lag s':>8}{'behind':>9}")
    while True:
        await asyncio.sleep(TOLD_EVERY_S)
        since = [x for x in looks if x.at_s >= looks[-1].at_s - TOLD_EVERY_S]
        first, last = since[0], since[-1]
        cores = (last.cpu_s - first.cpu_s) / max(last.at_s - first.at_s, 1.0)
        worst = max(x.lag_s for x in since)
        behind = max(0, int(last.at_s * rate) - last.shown)
        print(
            f"{last.at_s / 60:8.1f}{last.memory_mib:9.1f}{cores:7.2f}{worst:8.2f}{behind:9,}",
            flush=True,
        )


async def soak(
    at: Placed, seconds: float, rate: int
) -> tuple[list[Look], list[tuple[float, float]]]:
    """Load, look and tell at once; the looks, and Kafka's acknowledgements."""
    log = at.log()
    made: deque[tuple[float, int]] = deque()
    looks: list[Look] = []
    acknowledged: list[tuple[float, float]] = []
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(look(at, time.monotonic(), made, looks)),
            group.create_task(tell(looks, rate)),
        ]
        await load(log, seconds, rate, made, acknowledged)
        for task in tasks:
            task.cancel()
    await log.close()
    return looks, acknowledged


def growth(looks: list[Look]) -> tuple[float, float]:
    """MiB a minute, and how far the memory swings about that line (standard deviation, MiB)."""
    minutes, memory = [x.at_s / 60 for x in looks], [x.memory_mib for x in looks]
    slope, start_mib = statistics.linear_regression(minutes, memory)
    return slope, statistics.pstdev(
        m - start_mib - slope * at for at, m in zip(minutes, memory, strict=True)
    )


def report(looks: list[Look], acknowledged: list[tuple[float, float]], rate: int) -> None:
    """Figures once the memory has settled, and the memory at a few times."""
    rows = Rows("soak")
    whole_s = looks[-1].at_s
    case = f"{whole_s / 60:.0f} min at {rate:,}/s"
    settled_s = min(max(whole_s / 3, SETTLES_S), whole_s / 2)
    steady = [x for x in looks if x.at_s >= settled_s]
    first, last = steady[0], steady[-1]
    passed_s = last.at_s - first.at_s
    for part in (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1):
        at = next((x for x in looks if x.at_s >= part * whole_s), looks[-1])
        rows.add(case, f"memory at {at.at_s / 60:.1f} min", at.memory_mib, "MiB")
    slope, swings = growth(steady)
    rows.add(case, f"growth after {settled_s / 60:.0f} min", slope, "MiB/min", goal=GROWTH_GOAL)
    rows.add(case, "growth, first half of it", growth(steady[: len(steady) // 2])[0], "MiB/min")
    rows.add(case, "growth, second half of it", growth(steady[len(steady) // 2 :])[0], "MiB/min")
    rows.add(case, "swings about that line", swings, "MiB")
    rows.add(case, "scratch file", last.scratch_mib, "MiB")
    rows.add(case, "worked", (last.shown - first.shown) / passed_s, "mentions/s")
    rows.add(case, "CPU", (last.cpu_s - first.cpu_s) / passed_s, "cores")
    lags = [x.lag_s for x in steady]
    rows.add(case, "lag, median", statistics.median(lags), "s", goal=LAG_GOAL_S)
    rows.add(case, "lag, p99", quantile(lags, 0.99), "s", goal=LAG_GOAL_S)
    rows.add(case, "lag, worst", max(lags), "s", goal=LAG_GOAL_S)
    waits = [wait_s for at_s, wait_s in acknowledged if at_s >= settled_s]
    rows.add(case, "of it Kafka's acknowledgement, median", statistics.median(waits), "s")
    rows.add(case, "of it Kafka's acknowledgement, p99", quantile(waits, 0.99), "s")
    rows.add(case, "of it Kafka's acknowledgement, worst", max(waits), "s")
    rows.write()


def main() -> None:
    """Start Kafka and a worker, soak, write build/bench/soak.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=2_000)
    asked = parser.parse_args()
    with one_worker("soak", BRANDS) as at:
        print(load_now())
        looks, acknowledged = asyncio.run(soak(at, asked.minutes * 60, asked.rate))
        print(load_now())
    report(looks, acknowledged, asked.rate)


if __name__ == "__main__":
    main()
