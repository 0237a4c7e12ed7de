"""CPU seconds per 100,000 mentions from a topic of the real Kafka, beside Bytewax and Quix Streams.

    make bench-throughput               # or ARGS="--mentions 100000 --rounds 3 --only siaga"

Ours is the whole worker process: decode, dedupe, sentiment, topics, minutes, detectors, incidents,
state and outputs. The peers run in an environment of their own (build/bench/peers), first the
natural program for the same result, one mention a record; then with our batched records and our
model. Rows take turns within a round. What is compared is the slope of CPU time over mentions
between a fifth of the way and the end, so that start-up counts for nobody; JVM and loader are other
processes.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from chain import free_port, samples, siaga  # noqa: E402 - a script finds its helpers first
from measured import cpu_s  # noqa: E402
from services import EPHEMERAL, start  # noqa: E402

from connectors.sources.simulated import scenario  # noqa: E402
from connectors.sources.simulated.traffic import Traffic  # noqa: E402
from detectors.language.understanding import Language  # noqa: E402
from streams import codec  # noqa: E402
from streams.log.kafka import KafkaLog  # noqa: E402
from streams.log.port import Entry  # noqa: E402
from streams.records import Batch, Mention, Tick  # noqa: E402
from streams.settings import LogSettings  # noqa: E402
from streams.topics import MENTIONS, TopicSpec, all_topics  # noqa: E402

PEERS = ROOT / "build" / "bench" / "peers"
PEER_CODE = ROOT / "tests" / "bench" / "peers"
PEER_PACKAGES = ("bytewax==0.21.1", "quixstreams>=3.28,<4", "river>=0.26.1,<0.27", "msgspec>=0.20")
BRANDS = ("tokoraya", "dompetraya", "kirimnusa", "lapaksari", "bank-nusa", "kopi-senja")
PARTITIONS = 12
PER_BATCH = 100
PER_MINUTE = 1000
SINGLE = "bench.single"
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
GOAL = 4.0
CASES = ("siaga", "bytewax", "quix", "bytewax-batched", "quix-batched")


class Point(NamedTuple):
    """CPU seconds when so many mentions were done."""

    n: int
    cpu_s: float


def slope(points: list[Point], total: int) -> float:
    """CPU seconds per 100,000 mentions after the first fifth."""
    steady = [p for p in points if p.n >= total // 5]
    first, last = steady[0], steady[-1]
    return (last.cpu_s - first.cpu_s) / (last.n - first.n) * 100_000


def texts() -> list[str]:
    """Texts of the simulated shop in their order, a hundred thousand and more."""
    traffic = Traffic(scenario(1, weeks=1, base_rate=4.5))
    return [seen.item.text for hour in range(traffic.hours) for seen in traffic.hour(hour)]


def mentions(count: int, said: list[str]) -> Iterator[tuple[str, Mention]]:
    """(brand, mention) in the order of their times, `PER_MINUTE` a minute."""
    rng = random.Random(11)
    for n in range(count):
        at = START + timedelta(minutes=n / PER_MINUTE)
        yield (
            # A hundred in a row of one brand: what its batch will hold.
            BRANDS[n // PER_BATCH % len(BRANDS)],
            Mention(
                id=f"forum:{n}",
                source="forum",
                published_at=at,
                collected_at=at + timedelta(seconds=1),
                text=said[n % len(said)],
                author=f"akun{rng.randrange(50_000)}",
                url=f"https://forum.example/t/{n}",
            ),
        )


async def publish(log: KafkaLog, count: int, said: list[str]) -> None:
    """The same mentions twice: batched with ticks, and one a record."""
    await log.ensure([*all_topics("siaga"), TopicSpec(SINGLE), TopicSpec("bench.out")])
    held: list[Mention] = []
    entries: list[Entry] = []
    minute = START
    for brand, mention in mentions(count, said):
        held.append(mention)
        if len(held) == PER_BATCH:
            value = codec.encode(Batch(brand, tuple(held)))
            entries.append(Entry(MENTIONS, brand.encode(), value))
            singles = [{**json.loads(codec_one(m)), "brand": brand} for m in held]
            entries += [Entry(SINGLE, brand.encode(), json.dumps(m).encode()) for m in singles]
            held = []
        if mention.published_at >= minute + timedelta(minutes=1):
            minute += timedelta(minutes=1)
            tick = codec.encode(Tick("forum", watermark=minute, clock=minute))
            entries += [Entry(MENTIONS, b"forum", tick, p) for p in range(PARTITIONS)]
        if len(entries) > 5_000:
            await log.append(entries)
            entries = []
    await log.append(entries)


def codec_one(mention: Mention) -> bytes:
    """One mention as JSON."""
    import msgspec

    return msgspec.json.encode(mention)


def config(kafka: str, prefix: str, port: int) -> str:
    """The worker's `siaga.toml`."""
    demo = resources.files("connectors.sources.simulated").joinpath("demo.toml").read_text()
    known = tomllib.loads(demo)["brands"]
    brands = "".join(
        f'[brands.{b}]\nnames = ["{known.get(b, {}).get("title", b)}"]\n' for b in BRANDS
    )
    return (
        f'[log]\nkind = "kafka"\nbootstrap = ["{kafka}"]\nprefix = "{prefix}"\n'
        f"partitions = {PARTITIONS}\n[metrics]\nport = {port}\n{brands}"
    )


def run_siaga(kafka: str, prefix: str, group: str, folder: Path, total: int) -> list[Point]:
    """The worker over the whole topic, as a group of its own."""
    port = free_port()
    folder.mkdir(parents=True)
    toml = config(kafka, prefix, port) + f'[worker]\nid = "{group}"\ninstance = "{group}"\n'
    (folder / "siaga.toml").write_text(toml)
    points: list[Point] = []
    with siaga(folder, "worker", name="worker") as process:
        end = time.monotonic() + 600
        while not points or points[-1].n < total:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "worker.log").read_text()[-3000:])
            time.sleep(1.0)
            done = int(sum(samples(port, "siaga_mentions_total").values()))
            if done and (not points or done > points[-1].n):
                points.append(Point(done, cpu_s(process.pid)))
        (folder / "metrics.txt").write_text(repr(points))
    return points


def run_peer(
    case: str, kafka: str, prefix: str, group: str, folder: Path, total: int
) -> list[Point]:
    """A peer's program until it has told of all mentions."""
    folder.mkdir(parents=True)
    batched = case.endswith("-batched")
    env = {
        **os.environ,
        "BENCH_KAFKA": kafka,
        "BENCH_TOPIC": prefix + (MENTIONS if batched else SINGLE),
        "BENCH_OUT": f"{prefix}bench.out",
        "BENCH_GROUP": group,
        "BENCH_STATE": str(folder / "state"),
        "BENCH_BATCHED": str(int(batched)),
        "BENCH_MENTIONS": str(total),
        "BENCH_LABELS": str(folder.parent / "labels.json"),
        "PYTHONPATH": f"{PEER_CODE}:{ROOT}",
    }
    python = str(PEERS / "bin" / "python")
    if case.startswith("bytewax"):
        recovery = folder / "recovery"
        recovery.mkdir()
        made = [python, "-m", "bytewax.recovery", str(recovery), "1"]
        subprocess.run(made, check=True, env=env, capture_output=True)
        command = [python, "-m", "bytewax.run", "bytewax_flow:flow"]
        command += ["-r", str(recovery), "-s", "10", "-b", "0"]
    else:
        command = [python, str(PEER_CODE / "quix_flow.py")]
    points: list[Point] = []
    with (folder / "log").open("w") as errors:
        process = subprocess.Popen(
            command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):
                    told = json.loads(line)
                    points.append(Point(told["n"], told["cpu_s"]))
                    if points[-1].n >= total:
                        break
        finally:
            process.kill()
            process.wait()
    if not points or points[-1].n < total:
        raise RuntimeError(f"{case}: {(folder / 'log').read_text()[-3000:]}")
    return points


def environment() -> None:
    """The peers' packages, apart from ours."""
    if not (PEERS / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        pip = [str(PEERS / "bin" / "pip"), "install", "--quiet", *PEER_PACKAGES]
        subprocess.run(pip, check=True)


def report(found: dict[str, list[float]], total: int) -> None:
    """Print the tables and write the rows."""
    middle = {case: statistics.median(values) for case, values in found.items()}
    rows: list[dict[str, Any]] = []
    tables = (
        ("one mention a record", ("siaga", "bytewax", "quix")),
        ("our records and model", ("siaga", "bytewax-batched", "quix-batched")),
    )
    for title, cases in tables:
        peers = [middle[c] for c in cases[1:] if c in middle]
        print(f"\n{title} (CPU s per 100,000 mentions, median of rounds; {total:,} a round)")
        for case in cases:
            if case not in middle:
                continue
            best = min(peers) if peers else None
            ratio = f"{middle[case] / best:5.2f} x the better peer" if best else ""
            rounds = " ".join(f"{v:.2f}" for v in found[case])
            print(f"  {case:16} {middle[case]:7.2f}  {ratio}  [{rounds}]")
    for case, value in middle.items():
        reference = GOAL if case == "siaga" else middle.get("siaga")
        rows.append(
            {
                "case": case,
                "metric": "cpu_s_per_100k",
                "value": round(value, 3),
                "unit": "s",
                "reference": reference,
                "ratio": round(value / reference, 3) if reference else None,
            }
        )
    if len(middle) < len(CASES):
        return  # a part of it replaces no whole
    path = ROOT / "build" / "bench" / "throughput.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")


def main() -> None:
    """Publish once, run every case in each round, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--mentions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CASES, action="append")
    asked = parser.parse_args()
    environment()
    stamp = f"{int(time.time())}"
    folder = ROOT / "build" / "bench" / f"throughput-{stamp}"
    folder.mkdir(parents=True)
    said = texts()
    language = Language()
    labels = [(t, language.understand(t).sentiment) for t in dict.fromkeys(said[:3_000])]
    (folder / "labels.json").write_text(json.dumps(labels))
    services = start(["kafka"], folder / "services", ports=EPHEMERAL)
    try:
        assert services.kafka is not None
        kafka = services.kafka.address
        prefix = "bench."

        async def fill() -> None:
            log = KafkaLog(LogSettings(kind="kafka", bootstrap=(kafka,), prefix=prefix))
            await publish(log, asked.mentions, said)
            await log.close()

        asyncio.run(fill())
        found: dict[str, list[float]] = {}
        for n in range(asked.rounds):
            for case in asked.only or CASES:
                group = f"{case}-{n}"
                run = run_siaga if case == "siaga" else None
                points = (
                    run(kafka, prefix, group, folder / group, asked.mentions)
                    if run
                    else run_peer(case, kafka, prefix, group, folder / group, asked.mentions)
                )
                found.setdefault(case, []).append(slope(points, asked.mentions))
                print(f"round {n + 1} {case:16} {found[case][-1]:7.2f}", flush=True)
        report(found, asked.mentions)
    finally:
        services.destroy()


if __name__ == "__main__":
    main()
