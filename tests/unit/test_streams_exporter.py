"""`/metrics`: our own rendering reads as the client library's does, and quiet brands are short."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from chain import free_port
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from detectors.anomaly.bank import BankConfig
from detectors.anomaly.reading import Reading
from streams.exporter import exporter, render
from streams.pipeline.state import BrandState, PartitionState
from streams.pipeline.watermark import Marks
from streams.records import Counts, Minute, Tick
from streams.service import CannotStart
from streams.settings import MetricsSettings, RootSettings
from streams.worker.core import Core
from streams.worker.view import READINGS_S, Families, StateView

START = datetime(2026, 3, 2, tzinfo=UTC)


def parsed(text: str) -> set[tuple[str, str, frozenset[tuple[str, str]], float]]:
    return {
        (family.type, sample.name, frozenset(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_our_text_says_what_the_librarys_says():
    registry = CollectorRegistry()
    odd = 'back\\slash, "quoted"\nand é'
    Counter("c", "With \\ and\nlines.", ["b", "a"], registry=registry).labels(odd, "x").inc(3)
    gauge = Gauge("g", "", ["what"], registry=registry)
    for value in (float("inf"), float("-inf"), 1e20, 0.1, -0.0):
        gauge.labels(str(value)).set(value)
    Histogram("h", "Buckets.", ["q"], registry=registry).labels("1").observe(0.3)
    assert parsed(render(registry).decode()) == parsed(generate_latest(registry).decode())


def test_a_scraper_is_answered_squeezed_or_plain_and_nothing_else_is_taken():
    port = free_port()
    settings = RootSettings(metrics=MetricsSettings(port=port))
    address = f"http://127.0.0.1:{port}/metrics"

    async def main() -> None:
        async with exporter(settings):
            for encoding in ("identity", "gzip"):
                reply = await asyncio.to_thread(
                    httpx.get, address, headers={"Accept-Encoding": encoding}
                )
                assert reply.headers.get("Content-Encoding", "identity") == encoding
                assert "# TYPE siaga_log_up gauge" in reply.text
            assert (await asyncio.to_thread(httpx.post, address)).status_code == 405
            with pytest.raises(CannotStart, match="port"):
                async with exporter(settings):
                    pass

    import streams.log.outage  # noqa: F401 - declares siaga_log_up

    asyncio.run(main())


def test_readings_of_a_minute_long_past_are_not_shown():
    brand = BrandState("live", "toko", BankConfig())
    brand.count("forum", "negative")
    readings = (Reading("volume", 3.0),)
    brand.latest = Minute(id="1", brand="toko", start=START, counts=Counts(), readings=readings)

    def shown(after_s: float) -> dict[str, list[float]]:
        families = Families(RootSettings())
        families.add_brand(brand, closed_s=START.timestamp() + after_s)
        return {m.name: [s.value for s in m.samples] for m in families.all() if m.samples}

    always = {"siaga_mentions": [1.0], "siaga_severity_level": [0.0]}
    assert shown(READINGS_S) == {**always, "siaga_observed": [3.0]}
    assert shown(READINGS_S + 1) == always


def test_readings_are_shown_however_late_the_slowest_source_is():
    state = PartitionState(0, BankConfig())
    brand = state.brand("live", "toko")
    readings = (Reading("volume", 3.0),)
    brand.latest = Minute(id="1", brand="toko", start=START, counts=Counts(), readings=readings)
    now = START + timedelta(hours=1)
    for source, watermark in (("forum", now), ("feed", START + timedelta(minutes=3))):
        tick = Tick(source=source, watermark=watermark, clock=now)
        state.marks["live"] = state.marks.get("live", Marks()).heard(tick)
    core = SimpleNamespace(states={0: state})
    view = StateView(cast("Core", core), RootSettings())
    assert [s.value for m in view.collect() if m.name == "siaga_observed" for s in m.samples] == [3]
