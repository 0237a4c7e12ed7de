"""From a crisis in Kafka to the webhook: real worker, Prometheus and Grafana, ten times.

    make bench-alert                    # or ARGS="--rounds 3 --past-hours 6"

Ten brands are talked about for half a day and live; ticks come every 5 s, Prometheus scrapes every
5 s and Grafana evaluates every 10 s. In each round one page of a connector's brings a brand what 90
people have complained of in the last two minutes, all of it at once: from Kafka's acknowledgement
of that page until the receiver has the notification. On the way it is noted when the incident was
on the log (a tick, a glance, a flush), when Prometheus had scraped the level, and which evaluation
fired.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).resolve().parents[2]
for extra in ("deploy/local", "tests/support"):
    sys.path.insert(0, str(ROOT / extra))

from chain import (  # noqa: E402 - a script finds its helpers first
    Receiver,
    free_port,
    receiver,
    samples,
    siaga,
    siaga_once,
    wait_for,
)
from measured import Rows, load_now  # noqa: E402
from services import EPHEMERAL, Prometheus, start  # noqa: E402
from traffic import ANGRY, Traffic  # noqa: E402

from streams import codec  # noqa: E402
from streams.log.kafka import KafkaLog  # noqa: E402
from streams.log.port import Entry  # noqa: E402
from streams.records import Batch, Mention  # noqa: E402
from streams.settings import LogSettings  # noqa: E402
from streams.topics import INCIDENTS, MENTIONS  # noqa: E402

T = TypeVar("T")

BRANDS = tuple(f"toko-{n}" for n in range(10))
A_MINUTE = 6.0
PARTITIONS = 4
COMPLAINTS = 90
OVER = timedelta(seconds=110)
"""Less than the allowed lateness: all of it is on time."""
TIMEOUT_S = 120.0
GOALS = {"median": 12.0, "worst": 25.0}
STEPS = ("decided", "scraped", "evaluated", "received")


def page(brand: str, rng: random.Random) -> bytes:
    """What a poll of a source brings of a crisis that began two minutes ago."""
    now = datetime.now(UTC)
    mentions = tuple(
        Mention(
            id=f"crisis:{brand}.{n}",
            source="forum",
            published_at=now - OVER + OVER * (n / COMPLAINTS),
            collected_at=now,
            text=rng.choice(ANGRY).format(b=brand, n=n),
            author=f"pelanggan{n}",
        )
        for n in range(COMPLAINTS)
    )
    return codec.encode(Batch(brand, mentions))


async def until(found: Callable[[], T | None]) -> T:
    """Poll 20 times a second."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if value := await asyncio.to_thread(found):
            return value
        await asyncio.sleep(0.05)
    raise RuntimeError(f"nothing came in {TIMEOUT_S:g} s")


async def decided(log: KafkaLog, begin: dict[int, int], brand: str) -> float:
    """When the brand's incident stood at ALERT on the log."""
    async for chunk in log.read(INCIDENTS, start=begin, follow=True):
        for record in chunk:
            incident = codec.incident.decode(record.value or b"")
            if incident.brand == brand and incident.level >= 2:
                return float(record.timestamp_ms) / 1000
    raise AssertionError


def scraped(prometheus: Prometheus, brand: str) -> float | None:
    """When Prometheus took the sample that it has now, if that is ALERT or more."""
    level = f'siaga_severity_level{{brand="{brand}"}}'
    reply = httpx.get(
        f"{prometheus.address}/api/v1/query",
        params={"query": f"timestamp({level}) and {level} >= 2"},
        timeout=10,
    )
    series = reply.json()["data"]["result"]
    return float(series[0]["value"][1]) if series else None


def told(phone: Receiver, brand: str) -> tuple[float, dict[str, Any]] | None:
    """When the receiver was told of the brand's ALERT or CRISIS, and what."""
    for at_s, body in list(phone.bodies):
        for alert in body.get("alerts", []):
            labels = alert["labels"]
            if (
                alert["status"] == "firing"
                and (labels.get("alertname"), labels.get("brand")) == ("SiagaLevel", brand)
                and labels.get("severity") in ("alert", "crisis")
            ):
                return at_s, alert
    return None


async def one_round(
    log: KafkaLog, prometheus: Prometheus, phone: Receiver, brand: str, rng: random.Random
) -> dict[str, float]:
    """Inject one crisis; seconds from the acknowledgement to each step."""
    begin = await log.ends(INCIDENTS)
    await log.append([Entry(MENTIONS, brand.encode(), page(brand, rng))])
    acknowledged_s = time.time()
    decision = asyncio.create_task(decided(log, begin, brand))
    seen = asyncio.create_task(until(lambda: scraped(prometheus, brand)))
    received_s, alert = await until(lambda: told(phone, brand))
    fired_s = datetime.fromisoformat(alert["startsAt"]).timestamp()
    times = (await decision, await seen, fired_s, received_s)
    return {step: at_s - acknowledged_s for step, at_s in zip(STEPS, times, strict=True)}


async def rounds(
    asked: argparse.Namespace, kafka: str, prometheus: Prometheus, phone: Receiver
) -> list[dict[str, float]]:
    """The crises, one brand after the other, at no fixed phase of anybody's clock."""
    log = KafkaLog(LogSettings(kind="kafka", bootstrap=(kafka,)))
    rng = random.Random(int(time.time()))
    found = []
    for brand in BRANDS[: asked.rounds]:
        await asyncio.sleep(rng.uniform(3, 18))
        found.append(await one_round(log, prometheus, phone, brand, rng))
        steps = "  ".join(f"{step} {found[-1][step]:5.2f}" for step in STEPS)
        print(f"{brand:10} {steps}", flush=True)
    await log.close()
    return found


def main() -> None:
    """Put the chain up, run the rounds, write build/bench/alert.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=len(BRANDS), choices=range(1, 11))
    parser.add_argument("--past-hours", type=float, default=12.0)
    asked = parser.parse_args()
    folder = ROOT / "build" / "bench" / f"alert-{int(time.time())}"
    folder.mkdir(parents=True)
    port = free_port()
    services = start(["kafka", "prometheus", "grafana"], folder / "services", ports=EPHEMERAL)
    kafka, prometheus, grafana = services.kafka, services.prometheus, services.grafana
    assert kafka is not None
    assert prometheus is not None
    assert grafana is not None
    settings = LogSettings(kind="kafka", bootstrap=(kafka.address,), partitions=PARTITIONS)
    try:
        with receiver() as phone:
            brands = "".join(f'[brands.{b}]\nnames = ["{b}"]\n' for b in BRANDS)
            (folder / "siaga.toml").write_text(
                f'[log]\nkind = "kafka"\nbootstrap = ["{kafka.address}"]\n'
                f"partitions = {PARTITIONS}\n[metrics]\nport = {port}\n{brands}"
                f'[grafana]\nurl = "{grafana.address}"\nprometheus_url = "{prometheus.address}"\n'
                f'[grafana.contacts.phone]\ntype = "webhook"\nurl = "{phone.address}"\n'
                'audience = "channel"\n'
            )
            prometheus.set_targets("siaga", [f"127.0.0.1:{port}"])
            siaga_once(folder, "grafana", "apply", SIAGA_GRAFANA_PASSWORD=grafana.password)
            now = time.time()
            usual = dict.fromkeys(BRANDS, A_MINUTE)
            traffic = Traffic(settings, usual, now - 3600 * asked.past_hours, now)
            try:
                traffic.wait(600)
                traffic.go()
                with siaga(folder, "worker", name="worker") as worker:
                    wait_for(
                        "the present",
                        lambda: (
                            min(
                                samples(port, "siaga_partition_clock_timestamp_seconds").values(),
                                default=0.0,
                            )
                            > time.time() - 15
                        ),
                        timeout_s=900,
                        running=[worker],
                    )
                    time.sleep(20)
                    print(load_now())
                    found = asyncio.run(rounds(asked, kafka.address, prometheus, phone))
            finally:
                traffic.stop()
    finally:
        services.destroy()
    rows = Rows("alert")
    case = f"{len(found)} rounds"
    for step in STEPS:
        values = [one[step] for one in found]
        name = "evidence in Kafka to webhook" if step == "received" else f"evidence to {step}"
        goals = GOALS if step == "received" else {}
        rows.add(case, f"{name}, median", statistics.median(values), "s", goal=goals.get("median"))
        rows.add(case, f"{name}, worst", max(values), "s", goal=goals.get("worst"))
    rows.write()


if __name__ == "__main__":
    main()
