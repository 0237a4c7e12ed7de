"""From a level in the metrics, by the real Grafana and our relay, to a chat with evidence."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from exporting import Exporter
from posts import Webhooks
from services import Grafana, Prometheus

from grafana.apply import apply
from grafana.client import Client
from grafana.resources import wanted
from grafana.settings import GrafanaSettings
from response.page import service as page
from streams import codec
from streams.config import parse
from streams.log.open import open_log
from streams.log.port import Entry
from streams.records import Incident, Sample
from streams.settings import RootSettings
from streams.topics import INCIDENTS, all_topics

pytestmark = pytest.mark.services

NAME, WORD = "relayed", "a-word-that-grafana-shows"


def _incident() -> Incident:
    now = datetime.now(UTC)
    sample = Sample(
        id="forum:1", source="forum", author="budi", text="paket saya hilang",
        published_at=now, sentiment="negative",
    )  # fmt: skip
    return Incident(
        id=f"live/melati/{int(now.timestamp())}", brand="melati", level=3, peak=3, signal="volume",
        onset=now - timedelta(minutes=2), opened_at=now, updated_at=now,
        observed=118, expected=12, upper=30, score=5, samples=(sample,),
        sentences={"en": "Mentions of Melati are ten times as usual."},
    )  # fmt: skip


@contextmanager
def _serving(settings: RootSettings) -> Iterator[None]:
    """The page in a thread with an event loop of its own."""
    loop = asyncio.new_event_loop()

    async def run() -> None:
        log = open_log(settings)
        try:
            await log.ensure(all_topics("siaga"))
            incident = _incident()
            await log.append([Entry(INCIDENTS, incident.id.encode(), codec.encode(incident))])
            await page.serve(settings, log)
        finally:
            await log.close()

    task = loop.create_task(run())
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    )
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(15)
        loop.close()


def test_grafanas_notification_reaches_the_chat_with_evidence_and_a_link_that_works(
    grafana: Grafana, prometheus: Prometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, exporter = Webhooks(), Exporter()
    monkeypatch.setenv("SIAGA_RELAY_TOKEN", WORD)
    port = exporter.port + 1
    settings = parse(
        f'data_dir = "{tmp_path}"\nlanguage = "en"\n[log]\npartitions = 2\n'
        f'[page]\nport = {port}\n[relay.webhooks.desk]\nurl = "{chat.url}/desk"\n[brands.melati]\n'
    )
    contact = {
        "type": "webhook",
        "url": f"http://127.0.0.1:{port}/relay/desk",
        "user": "grafana",
        "password_env": "SIAGA_RELAY_TOKEN",
    }
    ours = GrafanaSettings.model_validate(
        {"name": NAME, "title": "Relayed", "prometheus_url": prometheus.address,
         "contacts": {"desk": contact}}
    )  # fmt: skip
    client = Client(grafana.address, (grafana.user, grafana.password))
    exporter.set("siaga_worker_up", 1)
    exporter.set("siaga_last_tick_timestamp_seconds", time.time() + 3600)
    exporter.brand("melati", 0, observed=11, expected=12)
    prometheus.set_targets(NAME, [exporter.address])
    try:
        with _serving(settings):
            env = {"SIAGA_RELAY_TOKEN": WORD}
            apply(client, NAME, wanted(ours, language="en", time_zone="UTC", env=env))
            exporter.brand("melati", 3, observed=118, expected=12)
            first = _next(chat, 1)
            assert first["summary"] == "Mentions of Melati are ten times as usual."
            assert first["samples"][0]["text"] == "paket saya hilang"
            answer = httpx.post(first["acknowledge"], data={"who": "Sari"}, timeout=10)
            assert answer.json()["acknowledged_by"] == "Sari"
            second = _next(chat, 2)
            assert (second["status"], second["acknowledged_by"]) == ("acknowledged", "Sari")
    finally:
        prometheus.set_targets(NAME, [])
        apply(client, NAME, [])
        exporter.close()
        chat.close()


def _next(chat: Webhooks, count: int) -> dict:
    deadline = time.monotonic() + 90
    while len(chat.of("desk")) < count:
        assert time.monotonic() < deadline, "nothing was told in time"
        time.sleep(0.2)
    return chat.of("desk")[count - 1].body
