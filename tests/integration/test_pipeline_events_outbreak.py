"""Announced events and the outbreak service over a real (embedded) log."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from typer.testing import CliRunner

from streams import codec
from streams.config import parse
from streams.events import Calendar, follow_events
from streams.log.open import open_log
from streams.log.port import Entry
from streams.outbreak.service import load, outbreak_topic, serve
from streams.records import Counts, Incident, Minute
from streams.settings import RootSettings
from streams.topics import INCIDENTS, MINUTES, all_topics

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BRANDS = ("toko", "kurir", "dompet", "lapak")


def settings_in(folder: Path) -> RootSettings:
    brands = "".join(f"[brands.{brand}]\n" for brand in BRANDS)
    return parse(f'data_dir = "{folder}"\n[log]\npartitions = 3\n{brands}')


def minute(brand: str, n: int, level: int) -> Minute:
    start = START + timedelta(minutes=n)
    return Minute(
        id=f"live/{brand}/{int(start.timestamp())}",
        brand=brand,
        start=start,
        counts=Counts(mentions=9, by_topic={"app": 5}),
        level=level,
        incident=f"live/{brand}/1" if level else "",
    )


def bad_hour() -> list[Minute]:
    """An hour of calm, then every brand but one is at ALERT, then calm again."""
    return [
        minute(brand, n, 2 if 60 <= n < 90 and brand != "lapak" else 0)
        for brand in BRANDS
        for n in range(150)
    ]


async def watched(settings: RootSettings, minutes: list[Minute]) -> list[Incident]:
    """Append minutes, let the service catch up, and return what it told."""
    log = open_log(settings)
    topic = outbreak_topic(settings.worker.id).name
    await log.ensure(all_topics(settings.worker.id))
    entries = [Entry(MINUTES, m.brand.encode(), codec.encode(m)) for m in minutes]
    await log.append(entries)
    ends = await log.ends(MINUTES)
    task = asyncio.create_task(serve(settings, log))
    try:
        async with asyncio.timeout(30):
            # What a service has written is only seen by reading the log again.
            while (await load(log, topic)).positions != {p: e for p, e in ends.items() if e}:  # noqa: ASYNC110 # as above
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    told = [
        codec.incident.decode(r.value)
        async for chunk in log.read(INCIDENTS)
        for r in chunk
        if r.value is not None
    ]
    await log.close()
    return told


def test_brands_that_fail_together_have_one_parent_that_ends(tmp_path: Path) -> None:
    told = asyncio.run(watched(settings_in(tmp_path), bad_hour()))
    assert {i.id for i in told} == {f"live/*/{int((START + timedelta(hours=1)).timestamp())}"}
    assert told[0].children == ("live/dompet/1", "live/kurir/1", "live/toko/1")
    assert told[0].level == 2
    assert told[-1].closed_at is not None


def test_after_a_restart_nothing_is_told_twice(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    whole = asyncio.run(watched(settings, bad_hour()))
    later = [minute(brand, n, 0) for brand in BRANDS for n in range(150, 160)]
    assert asyncio.run(watched(settings, later)) == whole


def test_an_announced_event_covers_its_time_until_it_is_called_off(tmp_path: Path) -> None:
    config = tmp_path / "siaga.toml"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\n[brands.toko]\n[brands.kurir]\n')
    from streams.cli import build

    run = CliRunner()
    app = build()
    asked = ["event", "add", "toko", "--from", "2026-03-02T15:00", "--until", "2026-03-02T16:00"]
    added = run.invoke(app, [*asked, "--who", "ani", "-c", str(config)])
    assert added.exit_code == 0, added.output
    assert "2026-03-02T15:00:00+07:00 to 2026-03-02T16:00:00+07:00" in added.output  # as typed
    assert "it is over" in added.output
    calendar = calendar_of(config)
    noon = int(START.timestamp())  # 15:00 in Jakarta
    assert calendar.announced("toko", noon)
    assert not calendar.announced("toko", noon - 60)
    assert not calendar.announced("toko", noon + 3600)
    assert not calendar.announced("kurir", noon)

    listed = run.invoke(app, ["event", "list", "-c", str(config)])
    name = listed.output.split()[0]
    assert run.invoke(app, ["event", "cancel", name, "-c", str(config)]).exit_code == 0
    assert not calendar_of(config).announced("toko", noon)
    assert run.invoke(app, ["event", "cancel", name, "-c", str(config)]).exit_code == 1


def test_an_event_needs_a_known_brand_and_an_end_after_its_start(tmp_path: Path) -> None:
    config = tmp_path / "siaga.toml"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\n[brands.toko]\n')
    from streams.cli import build

    run = CliRunner()
    begin = ["--from", "2026-03-02T15:00", "--until", "2026-03-02T14:00", "-c", str(config)]
    assert run.invoke(build(), ["event", "add", "toko", *begin]).exit_code == 2
    begin[3] = "2026-03-02T16:00"
    assert run.invoke(build(), ["event", "add", "nobody", *begin]).exit_code == 2
    begin[1] = "yesterday"
    told = run.invoke(build(), ["event", "add", "toko", *begin])
    assert told.exit_code == 2
    assert "--from" in told.output
    assert "yesterday" in told.output


def calendar_of(config: Path) -> Calendar:
    calendar = Calendar()
    settings = parse(config.read_text())

    async def read() -> None:
        log = open_log(settings)
        await follow_events(log, calendar, follow=False)
        await log.close()

    asyncio.run(read())
    return calendar
