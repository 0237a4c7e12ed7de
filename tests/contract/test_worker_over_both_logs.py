"""The same worker over the embedded log and over Kafka: the same records give the same outcome."""

import asyncio
import random
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from chain import free_port

from streams import codec
from streams.config import parse_values
from streams.log.open import open_log
from streams.log.partitioner import partition_of
from streams.log.port import Entry, Log
from streams.records import Batch, Mention, Tick
from streams.run import run, services
from streams.settings import RootSettings
from streams.topics import DEAD, INCIDENTS, MENTIONS, MINUTES, SCORED, all_topics
from streams.worker.progress import caught_up

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BRANDS = ("toko", "kurir", "bank")
PARTITIONS = 4
COMPLAINTS = ("paket belum sampai, kecewa", "cs tidak membalas", "refund lama sekali, parah")
PRAISE = ("mantap cepat sekali", "terima kasih, bagus", "jam buka berapa ya?")


@dataclass(frozen=True)
class Truth:
    """What must come out, counted without product code."""

    mentions: Counter[str]
    minutes: Counter[tuple[str, int]]
    """On time, by brand and start of the minute."""
    late: int
    dead: int


def history(seed: int = 5) -> tuple[list[Entry], Truth]:
    """Two hours of three brands with repeats, late ones and garbage; one brand has a crisis."""
    rng = random.Random(seed)
    entries: list[Entry] = []
    mentions: Counter[str] = Counter()
    minutes: Counter[tuple[str, int]] = Counter()
    late = dead = 0
    for m in range(120):
        start = START + timedelta(minutes=m)
        for brand in BRANDS:
            crisis = brand == "toko" and m >= 90
            batch = [
                Mention(
                    id=f"forum:{brand}-{m}-{n}",
                    source="forum",
                    author=f"u{rng.randrange(500)}",
                    text=rng.choice(COMPLAINTS if crisis or rng.random() < 0.1 else PRAISE),
                    published_at=start + timedelta(seconds=rng.randrange(60)),
                    collected_at=start + timedelta(seconds=61),
                )
                for n in range(rng.randrange(40, 60) if crisis else rng.randrange(2, 6))
            ]
            mentions[brand] += len(batch)
            minutes[brand, int(start.timestamp())] += len(batch)
            if m == 100:
                old = batch[0].published_at - timedelta(minutes=50)
                batch.append(
                    Mention(
                        id=f"forum:{brand}-late", source="forum", text="telat", author="x",
                        published_at=old, collected_at=start,
                    )
                )  # fmt: skip
                late += 1
                mentions[brand] += 1
            if m % 10 == 3:
                batch += batch[:2]  # a page that was fetched twice
            entries.append(_entry(brand, codec.encode(Batch(brand=brand, mentions=tuple(batch)))))
        if m % 40 == 7:
            entries.append(_entry("toko", b"\xff\x00 not json"))
            stranger = Batch(brand="stranger", mentions=(batch[0],))
            entries.append(_entry("stranger", codec.encode(stranger)))
            dead += 2
        clock = start + timedelta(minutes=1)
        entries += _ticks(Tick(source="forum", watermark=clock, clock=clock))
    end = START + timedelta(minutes=120 + 10)
    entries += _ticks(Tick(source="forum", watermark=end, clock=end, ended=True))
    return entries, Truth(mentions, minutes, late, dead)


def _entry(brand: str, value: bytes) -> Entry:
    return Entry(MENTIONS, brand.encode(), value, partition_of(brand.encode(), PARTITIONS))


def _ticks(tick: Tick) -> list[Entry]:
    return [Entry(MENTIONS, None, codec.encode(tick), p) for p in range(PARTITIONS)]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> RootSettings:
    log: dict[str, object] = {"kind": "embedded", "partitions": PARTITIONS}
    if request.param == "kafka":
        broker = request.getfixturevalue("kafka")
        log |= {
            "kind": "kafka",
            "bootstrap": [broker.address],
            "prefix": f"both{time.time_ns()}.",
        }
    return parse_values(
        {
            "data_dir": str(tmp_path),
            "brands": {name: {"names": [name]} for name in BRANDS},
            "log": log,
            "metrics": {"port": free_port()},
        },
        Path("test.toml"),
    )


@asynccontextmanager
async def worker(settings: RootSettings) -> AsyncIterator[None]:
    task = asyncio.create_task(run(settings, open_log(settings), services(["worker"])))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _read(log: Log, topic: str) -> list[bytes]:
    return [r.value async for chunk in log.read(topic) for r in chunk if r.value is not None]


def test_counts_alerts_and_dead_letters_are_exact(
    settings: RootSettings, request: pytest.FixtureRequest
) -> None:
    entries, truth = history()

    async def main() -> str:
        log = open_log(settings)
        try:
            await log.ensure(all_topics(settings.worker.id))
            half = len(entries) // 2
            await log.append(entries[:half])
            async with asyncio.timeout(240):
                # A worker that stops half-way and another that goes on where it stood.
                async with worker(settings):
                    await asyncio.sleep(3)
                await log.append(entries[half:])
                async with worker(settings):
                    ends = {p: end - 1 for p, end in (await log.ends(MENTIONS)).items()}
                    await caught_up(log, settings.worker.id, ends)
                    text = await asyncio.to_thread(_metrics, settings.metrics.port)
            await _compare(log, truth)
        finally:
            await log.close()
        return text

    text = asyncio.run(main())
    shown = Counter(
        {
            brand: sum(
                int(float(line.rsplit(" ", 1)[1]))
                for line in text.splitlines()
                if line.startswith(f'siaga_mentions_total{{brand="{brand}"')
            )
            for brand in BRANDS
        }
    )
    assert shown == truth.mentions
    assert 'siaga_severity_level{brand="bank"} 0.0' in text
    _promtool(text, request)


async def _compare(log: Log, truth: Truth) -> None:
    scored = {b.id: b for b in map(codec.scored.decode, await _read(log, SCORED))}
    counted: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    for batch in scored.values():
        counted[batch.brand] += len(batch.mentions)
        fates.update(one.fate for one in batch.mentions)
        assert {one.model for one in batch.mentions} != {""}
    assert counted == truth.mentions
    assert fates["late"] == truth.late
    closed = {m.id: m for m in map(codec.minute.decode, await _read(log, MINUTES))}
    minutes = Counter(
        {(m.brand, int(m.start.timestamp())): m.counts.mentions for m in closed.values()}
    )
    assert +minutes == truth.minutes
    letters = {d.id: d.reason for d in map(codec.dead_letter.decode, await _read(log, DEAD))}
    assert len(letters) == truth.dead
    assert set(letters.values()) == {"not_json", "unknown_brand"}
    alerts = [i for i in map(codec.incident.decode, await _read(log, INCIDENTS)) if i.peak >= 2]
    assert {i.brand for i in alerts} == {"toko"}
    assert min(i.onset for i in alerts) >= START + timedelta(minutes=85)


def _metrics(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text


def _promtool(text: str, request: pytest.FixtureRequest) -> None:
    """`promtool check metrics` finds nothing, where promtool is."""
    if "kafka" not in request.node.name:
        return  # the Kafka variant checks the same text; it runs where the services do
    from local_prometheus import install

    done = subprocess.run(
        [str(install() / "promtool"), "check", "metrics"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr.strip(), done.stderr
