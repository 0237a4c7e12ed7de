"""A mention in, an alert out, on the real Kafka, Prometheus and Grafana.

Real tweets to six airlines are replayed at once until shortly before the largest burst, then at 60
times their speed through it; without them, the built-in scenario. A second worker joins half-way.
"""

import asyncio
import csv
import json
import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chain import (
    Receiver,
    free_port,
    mentions_by_brand,
    receiver,
    samples,
    siaga,
    siaga_once,
    wait_for,
)
from services import Grafana, Prometheus, Services

from connectors.sources.simulated import scenario
from connectors.sources.simulated.traffic import Traffic
from detectors.anomaly.bank import BankConfig
from streams import codec
from streams.log.kafka import KafkaLog
from streams.pipeline.recovered import Recovered
from streams.settings import LogSettings
from streams.topics import INCIDENTS, state_topic

IN_CI = os.environ.get("CI", "").lower() == "true"
RUN = "rehearsal"
ALERTING = ("alert", "crisis")
SEVERITIES = ("normal", "watch", "alert", "crisis")


@dataclass(frozen=True)
class Story:
    """A file with a burst in it."""

    file: Path
    brand_column: str
    counts: Counter[str]
    """Mentions by brand."""
    brand: str
    """Whose burst."""
    fast_until: str
    """Shortly before it."""
    slow_to_the_end_of_it: bool
    """Whether the burst passes within minutes at 60 times its speed."""


def real(shared: Path) -> Story:
    """Tweets to six airlines. American, 22 February 20:00: hundreds of cancelled flights."""
    tweets = shared / "data" / "airline" / "tweets.csv"
    with tweets.open(newline="") as file:
        counts = Counter(row["airline"].lower().replace(" ", "-") for row in csv.DictReader(file))
    assert sum(counts.values()) == 14_485
    return Story(tweets, "airline", counts, "american", "2015-02-22T19:45:00Z", True)


def simulated(folder: Path) -> Story:
    """The built-in scenario as a file, for those who do not have the real one."""
    crisis = scenario(4, weeks=0.5, after_hours=40)
    assert crisis.onset is not None
    traffic = Traffic(crisis)
    counts: Counter[str] = Counter()
    path = folder / "scenario.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "created_at", "brand", "author", "text", "reposts"])
        for hour in range(traffic.hours):
            for seen in traffic.hour(hour):
                item = seen.item
                if item.revision:
                    continue
                name = next((b for b in crisis.brands if b in item.text.lower()), crisis.brands[0])
                counts[name] += 1
                time_ = item.published_at.isoformat()
                reposts = item.engagement.reposts
                rows.writerow([item.native_id, time_, name, item.author, item.text, reposts])
    until = (crisis.onset - timedelta(minutes=10)).isoformat()
    return Story(path, "brand", counts, crisis.brands[0], until, False)


@pytest.mark.services
@pytest.mark.timeout(1500)
def test_a_burst_fires_once_and_resolves_and_nothing_is_lost(
    tmp_path: Path, services: Services, shared: Path
) -> None:
    kafka, prometheus, grafana = services.kafka, services.prometheus, services.grafana
    assert kafka is not None
    assert prometheus is not None
    assert grafana is not None
    # `../shared` is not for the public; in CI it must be there.
    story = real(shared) if shared.is_dir() or IN_CI else simulated(tmp_path)
    expected = story.counts
    level = {"brand": story.brand, "alertname": "SiagaLevel"}

    ports = [free_port(), free_port()]
    prefix = f"e2e{int(time.time())}."
    with receiver() as phone:
        folders = []
        for n, port in enumerate(ports):
            folder = tmp_path / f"worker-{n}"
            folder.mkdir()
            (folder / "siaga.toml").write_text(
                _config(kafka.address, prefix, expected, port, prometheus, grafana, phone.address)
            )
            folders.append(folder)
        first, second = folders
        replay = ("replay", str(story.file), "--brand-column", story.brand_column, "--run", RUN)
        prometheus.set_targets("siaga", [f"127.0.0.1:{port}" for port in ports])
        siaga_once(first, "grafana", "apply", SIAGA_GRAFANA_PASSWORD=grafana.password)
        again = siaga_once(first, "grafana", "apply", SIAGA_GRAFANA_PASSWORD=grafana.password)
        assert again.strip().splitlines()[-1].startswith("0 changed"), again

        with siaga(first, "worker", name="worker") as worker:
            slow = (*replay, "--fast-until", story.fast_until, "--speed", "60")
            with siaga(first, *slow, name="replay"):
                brand = (("brand", story.brand),)
                wait_for(
                    "a rise of severity in the burst",
                    lambda: samples(ports[0], "siaga_severity_level").get(brand, 0) >= 2,
                    timeout_s=400,
                    running=[worker],
                )
                fired = wait_for(
                    "Grafana's notification",
                    lambda: [
                        a for s in ALERTING for a in phone.alerts("firing", **level, severity=s)
                    ],
                    timeout_s=90,
                    running=[worker],
                )
                (tmp_path / "grafana-sent.json").write_text(
                    json.dumps(phone.bodies[-1][1], indent=1)
                )
                said = fired[0]["annotations"]
                assert story.brand in said["summary"].lower()
                assert float(said["observed"]) > float(said["expected"])
                numbers = re.findall(r"\d+(?:\.\d+)?", said["summary"])
                assert len(numbers) >= 2, said["summary"]
                with siaga(second, "worker", name="worker") as other:
                    wait_for(
                        "the second worker's share of the brands",
                        lambda: samples(ports[1], "siaga_severity_level"),
                        timeout_s=120,
                        running=[worker, other],
                    )
                    if story.slow_to_the_end_of_it:
                        _until_resolved(phone, level)
        # The rest of the file, as fast as possible, from where the replay stood.
        with siaga(first, "worker", name="worker"), siaga(second, "worker", name="worker"):
            siaga_once(first, *replay, timeout_s=400)
            wait_for(
                "all mentions in the metrics",
                lambda: mentions_by_brand(*ports) == dict(expected),
                timeout_s=240,
            )
            _until_resolved(phone, level)
    durable, reached = asyncio.run(_durable(kafka.address, prefix, story.brand))
    assert durable == dict(expected)
    for severity, times in _beginnings(phone, level).items():
        assert times <= reached[severity], f"{severity} fired again without a reason"


def _alerting(phone: Receiver, level: Mapping[str, str]) -> list[dict[str, Any]]:
    return [a for severity in ALERTING for a in phone.alerts("firing", **level, severity=severity)]


def _until_resolved(phone: Receiver, level: Mapping[str, str]) -> None:
    """Wait until Grafana says that it is over."""
    for severity in ALERTING:
        if phone.alerts("firing", **level, severity=severity):
            wait_for(
                f"the resolution of {severity}",
                lambda s=severity: phone.alerts("resolved", **level, severity=s),  # type: ignore[misc] # mypy cannot infer a lambda with a default
                timeout_s=500,
            )


def _beginnings(phone: Receiver, level: Mapping[str, str]) -> Counter[str]:
    """How often each severity began for Grafana: an alert told again keeps its start."""
    alerts = phone.alerts("firing", **level)
    starts = {(alert["labels"]["severity"], alert["startsAt"]) for alert in alerts}
    return Counter(severity for severity, _ in starts)


def _config(
    kafka: str,
    prefix: str,
    brands: Counter[str],
    port: int,
    prometheus: Prometheus,
    grafana: Grafana,
    webhook: str,
) -> str:
    tables = "\n".join(f'[brands.{name}]\nnames = ["{name}"]' for name in sorted(brands))
    return f"""
language = "en"
time_zone = "America/New_York"
shown_run = "{RUN}"
{tables}
[log]
kind = "kafka"
bootstrap = ["{kafka}"]
prefix = "{prefix}"
partitions = 4
[metrics]
port = {port}
[grafana]
url = "{grafana.address}"
name = "{prefix.rstrip(".")}"
title = "{prefix}"
prometheus_url = "{prometheus.address}"
[grafana.contacts.phone]
type = "webhook"
url = "{webhook}"
audience = "channel"
"""


async def _durable(bootstrap: str, prefix: str, brand: str) -> tuple[dict[str, int], Counter[str]]:
    """Mentions by brand in the workers' changelog, and how often a brand reached each level."""
    log = KafkaLog(LogSettings(kind="kafka", bootstrap=(bootstrap,), prefix=prefix, partitions=4))
    found = Recovered()
    totals: dict[str, int] = {}
    changes: dict[tuple[str, int], str] = {}
    try:
        async for chunk in log.read(state_topic("siaga")):
            for record in chunk:
                assert record.key is not None
                found.feed(record.key.decode(), record.value)
        async for chunk in log.read(INCIDENTS):
            for record in chunk:
                incident = codec.incident.decode(record.value or b"")
                if incident.brand == brand and incident.change in ("opened", "level", "reopened"):
                    changes[incident.id, incident.sequence] = SEVERITIES[incident.level]
        for partition in range(4):
            for (run, name), state in found.take(partition, BankConfig()).brands.items():
                assert run == RUN
                totals[name] = totals.get(name, 0) + sum(state.hot.totals.values())
    finally:
        await log.close()
    return totals, Counter(changes.values())
