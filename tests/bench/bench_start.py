"""How soon `siaga run` is there with 1,000,000 past mentions in the embedded log, and its memory.

    make bench-start                    # or ARGS="--mentions 200000 --starts 3"

Ten brands were talked about for five days, with a tick to each partition a minute; `siaga run` has
worked all of it once. Then it is started again and again, after SIGTERM and after kill -9 in turn:
the time from the start of the process until the page answers and the worker owns its partitions.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from chain import free_port, samples, siaga, wait_for  # noqa: E402 - a script finds its helpers first
from measured import TEXTS, Rows, cpu_s, load_now, memory_mib  # noqa: E402

from streams import codec  # noqa: E402
from streams.log.embedded import EmbeddedLog  # noqa: E402
from streams.log.port import Entry  # noqa: E402
from streams.records import Batch, Mention, Tick  # noqa: E402
from streams.topics import MENTIONS, all_topics  # noqa: E402

BRANDS = tuple(f"toko-{n}" for n in range(10))
DAYS = 5
PARTITIONS = 12
GOAL_S = 5.0


async def fill(path: Path, mentions: int) -> int:
    """Append the past; return how many records that took."""
    log = EmbeddedLog(path, PARTITIONS)
    await log.ensure(all_topics("siaga"))
    rng = random.Random(5)
    begin = datetime.now(UTC) - timedelta(days=DAYS)
    minutes = DAYS * 24 * 60
    made = records = 0
    for minute in range(minutes):
        at = begin + timedelta(minutes=minute)
        due = mentions * (minute + 1) // minutes - made
        entries = []
        for n, brand in enumerate(BRANDS):
            count = due * (n + 1) // len(BRANDS) - due * n // len(BRANDS)
            times = sorted(at + timedelta(seconds=60 * rng.random()) for _ in range(count))
            batch = Batch(
                brand,
                tuple(
                    Mention(
                        id=f"forum:{brand}.{minute}.{k}",
                        source="forum",
                        published_at=t,
                        collected_at=t,
                        text=rng.choice(TEXTS),
                        author=f"akun{rng.randrange(5_000)}",
                    )
                    for k, t in enumerate(times)
                ),
            )
            if times:
                entries.append(Entry(MENTIONS, brand.encode(), codec.encode(batch)))
        made += due
        end = at + timedelta(minutes=1)
        tick = codec.encode(Tick("forum", watermark=end, clock=end))
        entries += [Entry(MENTIONS, b"forum", tick, p) for p in range(PARTITIONS)]
        await log.append(entries)
        records += len(entries)
    await log.close()
    return records


def start(folder: Path, page: int, rows: Rows, case: str, *, kill: bool) -> tuple[float, float]:
    """Start once; seconds to the page's answer and to the worker's partitions."""
    told = folder / "run.log"
    before = told.stat().st_size
    begin = time.monotonic()
    page_s = owned_s = 0.0
    with siaga(folder, "run", name="run") as process:
        while not (page_s and owned_s):
            if process.poll() is not None or time.monotonic() - begin > 120:
                raise RuntimeError(told.read_text()[-3000:])
            time.sleep(0.05)
            if not page_s:
                try:
                    if httpx.get(f"http://127.0.0.1:{page}/", timeout=1).status_code < 400:
                        page_s = time.monotonic() - begin
                except httpx.TransportError:
                    pass
            if not owned_s and f"owns {PARTITIONS}" in told.read_bytes()[before:].decode():
                owned_s = time.monotonic() - begin
        rows.add(case, "CPU to both", cpu_s(process.pid), "s")
        time.sleep(10)
        rows.add(case, "memory 10 s later", memory_mib(process.pid), "MiB")
        rows.add(case, "memory at its highest", memory_mib(process.pid, peak=True), "MiB")
        if kill:
            process.kill()
    return page_s, owned_s


def main() -> None:
    """Fill, work, start several times, write build/bench/start.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="of a former run, whose log is used again")
    asked = parser.parse_args()
    rows = Rows("start")
    folder = asked.folder or ROOT / "build" / "bench" / f"start-{int(time.time())}"
    folder.mkdir(parents=True, exist_ok=True)
    page, metrics = free_port(), free_port()
    tables = "".join(f'[brands.{b}]\nnames = ["{b}"]\n' for b in BRANDS)
    (folder / "siaga.toml").write_text(
        f"[page]\nport = {page}\n[metrics]\nport = {metrics}\n{tables}"
    )
    path = folder / "siaga-data" / "log.db"
    if not path.exists():
        records = asyncio.run(fill(path, asked.mentions))
        with siaga(folder, "run", name="run") as process:
            wait_for(
                "the past",
                lambda: sum(samples(metrics, "siaga_worker_records_total").values()) >= records,
                timeout_s=3600,
                running=[process],
            )
            time.sleep(5)
            case = "working the past"
            rows.add(case, "CPU a mention", cpu_s(process.pid) / asked.mentions * 1e6, "us")
            rows.add(case, "memory at its highest", memory_mib(process.pid, peak=True), "MiB")
    case = f"{asked.mentions:,} past mentions"
    print(f"{case}; {load_now()}")
    rows.add(case, "log.db", path.stat().st_size / 1e6, "MB")
    found = [start(folder, page, rows, case, kill=n % 2 == 0) for n in range(asked.starts)]
    for what, values in zip(("page answers", "worker owns", "both"), (
        [p for p, _ in found], [o for _, o in found], [max(pair) for pair in found]
    ), strict=True):  # fmt: skip
        goal = GOAL_S if what == "both" else None
        rows.add(case, f"{what}, median", statistics.median(values), "s", goal=goal)
        rows.add(case, f"{what}, worst", max(values), "s", goal=goal)
    rows.write()


if __name__ == "__main__":
    main()
