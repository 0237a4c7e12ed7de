"""A changed siaga.toml while it runs: brands and sources follow, the rest is not disturbed."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.ingest import cursors
from connectors.memory_log import MemoryLog
from connectors.service import serve
from streams import codec
from streams.config import load
from streams.records import Batch, Tick
from streams.topics import DEAD, MENTIONS

KOPI = '[brands.kopi]\nnames = ["kopi"]\n'
TEH = '[brands.teh]\nnames = ["teh"]\n'


def source(name: str, folder: Path, **keys: str) -> str:
    more = "".join(f"{k} = {v}\n" for k, v in keys.items())
    path = folder / f"{name}.jsonl"
    return f'[sources.{name}]\ntype = "file"\npath = "{path}"\nfollow = true\nrun = "live"\n{more}'


def say(folder: Path, name: str, native_id: str, text: str) -> None:
    line = f'{{"id": "{native_id}", "time": "2025-01-01T00:00:00Z", "text": "{text}"}}\n'
    with (folder / f"{name}.jsonl").open("a") as file:
        file.write(line)


class Place:
    """A folder with a configuration, and the service that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "siaga.toml"
        self.log = MemoryLog()

    def configure(self, *parts: str) -> None:
        self.config.write_text("".join(parts))

    def lane(self, topic: str) -> list[Any]:
        return [r for lane in self.log._records.get(topic, []) for r in lane]

    def records(self) -> list[Batch | Tick]:
        return [codec.mentions.decode(r.value) for r in self.lane(MENTIONS)]

    def mentions(self) -> set[tuple[str, str]]:
        found = [r for r in self.records() if isinstance(r, Batch)]
        return {(b.brand, m.id) for b in found for m in b.mentions}

    def ended(self) -> set[str]:
        return {r.source for r in self.records() if isinstance(r, Tick) and r.ended}

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110  # watches a log
                await asyncio.sleep(0.01)

    def play(self, story: Callable[[], Any]) -> None:
        async def run() -> None:
            service = asyncio.create_task(
                serve(load(self.config), self.log, look_every_s=0.03, workers_first_s=0.05)
            )
            told = asyncio.create_task(story())
            await asyncio.wait({service, told}, return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                told.result()
            service.cancel()
            done = await asyncio.gather(service, return_exceptions=True)
            assert isinstance(done[0], asyncio.CancelledError), done

        asyncio.run(run())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").touch()
    return made


def test_a_new_brand_is_matched_and_a_removed_one_no_longer(place: Place) -> None:
    place.configure(KOPI, source("a", place.folder))

    async def story() -> None:
        say(place.folder, "a", "1", "kopi atau teh")
        await place.until(lambda: ("kopi", "a:1") in place.mentions())
        place.configure(TEH, source("a", place.folder))
        n = 1
        while ("teh", f"a:{n}") not in place.mentions():
            n += 1
            say(place.folder, "a", str(n), "kopi atau teh")
            await asyncio.sleep(0.05)
        # What came after the change was adopted is about the new brand alone.
        assert ("kopi", f"a:{n}") not in place.mentions()

    place.play(story)


def test_a_source_is_added_and_taken_out_while_another_runs_on(place: Place) -> None:
    place.configure(KOPI, source("a", place.folder))

    async def story() -> None:
        say(place.folder, "a", "1", "kopi")
        await place.until(lambda: ("kopi", "a:1") in place.mentions())
        tasks = {t for t in asyncio.all_tasks() if t.get_name() == "source a"}
        place.configure(KOPI, source("a", place.folder), source("b", place.folder))
        say(place.folder, "b", "1", "kopi")
        await place.until(lambda: ("kopi", "b:1") in place.mentions())
        place.configure(KOPI, source("a", place.folder))
        await place.until(lambda: "b" in place.ended())
        say(place.folder, "b", "2", "kopi")
        say(place.folder, "a", "2", "kopi")
        await place.until(lambda: ("kopi", "a:2") in place.mentions())
        assert ("kopi", "b:2") not in place.mentions()
        assert {t for t in asyncio.all_tasks() if t.get_name() == "source a"} == tasks
        # Taken up again it goes on where it stood.
        place.configure(KOPI, source("a", place.folder), source("b", place.folder))
        await place.until(lambda: ("kopi", "b:2") in place.mentions())

    place.play(story)
    published = [m.id for r in place.records() if isinstance(r, Batch) for m in r.mentions]
    assert sorted(published) == ["a:1", "a:2", "b:1", "b:2"]
    assert place.ended() == {"b"}


def test_a_changed_source_goes_on_at_its_cursor_with_its_new_settings(place: Place) -> None:
    place.configure(KOPI, source("a", place.folder))

    async def story() -> None:
        say(place.folder, "a", "1", "kopi")
        await place.until(lambda: ("kopi", "a:1") in place.mentions())
        place.configure(KOPI, source("a", place.folder, channel='"forum"'))
        while not any(
            m.source == "forum" for r in place.records() if isinstance(r, Batch) for m in r.mentions
        ):
            say(place.folder, "a", str(len(place.mentions()) + 1), "kopi")
            await asyncio.sleep(0.05)

    place.play(story)
    published = [m.id for r in place.records() if isinstance(r, Batch) for m in r.mentions]
    assert len(published) == len(set(published))
    assert not place.ended()


def test_a_broken_file_changes_nothing_and_is_told_once_by_key_and_line(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.configure(KOPI, source("a", place.folder))

    async def story() -> None:
        say(place.folder, "a", "1", "kopi")
        await place.until(lambda: ("kopi", "a:1") in place.mentions())
        with caplog.at_level(logging.WARNING):
            place.configure(KOPI, source("a", place.folder, pol_s="3"))
            await place.until(lambda: "pol_s" in caplog.text)
            await asyncio.sleep(0.3)
        told = [r.getMessage() for r in caplog.records if "pol_s" in r.getMessage()]
        assert len(told) == 1
        assert "siaga.toml:8: " in told[0]
        assert 'did you mean "poll_s"?' in told[0]
        say(place.folder, "a", "2", "kopi")
        await place.until(lambda: ("kopi", "a:2") in place.mentions())
        place.configure(KOPI, TEH, source("a", place.folder))
        n = 2
        while ("teh", f"a:{n}") not in place.mentions():
            n += 1
            say(place.folder, "a", str(n), "teh")
            await asyncio.sleep(0.05)

    place.play(story)
    assert not place.lane(DEAD)


def test_a_source_that_cannot_be_built_leaves_the_others_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors import assemble

    build = assemble.build

    def broken(name: str, *rest: Any) -> Any:
        if name == "b":
            raise ValueError("a bug of a third party")
        return build(name, *rest)

    monkeypatch.setattr(assemble, "build", broken)
    place.configure(KOPI, source("a", place.folder), source("b", place.folder))

    async def story() -> None:
        say(place.folder, "a", "1", "kopi")
        await place.until(lambda: ("kopi", "a:1") in place.mentions())

    place.play(story)
    saved = asyncio.run(cursors.load(place.log))
    assert saved["b", "live"].state == "stopped"
    assert "ValueError" in saved["b", "live"].detail
