"""Runners over sources that follow a script, and what they leave on a log in memory."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from connectors.contract import Item, Page, SourceSettings
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.ingest.runner import Runner
from connectors.ingest.schedule import Backoff
from connectors.memory_log import MemoryLog
from connectors.settings import ConnectorsSettings
from streams import codec
from streams.records import Batch, Tick
from streams.settings import BrandSettings
from streams.topics import MENTIONS

T0 = datetime(2025, 1, 1, tzinfo=UTC)
FAST = Backoff(base_s=0.01, cap_s=0.02)
MATCHER = Matcher({"kopi": BrandSettings(names=("kopi",))})


def item(n: int, at: datetime | None = None) -> Item:
    return Item(native_id=str(n), published_at=at or T0 + timedelta(seconds=n), text=f"kopi {n}")


class Script:
    """Answers `fetch` from a list; an exception in it is raised; the cursor counts the pages."""

    Settings: ClassVar[type[SourceSettings]] = SourceSettings

    def __init__(self, answers: Sequence[Page | Exception]) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []
        self.closed = 0

    async def fetch(self, cursor: str | None) -> Page:
        self.asked.append(cursor)
        if not self.answers:
            return Page((), cursor, ended=True)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed += 1


def settings(**values: Any) -> SourceSettings:
    return SourceSettings(**{"type": "script", "poll_s": 0.05, "run": "r", **values})


def runner(connector: Any, log: MemoryLog, name: str = "s", **values: Any) -> Runner:
    source = values.pop("settings", settings())
    memory = values.pop("memory", None)
    return Runner(
        name,
        connector,
        source,
        Door(name, MATCHER, run=source.run, memory=memory),
        log,
        partitions=(0, 1),
        options=values.pop("options", ConnectorsSettings(tick_every_s=0.05)),
        backoff=FAST,
        rng=random.Random(1),
        **values,
    )


async def new_log() -> MemoryLog:
    log = MemoryLog()
    await log.ensure()
    return log


async def records(log: MemoryLog, partitions: Sequence[int] | None = None) -> list[Batch | Tick]:
    read = log.read(MENTIONS, partitions=partitions)
    return [codec.mentions.decode(r.value or b"") async for c in read for r in c]


async def ids(log: MemoryLog) -> list[str]:
    batches = [r for r in await records(log) if isinstance(r, Batch)]
    return [m.id for b in batches for m in b.mentions]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # watches plain state, not an event
            await asyncio.sleep(0.005)


def pages(count: int, size: int = 3) -> list[Page]:
    return [
        Page(tuple(item(p * size + n) for n in range(size)), str(p + 1), more=p + 1 < count)
        for p in range(count)
    ]
