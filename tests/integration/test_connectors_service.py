"""Files through the whole connect path onto the embedded log: counts add up, whatever the input."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.fleet import enabled
from connectors.service import run_sources
from streams import codec
from streams.cli import build
from streams.config import load
from streams.log.open import open_log
from streams.log.port import Log
from streams.records import Batch
from streams.topics import DEAD, MENTIONS

BRANDS = ("United", "US Airways", "American", "Southwest", "Delta", "Virgin America")


def configuration(folder: Path, sources: str, brands: tuple[str, ...] = ("Kopi",)) -> Path:
    path = folder / "siaga.toml"
    tables = (f'[brands.{b.lower().replace(" ", "-")}]\nnames = ["{b}"]\n' for b in brands)
    path.write_text(f'data_dir = "{folder / "data"}"\n{"".join(tables)}{sources}', encoding="utf-8")
    return path


def with_log(config: Path, work: Callable[[Log], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        log = open_log(load(config))
        try:
            return await work(log)
        finally:
            await log.close()

    return asyncio.run(run())


async def counts(log: Log) -> tuple[Counter[str], Counter[str]]:
    """Mentions by brand (distinct ids) and dead letters by reason (distinct ids)."""
    mentions: set[tuple[str, str]] = set()
    total = 0
    async for chunk in log.read(MENTIONS):
        for record in chunk:
            found = codec.mentions.decode(record.value or b"")
            if isinstance(found, Batch):
                total += len(found.mentions)
                mentions |= {(found.brand, m.id) for m in found.mentions}
    assert total == len(mentions)  # none double
    dead: dict[str, str] = {}
    async for chunk in log.read(DEAD):
        for record in chunk:
            letter = codec.dead_letter.decode(record.value or b"")
            dead[letter.id] = letter.reason
    return Counter(b for b, _ in mentions), Counter(dead.values())


def run(config: Path) -> tuple[Counter[str], Counter[str]]:
    settings = load(config)

    async def work(log: Log) -> tuple[Counter[str], Counter[str]]:
        await run_sources(settings, log, enabled(settings))
        return await counts(log)

    found: tuple[Counter[str], Counter[str]] = with_log(config, work)
    return found


@pytest.mark.shared
def test_every_tweet_of_the_airline_file_is_a_mention_of_its_airline(
    tmp_path: Path, shared: Path
) -> None:
    tweets = shared / "data" / "airline" / "tweets.csv"
    source = (
        f'[sources.tweets]\ntype = "file"\npath = "{tweets}"\ncolumns = {{brand = "airline"}}\n'
    )
    mentions, dead = run(configuration(tmp_path, source, BRANDS))
    assert mentions == {
        "united": 3822,
        "us-airways": 2913,
        "american": 2604,
        "southwest": 2420,
        "delta": 2222,
        "virgin-america": 504,
    }
    assert not dead


def test_bad_input_is_a_mention_or_a_dead_letter_and_the_counts_add_up(tmp_path: Path) -> None:
    good = {"time": "2025-01-01T00:00:00Z", "text": "kopi enak"}
    rows: list[bytes] = [json.dumps({**good, "id": n}).encode() for n in range(5)]
    rows += [
        json.dumps({**good, "id": "naive", "time": "2025-01-01T00:00:00"}).encode(),
        json.dumps({**good, "id": "epoch", "time": 0}).encode(),
        json.dumps({**good, "id": "future", "time": "2199-01-01T00:00:00Z"}).encode(),
        json.dumps({**good, "id": "no-time", "time": None}).encode(),
        json.dumps({**good, "id": "no-text", "text": ""}).encode(),
        json.dumps({**good, "id": "nul", "text": "kopi\x00 \u202eenak"}).encode(),
        json.dumps({**good, "id": "long", "text": "kopi " + "x" * 5_000_000}).encode(),
        json.dumps({**good, "id": "nobody", "brand": "teh"}).encode(),
        b'{"id": "utf8", "time": "2025-01-01T00:00:00Z", "text": "kopi \xff\xfe"}',
        b"{broken",
        json.dumps({**good, "id": 0}).encode(),  # a duplicated id
    ]
    rows += [b"bad row %d" % n for n in range(10_000)]
    rows.append(json.dumps({**good, "id": "last"}).encode())
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    source = f'[sources.posts]\ntype = "file"\npath = "{tmp_path / "a.jsonl"}"\n'
    mentions, dead = run(configuration(tmp_path, source))
    # every row names its brand only if it has one: the rest is matched by text
    assert dead == {
        "naive_time": 1,
        "time_too_old": 1,
        "missing_field": 1,
        "empty_text": 1,
        "unknown_brand": 1,
        "broken_row": 10_001,
    }
    assert mentions == {"kopi": 5 + 5}  # 5 plain; future, nul, long, utf8, last
    assert mentions.total() + dead.total() == len(rows) - 1  # the duplicate is neither


def test_a_second_run_publishes_nothing_again(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,time,text\n1,2025-01-01T00:00:00Z,kopi\n")
    source = f'[sources.posts]\ntype = "file"\npath = "{tmp_path / "a.csv"}"\n'
    config = configuration(tmp_path, source)
    assert run(config) == run(config) == (Counter({"kopi": 1}), Counter())


def test_one_source_that_cannot_start_leaves_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,time,text\n1,2025-01-01T00:00:00Z,kopi\n")
    config = configuration(
        tmp_path,
        f'[sources.gone]\ntype = "file"\npath = "{tmp_path / "none.csv"}"\n'
        f'[sources.posts]\ntype = "file"\npath = "{tmp_path / "a.csv"}"\n',
    )
    settings = load(config)

    async def work(log: Log) -> Counter[str]:
        task = asyncio.create_task(run_sources(settings, log, enabled(settings)))
        async with asyncio.timeout(10):
            while not (await counts(log))[0]:  # noqa: ASYNC110  # watches the log
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return (await counts(log))[0]

    assert with_log(config, work) == {"kopi": 1}


def test_replay_list_check_and_dead_letters_from_the_command_line(tmp_path: Path) -> None:
    config = configuration(tmp_path, "")
    path = tmp_path / "Posts 2025.csv"
    path.write_text("Waktu,isi,siapa\n2025-01-01T00:00:00Z,kopi,a\n2025-01-01T00:00:00,kopi,b\n")
    run_cli = CliRunner()
    app = build()

    def cli(*arguments: str) -> str:
        result = run_cli.invoke(app, [*arguments, "-c", str(config)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    told = cli("replay", str(path), "--map", "author=siapa", "--run", "drill")
    assert "1 mentions published in run 'drill', 1 dead letters (ended)" in told
    again = cli("replay", str(path), "--map", "author=siapa", "--run", "drill")
    assert "0 mentions" in again
    assert "--again" in again
    [row] = json.loads(cli("connector", "list", "--json"))
    assert (row["name"], row["run"], row["state"], row["published"]) == (
        "posts-2025",
        "drill",
        "ended",
        1,
    )
    assert (row["fetched"], row["matched"], row["duplicates"], row["dead_letters"]) == (2, 1, 0, 1)
    assert row["quota_left"] is None
    assert "published" in cli("connector", "list")
    [letter] = json.loads(cli("dead-letters", "list", "--json"))
    assert letter["reason"] == "naive_time"
    assert "naive_time" in cli("dead-letters", "show", letter["id"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--map", "nonsense"], "write field=column"),
        (["--fast-until", "tomorrow"], "fast_until"),
        (["--run", "Bad Run"], "run"),
    ],
)
def test_a_wrong_flag_is_a_sentence(tmp_path: Path, arguments: list[str], told: str) -> None:
    config = configuration(tmp_path, "")
    (tmp_path / "a.csv").write_text("id,time,text\n")
    result = CliRunner().invoke(
        build(), ["replay", str(tmp_path / "a.csv"), "-c", str(config), *arguments]
    )
    assert result.exit_code == 2
    assert told in result.output
