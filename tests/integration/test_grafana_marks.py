"""Incidents as marks on the boards of a real Grafana: one each, whoever restarts."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from services import Grafana

from grafana import service as annotating
from grafana.annotate import Annotator, marks
from grafana.client import Client
from streams import codec
from streams.config import parse
from streams.log.open import open_log
from streams.log.port import Entry
from streams.records import Incident, LevelChange
from streams.topics import INCIDENTS, all_topics

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def client(grafana: Grafana) -> Client:
    """An administrator."""
    return Client(grafana.address, (grafana.user, grafana.password))


def test_an_incident_is_marked_when_it_opens_rises_and_closes_once_each(client: Client) -> None:
    start = datetime(2026, 3, 1, 8, tzinfo=UTC)
    opened = Incident(
        id="live/melati/1", brand="melati", level=1, peak=1, signal="volume",
        onset=start, opened_at=start, updated_at=start,
        observed=118, expected=12, upper=30, score=5,
        history=(LevelChange(1, start),), sentences={"en": "Mentions are ten times as usual."},
    )  # fmt: skip
    worse = start + timedelta(minutes=5)
    raised = msgspec.structs.replace(
        opened, level=3, sequence=4, history=(*opened.history, LevelChange(3, worse))
    )
    over = msgspec.structs.replace(raised, sequence=9, closed_at=worse + timedelta(hours=2))

    assert Annotator(client, "marked").post(marks(opened, "en")) == 1
    # A second process, which has read only the last record of a compacted topic
    later = Annotator(client, "marked")
    assert later.post(marks(over, "en")) == 2
    assert later.post(marks(raised, "en")) == 0
    assert Annotator(client, "marked").post(marks(over, "en")) == 0

    found = client.get("/annotations?tags=marked&tags=incident&limit=10")
    told = sorted((each["time"], each["text"]) for each in found)
    assert [text for _, text in told] == [
        "melati: WATCH. Mentions are ten times as usual.",
        "melati: CRISIS. Mentions are ten times as usual.",
        "melati: over",
    ]
    assert told[1][0] == int(worse.timestamp() * 1000)


def test_the_service_marks_incidents_as_they_come_and_once_over_a_restart(
    grafana: Grafana, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIAGA_GRAFANA_PASSWORD", grafana.password)
    settings = parse(
        f'data_dir = "{tmp_path}"\nlanguage = "en"\n[log]\npartitions = 2\n'
        f'[grafana]\nurl = "{grafana.address}"\nname = "serving"\n'
    )
    start = datetime(2026, 3, 1, 8, tzinfo=UTC)
    opened = Incident(
        id="live/melati/1", brand="melati", level=1, peak=1, signal="volume",
        onset=start, opened_at=start, updated_at=start,
        observed=118, expected=12, upper=30, score=5, history=(LevelChange(1, start),),
    )  # fmt: skip
    worse = start + timedelta(minutes=5)
    raised = msgspec.structs.replace(
        opened, level=3, sequence=1, history=(*opened.history, LevelChange(3, worse))
    )
    over = msgspec.structs.replace(raised, sequence=2, level=0, closed_at=worse)

    async def serving(records: list[Incident], marks_then: int) -> None:
        log = open_log(settings)
        try:
            await log.ensure(all_topics("siaga"))
            task = asyncio.create_task(annotating.serve(settings, log))
            for record in records:
                await log.append([Entry(INCIDENTS, record.id.encode(), codec.encode(record))])
            while len(await asyncio.to_thread(_marks, client, "serving")) < marks_then:
                assert not task.done()
                await asyncio.sleep(0.2)
            await asyncio.sleep(1.5)  # time for one too many
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        finally:
            await log.close()

    asyncio.run(asyncio.wait_for(serving([opened, raised], 2), 60))
    asyncio.run(asyncio.wait_for(serving([over], 3), 60))
    assert sorted(_marks(client, "serving")) == ["melati: CRISIS", "melati: WATCH", "melati: over"]


def _marks(client: Client, name: str) -> list[str]:
    found = client.get(f"/annotations?tags={name}&tags=incident&limit=10")
    return [each["text"] for each in found]
