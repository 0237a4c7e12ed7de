"""`siaga connector reset NAME --to TIME`: where it can, and why not where it cannot."""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.contract import Context, Item
from connectors.fleet import enabled
from connectors.ingest import cursors
from connectors.ingest.cursors import Saved
from connectors.service import run_sources
from connectors.sources.file import FileConnector, FileSettings
from streams.cli import build
from streams.config import load
from streams.log.open import open_log
from streams.settings import RootSettings

T0 = datetime(2025, 1, 1, tzinfo=UTC)


def rows(order: list[int]) -> str:
    lines = [
        json.dumps({"id": n, "time": (T0 + timedelta(hours=n)).isoformat(), "text": f"kopi {n}"})
        for n in order
    ]
    return "".join(f"{line}\n" for line in lines)


def ids_after(connector: FileConnector, cursor: str | None) -> list[str]:
    async def story() -> list[str]:
        found: list[str] = []
        at = cursor
        while True:
            page = await connector.fetch(at)
            found += [i.native_id for i in page.items if isinstance(i, Item)]
            at = page.cursor
            if not page.more:
                await connector.close()
                return found

    return asyncio.run(story())


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 0, 4, 1, 2]])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("follow", [False, True])
def test_a_file_goes_on_with_its_first_row_of_that_time(
    tmp_path: Path, order: list[int], packed: bool, follow: bool
) -> None:
    if packed and order != sorted(order):
        order = sorted(order)  # compressed files have to be in the order of time
    if follow:
        order = sorted(order)  # so do growing ones, which cannot be sorted
    path = tmp_path / "a.jsonl"
    body = rows(order).encode()
    path.write_bytes(gzip.compress(body) if packed else body)

    def made() -> FileConnector:
        return FileConnector(FileSettings(path=path, follow=follow), Context("a"))

    for hour, expected in ((2, ["2", "3", "4"]), (-1, ["0", "1", "2", "3", "4"]), (9, [])):
        cursor = made().cursor_at(T0 + timedelta(hours=hour))
        assert ids_after(made(), cursor) == expected
        # Between two rows: the later one.
        between = made().cursor_at(T0 + timedelta(hours=hour, minutes=-30))
        assert ids_after(made(), between) == expected


def test_an_empty_file_starts_at_its_start(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    assert FileConnector(FileSettings(path=path), Context("a")).cursor_at(T0) is None


CONFIG = """
data_dir = "{folder}/data"
[brands.kopi]
names = ["kopi"]
[sources.export]
type = "file"
path = "{folder}/a.jsonl"
[sources.news]
type = "rss"
url = "https://news.example/feed.xml"
[sources.crm]
type = "webhook"
port = 0
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text(rows([0, 1, 2, 3]))
    path = tmp_path / "siaga.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return path


def reset(config: Path, name: str, to: str = "") -> tuple[bool, str]:
    arguments = ["connector", "reset", name, "-c", str(config)] + (["--to", to] if to else [])
    result = CliRunner().invoke(build(), arguments)
    return result.exit_code == 0, f"{result.output} {result.exception or ''}"


def published(config: Path) -> int:
    settings: RootSettings = load(config)

    async def run() -> int:
        log = open_log(settings)
        try:
            wanted = {"export": enabled(settings)["export"]}
            [runner] = await run_sources(settings, log, wanted)
            return runner.standing.mentions
        finally:
            await log.close()

    return asyncio.run(run())


def test_a_source_reads_again_from_the_time_that_was_named(config: Path) -> None:
    assert published(config) == 4
    fine, told = reset(config, "export", "2025-01-01T02:00")
    assert fine
    assert "from 2025-01-01 02:00 UTC" in told
    assert published(config) == 2  # counted anew, from the new place on
    fine, told = reset(config, "export")
    assert fine
    assert published(config) == 4


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("news", "shows its newest entries only"),
        ("crm", "let them deliver again"),
        ("nobody", "there are: export, news, crm"),
    ],
)
def test_a_source_that_cannot_says_why(config: Path, name: str, why: str) -> None:
    fine, told = reset(config, name, "2025-01-01")
    assert not fine
    assert why in told
    if name != "nobody":
        assert reset(config, name)[0]


def test_a_source_that_runs_is_not_reset_behind_its_back(config: Path) -> None:
    settings = load(config)

    async def say(state: str, age_s: float) -> None:
        log = open_log(settings)
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        saved = Saved(source="export", run="replay", cursor="x", saved_at=at, state=state)
        await log.ensure([])
        from streams.topics import TOPICS

        await log.ensure(TOPICS)
        await log.append([cursors.entry(saved)])
        await log.close()

    asyncio.run(say("running", 4))
    fine, told = reset(config, "export")
    assert not fine
    assert "enabled = false" in told
    for state, age_s in (("running", 100.0), ("off", 1.0), ("removed", 1.0), ("ended", 1.0)):
        asyncio.run(say(state, age_s))
        assert reset(config, "export")[0]
