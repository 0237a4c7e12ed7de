"""A log that goes away while a process starts: every service waits for it, none ends."""

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from chain import free_port

from connectors.fleet import enabled
from connectors.service import serve as connect
from streams import codec
from streams.config import load
from streams.log.open import open_log
from streams.log.port import Unavailable
from streams.records import Batch
from streams.settings import RootSettings
from streams.topics import MENTIONS

SERVICES = {point.name: point for point in entry_points(group="siaga.services")}


class AwayLog:
    """The log port, not there."""

    def __getattr__(self, name: str) -> Any:
        async def asked(*_: Any, **__: Any) -> None:
            raise Unavailable("the log is away")

        return asked

    async def read(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Fail at the first chunk."""
        raise Unavailable("the log is away")
        yield

    async def close(self) -> None:
        """Nothing to close."""


class LateLog:
    """A log that is away for its first questions."""

    def __init__(self, log: Any, refused: int) -> None:
        self._log, self._refused = log, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def ensure(self, *specs: Any) -> None:
        """Refuse, then be there."""
        if self._refused:
            self._refused -= 1
            raise Unavailable("the log is away")
        await self._log.ensure(*specs)


def settings_of(folder: Path) -> RootSettings:
    path = folder / "siaga.toml"
    (folder / "a.csv").write_text(
        "id,time,text\n1,2026-03-02T03:00:00Z,kopi enak\n2,2026-03-02T03:01:00Z,kopi dingin\n"
    )
    path.write_text(
        f'data_dir = "{folder / "data"}"\n[brands.kopi]\nnames = ["kopi"]\n'
        f'[page]\nport = {free_port()}\n[sources.a]\ntype = "file"\npath = "{folder / "a.csv"}"\n'
        '[alerts.webhooks.team]\nurl = "http://127.0.0.1:9/"\n'
    )
    return load(path)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_log_that_is_away_ends_no_service(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        task = asyncio.create_task(SERVICES[name].load()(settings_of(tmp_path), AwayLog()))
        done, _ = await asyncio.wait([task], timeout=1.5)
        assert not done or task.exception() is None, task.exception()
        task.cancel()
        await asyncio.wait([task], timeout=10)

    asyncio.run(run())


def test_sources_start_once_the_log_is_there(tmp_path: Path) -> None:
    async def run() -> None:
        settings = settings_of(tmp_path)
        log = open_log(settings)
        assert enabled(settings)
        task = asyncio.create_task(connect(settings, LateLog(log, 2)))  # type: ignore[arg-type] # a proxy
        found = 0
        async with asyncio.timeout(60):
            while found < 2:
                await asyncio.sleep(0.2)
                assert not task.done(), task.exception()
                found = 0
                if MENTIONS not in await log.topics():
                    continue
                async for chunk in log.read(MENTIONS):
                    records = [codec.mentions.decode(r.value or b"") for r in chunk]
                    found += sum(len(r.mentions) for r in records if isinstance(r, Batch))
        task.cancel()
        await asyncio.wait([task], timeout=10)
        await log.close()

    asyncio.run(run())
