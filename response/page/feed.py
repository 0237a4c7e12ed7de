"""Reads the topics into a `View`, through the log port."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from response.clocks import HORIZON_S
from response.follow import since
from response.page.view import View
from streams import codec
from streams.log.patience import patiently
from streams.log.port import Log, LogRecord
from streams.records import Tick
from streams.topics import ACTIONS, INCIDENTS, MENTIONS, MINUTES, SCORED

log = logging.getLogger("siaga.page")

HISTORY_RECORDS = 50_000
"""Per partition, the most that is read back at a start; older records wait in the topic."""
SCORED_RECORDS = 20_000
"""Per partition, the most that is read back for the complaints of the last day."""
TICK_RECORDS = 200

Apply = Callable[[LogRecord, float], None]


class Feed:
    """Follows the topics for as long as `run` lasts; `view` is always the present state.

    Parameters
    ----------
    log
        Where the topics are.
    view
        What is filled.
    brands
        How many brands to expect: bounds how far back the minutes are read.
    clock
        Wall time in epoch seconds.
    """

    def __init__(self, log: Log, view: View, *, brands: int, clock: Callable[[], float]) -> None:
        self.log = log
        self.view = view
        self.clock = clock
        self.changed = asyncio.Event()
        """Set on each chunk; whoever waits clears it."""
        self.undecodable = 0
        minutes = min(HISTORY_RECORDS, view.history * max(1, brands))
        self._topics: Mapping[str, tuple[Apply, int | None, Sequence[int] | None]] = {
            MINUTES: (self._minute, minutes, None),
            SCORED: (self._scored, SCORED_RECORDS, None),
            INCIDENTS: (self._incident, None, None),
            ACTIONS: (self._action, HISTORY_RECORDS, None),
            # Ticks go to every partition: one is enough to know every source.
            MENTIONS: (self._tick, TICK_RECORDS, (0,)),
        }

    async def run(self) -> None:
        """Follow all topics until cancelled."""
        async with asyncio.TaskGroup() as group:
            for topic in self._topics:
                group.create_task(self._follow(topic), name=f"page feed {topic}")

    async def _follow(self, topic: str) -> None:
        position: dict[int, int] | None = None
        apply, back, partitions = self._topics[topic]

        async def go_on() -> None:
            nonlocal position
            ends = await self.log.ends(topic)
            if position is None:
                position = await self._start(topic, ends, back)
            async for chunk in self.log.read(
                topic, start=position, follow=True, partitions=partitions
            ):
                self._apply(apply, chunk, ends)
                for record in chunk:
                    position[record.partition] = record.offset + 1
                if chunk:
                    self.changed.set()
                # A fast replay must not keep the page's visitors waiting.
                await asyncio.sleep(0)

        await patiently(go_on, who=f"page, reading {topic}")

    async def _start(self, topic: str, ends: Mapping[int, int], back: int | None) -> dict[int, int]:
        if topic == SCORED:
            # As far back as the clocks of complaints go: the page and the metrics must agree.
            day_ago_ms = int(1000 * (self.clock() - HORIZON_S))
            return await since(self.log, topic, day_ago_ms, SCORED_RECORDS)
        starts = await self.log.starts(topic)
        return {
            p: first if back is None else max(first, ends.get(p, first) - back)
            for p, first in starts.items()
        }

    def _apply(self, apply: Apply, chunk: Sequence[LogRecord], ends: Mapping[int, int]) -> None:
        now = self.clock()
        for record in chunk:
            # History was said when it was written, not when a page happened to start.
            history = record.offset < ends.get(record.partition, 0)
            said = min(now, record.timestamp_ms / 1000) if history else now
            if record.value is None:
                continue
            try:
                apply(record, said)
            except msgspec.DecodeError as e:
                self.undecodable += 1
                where = f"{record.topic}[{record.partition}] at {record.offset}"
                log.warning("page: %s is not a record this version reads (%s); left out", where, e)

    def _minute(self, record: LogRecord, now: float) -> None:
        self.view.minute(codec.minute.decode(_value(record)), now)

    def _scored(self, record: LogRecord, now: float) -> None:
        self.view.scored(codec.scored.decode(_value(record)), now)

    def _incident(self, record: LogRecord, now: float) -> None:
        self.view.incident(codec.incident.decode(_value(record)), now)

    def _action(self, record: LogRecord, now: float) -> None:
        self.view.action(codec.action.decode(_value(record)), now)

    def _tick(self, record: LogRecord, now: float) -> None:
        # Batches are the worker's business, and decoding them would cost the page most of its time.
        if b'"type":"tick"' in _value(record)[:32]:
            decoded: Any = codec.mentions.decode(_value(record))
            if isinstance(decoded, Tick):
                self.view.tick(decoded, now)


def _value(record: LogRecord) -> bytes:
    return record.value or b""
