"""Following siaga.toml: what is taken, what waits, what a worker does with it."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.config import load
from streams.pipeline.pipeline import Pipeline
from streams.reload import ConfigFile, changes
from streams.settings import RootSettings
from streams.worker.service import follow, pipeline_config

KOPI = '[brands.kopi]\nnames = ["kopi"]\n'
TEH = '[brands.teh]\ntitle = "Teh Manis"\n[severity.brands.teh]\n'


def settings(folder: Path, text: str = KOPI) -> RootSettings:
    (folder / "siaga.toml").write_text(text)
    return load(folder / "siaga.toml")


def scripted(monkeypatch: pytest.MonkeyPatch, *contents: str) -> None:
    """Let each look see the next content; the last one stays."""
    left: Iterator[str] = iter(contents)
    last = contents[-1].encode()
    monkeypatch.setattr(ConfigFile, "look", lambda _: next(left, last.decode()).encode())


async def followed(start: RootSettings, wanted: int) -> list[set[str]]:
    seen: list[set[str]] = []
    async with asyncio.timeout(10):
        async for newer in changes(start, every_s=0.001):
            seen.append(set(newer.brands))
            if len(seen) == wanted:
                break
    return seen


def test_half_a_file_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = settings(tmp_path)
    scripted(monkeypatch, KOPI, "", KOPI, "", KOPI + TEH[:20], KOPI + TEH, KOPI + TEH)
    assert asyncio.run(followed(start, 1)) == [{"kopi", "teh"}]


def test_a_broken_file_is_passed_over_and_its_mending_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = settings(tmp_path)
    broken = KOPI + "[brands.teh]\nname = 1\n"
    scripted(monkeypatch, *[broken] * 5, *[KOPI + TEH] * 2)

    async def two_services() -> list[list[set[str]]]:
        return list(await asyncio.gather(followed(start, 1), followed(start, 1)))

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(two_services()) == [[{"kopi", "teh"}]] * 2
    [told] = [r.getMessage() for r in caplog.records]
    assert "siaga.toml:4: unknown key brands.teh.name" in told


def test_settings_that_came_from_no_file_never_change() -> None:
    async def first() -> RootSettings:
        return await anext(aiter(changes(RootSettings(), every_s=0.001)))

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(first(), 0.05))


def test_what_waits_for_a_restart_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = settings(tmp_path).file
    assert file is not None
    with caplog.at_level(logging.WARNING):
        newer = file.settings((KOPI + TEH + "[metrics]\nport = 1\n").encode())
    assert newer is not None
    assert set(newer.brands) == {"kopi", "teh"}
    assert newer.file is file
    assert "metrics differs from what runs" in caplog.text
    assert "brands" not in caplog.text


def test_a_file_that_is_gone_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start = settings(tmp_path)
    (tmp_path / "siaga.toml").unlink()
    assert start.file is not None
    assert start.file.look() is None
    assert start.file.settings(None) is None
    assert start.file.settings(None) is None
    assert len(caplog.records) == 1


def test_a_worker_knows_a_new_brand_at_once_and_an_old_one_a_little_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = settings(tmp_path)
    reader: Any = None
    pipeline = Pipeline(pipeline_config(start), reader)
    bank = pipeline.config.bank
    scripted(monkeypatch, TEH)

    async def story() -> list[set[str]]:
        seen = [set(pipeline.config.brands)]
        task = asyncio.create_task(follow(start, pipeline, every_s=0.001, keep_s=0.2))
        async with asyncio.timeout(10):
            while seen[-1] != {"teh"}:
                await asyncio.sleep(0.005)
                if set(pipeline.config.brands) != seen[-1]:
                    seen.append(set(pipeline.config.brands))
        task.cancel()
        return seen

    assert asyncio.run(story()) == [{"kopi"}, {"kopi", "teh"}, {"teh"}]
    assert pipeline.config.title("teh") == "Teh Manis"
    assert "teh" in pipeline.config.severity_by_brand
    assert pipeline.config.bank is bank
