"""A mention in, an alert out, on the real Kafka, Prometheus and Grafana.

Real tweets to six airlines are replayed at once until shortly before the largest burst, then at 60
times their speed through it. A second worker joins half-way.
"""

import asyncio
import csv
import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from chain import free_port, mentions_by_brand, receiver, samples, siaga, siaga_once, wait_for
from services import Grafana, Prometheus, Services

from detectors.anomaly.bank import BankConfig
from streams.log.kafka import KafkaLog
from streams.pipeline.recovered import Recovered
from streams.settings import LogSettings
from streams.topics import state_topic

RUN = "airlines"
BURST_FROM = "2015-02-22T19:45:00Z"
"""Before the largest burst: American, from 20:00 on, hundreds of cancelled flights."""
BURST_BRAND = "american"
THE_ALERT = {"brand": BURST_BRAND, "alertname": "SiagaLevel", "severity": "alert"}


@pytest.mark.shared
@pytest.mark.services
@pytest.mark.timeout(1500)
def test_a_burst_of_real_tweets_fires_once_and_resolves_and_nothing_is_lost(
    tmp_path: Path, services: Services, shared: Path
) -> None:
    kafka, prometheus, grafana = services.kafka, services.prometheus, services.grafana
    assert kafka is not None
    assert prometheus is not None
    assert grafana is not None
    tweets = shared / "data" / "airline" / "tweets.csv"
    with tweets.open(newline="") as file:
        expected = Counter(row["airline"].lower().replace(" ", "-") for row in csv.DictReader(file))
    assert sum(expected.values()) == 14_485

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
        replay = ("replay", str(tweets), "--brand-column", "airline", "--run", RUN)
        prometheus.set_targets("siaga", [f"127.0.0.1:{port}" for port in ports])
        siaga_once(first, "grafana", "apply", SIAGA_GRAFANA_PASSWORD=grafana.password)
        again = siaga_once(first, "grafana", "apply", SIAGA_GRAFANA_PASSWORD=grafana.password)
        assert again.strip().splitlines()[-1].startswith("0 changed"), again

        with (
            siaga(first, "worker", name="worker") as worker,
            siaga(first, *replay, "--fast-until", BURST_FROM, "--speed", "60", name="replay"),
        ):
            brand = (("brand", BURST_BRAND),)
            wait_for(
                "a rise of severity in the burst",
                lambda: samples(ports[0], "siaga_severity_level").get(brand, 0) >= 2,
                timeout_s=400,
                running=[worker],
            )
            fired = wait_for(
                "Grafana's notification",
                lambda: phone.alerts("firing", **THE_ALERT),
                timeout_s=90,
                running=[worker],
            )
            alert = fired[0]
            (tmp_path / "grafana-sent.json").write_text(json.dumps(phone.bodies[-1][1], indent=1))
            assert alert["labels"]["severity"] == "alert"
            told = alert["annotations"]
            assert BURST_BRAND in told["summary"].lower()
            assert float(told["observed"]) > float(told["expected"])
            assert len(re.findall(r"\d+(?:\.\d+)?", told["summary"])) >= 2, told["summary"]

            with siaga(second, "worker", name="worker"):
                wait_for(
                    "the second worker's share of the brands",
                    lambda: samples(ports[1], "siaga_severity_level"),
                    timeout_s=120,
                )
                wait_for(
                    "the resolution",
                    lambda: phone.alerts("resolved", **THE_ALERT),
                    timeout_s=500,
                )
                told = _starts(phone.alerts("firing", brand=BURST_BRAND, alertname="SiagaLevel"))
                assert len(told) == len({severity for severity, _ in told}), "it fired again"
        # The rest of the file, as fast as possible, from where the replay stood.
        with siaga(first, "worker", name="worker"), siaga(second, "worker", name="worker"):
            siaga_once(first, *replay, timeout_s=400)
            wait_for(
                "all mentions in the metrics",
                lambda: mentions_by_brand(*ports) == dict(expected),
                timeout_s=240,
            )
    assert asyncio.run(_durable(kafka.address, prefix)) == dict(expected)


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
prometheus_url = "{prometheus.address}"
[grafana.contacts.phone]
type = "webhook"
url = "{webhook}"
audience = "channel"
"""


def _starts(alerts: list[dict]) -> set[tuple[str, str]]:
    """Distinct beginnings: an alert that is told again keeps the time at which it began."""
    return {(alert["labels"]["severity"], alert["startsAt"]) for alert in alerts}


async def _durable(bootstrap: str, prefix: str) -> dict[str, int]:
    """Mentions by brand in the workers' changelog."""
    log = KafkaLog(LogSettings(kind="kafka", bootstrap=(bootstrap,), prefix=prefix, partitions=4))
    found = Recovered()
    totals: dict[str, int] = {}
    try:
        async for chunk in log.read(state_topic("siaga")):
            for record in chunk:
                assert record.key is not None
                found.feed(record.key.decode(), record.value)
        for partition in range(4):
            for (run, brand), state in found.take(partition, BankConfig()).brands.items():
                assert run == RUN
                totals[brand] = totals.get(brand, 0) + sum(state.hot.totals.values())
    finally:
        await log.close()
    return totals
