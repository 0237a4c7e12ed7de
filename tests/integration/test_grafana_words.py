"""What people read in a notification, as the real Grafana renders it: plain numbers with units."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from exporting import Exporter
from services import Grafana, Prometheus

from grafana.apply import apply
from grafana.client import Client
from grafana.resources import wanted
from grafana.settings import GrafanaSettings

pytestmark = pytest.mark.services

NAMES = {"en": "words-en", "id": "words-id"}

TOLD = {
    # brand: (signal, observed, expected, in English, in Indonesian)
    "menumpuk": (
        "slow_burn", 0.2464, 0.009188,
        "WATCH: menumpuk. Complaints piling up: 15 an hour, usually 0.6.",
        "WASPADA: menumpuk. Keluhan yang menumpuk: 15 per jam, biasanya 0,6.",
    ),
    "ramai": (
        "volume", 1234.4, 12.25,
        "WATCH: ramai. Mentions: 1,234 a minute, usually 12.",
        "WASPADA: ramai. Sebutan: 1.234 per menit, biasanya 12.",
    ),
    "jarang": (
        "negative", 2.5, 0.0004,
        "WATCH: jarang. Negative mentions: 2.5 a minute, usually fewer than 1 an hour.",
        "WASPADA: jarang. Sebutan negatif: 2,5 per menit, biasanya kurang dari 1 per jam.",
    ),
    "kadang": (
        "negative", 2.5, 0.034,
        "WATCH: kadang. Negative mentions: 2.5 a minute, usually 2 an hour.",
        "WASPADA: kadang. Sebutan negatif: 2,5 per menit, biasanya 2 per jam.",
    ),
    "sunyi": (
        "slow_burn", 0.2464, 0.0004,
        "WATCH: sunyi. Complaints piling up: 15 an hour, usually fewer than 1.",
        "WASPADA: sunyi. Keluhan yang menumpuk: 15 per jam, biasanya kurang dari 1.",
    ),
    "porsi": (
        "negative_share", 0.456, 0.08,
        "WATCH: porsi. Negative share: 46%, usually 8%.",
        "WASPADA: porsi. Porsi negatif: 46%, biasanya 8%.",
    ),
    "viral": (
        "velocity", 1_234_567.0, 120.0,
        "WATCH: viral. Reach of a single complaint: 1,234,567 people, usually 120.",
        "WASPADA: viral. Jangkauan satu keluhan: 1.234.567 orang, biasanya 120.",
    ),
    "penulis": (
        "authors", 14.0, 0.3,
        "WATCH: penulis. Distinct authors: 14 a minute, usually 0.3.",
        "WASPADA: penulis. Penulis berbeda: 14 per menit, biasanya 0,3.",
    ),
    "baru": (
        "reach", 4200.0, None,
        "WATCH: baru. People reached: 4,200 a minute, usually not yet known.",
        "WASPADA: baru. Orang yang terjangkau: 4.200 per menit, biasanya belum diketahui.",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(grafana: Grafana, prometheus: Prometheus) -> Iterator[dict[str, dict[str, str]]]:
    """Summaries that Grafana rendered: by language, by alert and brand."""
    exporter = Exporter()
    exporter.set("siaga_worker_up", 1)
    exporter.set("siaga_last_tick_timestamp_seconds", time.time() + 3600)
    for brand, (signal, observed, expected, _, _) in TOLD.items():
        exporter.set("siaga_severity_level", 1, brand=brand)
        exporter.set("siaga_observed", observed, brand=brand, signal=signal)
        exporter.set("siaga_anomaly_score", 5, brand=brand, signal=signal)
        if expected is not None:
            exporter.set("siaga_expected", expected, brand=brand, signal=signal)
    exporter.set("siaga_severity_level", 3, brand="lama")
    exporter.set(
        "siaga_incident_unacknowledged_since_timestamp_seconds",
        time.time() - 76 * 60, brand="lama", level="3",
    )  # fmt: skip
    exporter.set(
        "siaga_connector_last_success_timestamp_seconds", time.time() - 9000, connector="x"
    )
    prometheus.set_targets("words", [exporter.address])
    client = Client(grafana.address, (grafana.user, grafana.password))
    for language, name in NAMES.items():
        settings = GrafanaSettings.model_validate(
            {"name": name, "title": name, "prometheus_url": prometheus.address}
        )
        resources = wanted(settings, language=language, time_zone="Asia/Jakarta", env={})
        apply(client, name, resources)
    deadline = time.monotonic() + 90
    while True:
        found = {language: _summaries(client, name) for language, name in NAMES.items()}
        wanted_now = {"SiagaUnacknowledged/lama", *(f"SiagaLevel/{brand}" for brand in TOLD)}
        if all(wanted_now <= set(each) for each in found.values()):
            break
        assert time.monotonic() < deadline, found
        time.sleep(1)
    yield found
    prometheus.set_targets("words", [])
    for name in NAMES.values():
        apply(client, name, [])
    exporter.close()


def _summaries(client: Client, folder: str) -> dict[str, str]:
    groups: list[dict[str, Any]] = client.get("/prometheus/grafana/api/v1/rules")["data"]["groups"]
    return {
        f"{alert['labels']['alertname']}/{alert['labels'].get('brand', '')}": alert["annotations"][
            "summary"
        ]
        for group in groups
        if group["file"] == folder
        for rule in group["rules"]
        for alert in rule.get("alerts", [])
        if alert["state"].startswith("Alerting")
    }


@pytest.mark.parametrize("brand", TOLD)
def test_a_level_is_told_in_numbers_that_a_person_reads_at_a_glance(
    told: dict[str, dict[str, str]], brand: str
) -> None:
    *_, english, indonesian = TOLD[brand]
    assert told["en"][f"SiagaLevel/{brand}"] == english
    assert told["id"][f"SiagaLevel/{brand}"] == indonesian


def test_waiting_is_told_in_hours_and_minutes(told: dict[str, dict[str, str]]) -> None:
    assert told["en"]["SiagaUnacknowledged/lama"].startswith(
        "lama: nobody has acknowledged for 1 h 1"
    )
    assert told["id"]["SiagaUnacknowledged/lama"].startswith("lama: sudah 1 jam 1")
    assert told["id"]["SiagaUnacknowledged/lama"].endswith("menit belum ada yang menerima tugas.")


def test_no_text_holds_a_prefix_of_engineers_or_an_open_place(
    told: dict[str, dict[str, str]],
) -> None:
    for summaries in told.values():
        for summary in summaries.values():
            assert "{{" not in summary
            assert "<no value>" not in summary
            assert "e+" not in summary
