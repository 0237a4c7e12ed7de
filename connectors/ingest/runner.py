"""Runs one source: fetch, door, batches, append, cursor, ticks. One source never waits for another.

The order is the promise: mentions and dead letters are appended and acknowledged, then the cursor
is saved, then a tick may move the watermark past them. A crash at any point repeats some mentions
(dropped by id in the stream) and loses none.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import cast

from connectors import metrics
from connectors.contract import Connector, Fatal, Page, PushConnector, Retryable, SourceSettings
from connectors.ingest.batch import Batcher
from connectors.ingest.bookmark import SAVE_EVERY_S, STATUS_EVERY_S, Bookmark
from connectors.ingest.cursors import Saved
from connectors.ingest.door import Door
from connectors.ingest.outbox import Outbox
from connectors.ingest.progress import Progress
from connectors.ingest.publisher import Outage, Publisher
from connectors.ingest.schedule import Backoff, Budget, jittered
from connectors.ingest.standing import Standing
from connectors.settings import ConnectorsSettings
from streams import codec
from streams.log.port import Entry, Log
from streams.topics import MENTIONS

logger = logging.getLogger(__name__)

DRAIN_S = 3.0
"""Time for the last appends when the service stops (services drain within 5 s)."""

ITEMS_PER_TURN = 250
"""Items at the door before other sources get their turn (about 5 ms)."""


def utc_now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


class Runner:
    """One source's task.

    Parameters
    ----------
    name
        The source's name in the configuration.
    connector
        Built from its settings; closed at the end of `run`.
    settings
        Its `[sources.NAME]` table.
    door
        Turns its items into mentions.
    log
        Where records go.
    partitions
        Partitions of the mentions topic: each of them gets every tick.
    options
        What holds for all sources.
    saved
        Where it stood; None to begin at the start.
    closing_s
        Allowed lateness of the stream: the tick after a finite source's end is ahead of its last
        mention by this much, so that every minute closes.
    now, rng, backoff
        The wall clock, the jitter and the waits after failures, for tests.
    outage
        Shared by the sources of a process: one line says that the log is away.
    """

    def __init__(
        self,
        name: str,
        connector: Connector | PushConnector,
        settings: SourceSettings,
        door: Door,
        log: Log,
        *,
        partitions: Sequence[int],
        options: ConnectorsSettings | None = None,
        saved: Saved | None = None,
        closing_s: float = 120.0,
        now: Callable[[], datetime] = utc_now,
        rng: random.Random | None = None,
        backoff: Backoff | None = None,
        outage: Outage | None = None,
    ) -> None:
        options = options or ConnectorsSettings()
        before = saved or Saved(source=name, saved_at=now())
        self.name = name
        self.settings = settings
        self.door = door
        self._connector = connector
        self._partitions = tuple(partitions)
        self._options = options
        self._closing_s = closing_s
        self._now = now
        self._rng = rng or random.Random()
        self._backoff = backoff or Backoff()
        per_minute = settings.requests_per_minute
        self._budget = Budget(per_minute, 60.0) if per_minute else None
        self.standing = Standing(name, before)
        self._progress = Progress(name, settings, before.watermark)
        self._publisher = Publisher(log, name, self._rng, outage=outage)
        batcher = Batcher(
            settings.run,
            max_mentions=options.batch_mentions,
            max_bytes=options.batch_bytes,
            wait_s=options.batch_wait_ms / 1000,
        )
        self._outbox = Outbox(self._publisher, batcher, door.memory, self.standing)
        self._bookmark = Bookmark(
            settings.run,
            before.cursor,
            self._publisher,
            door.memory,
            self.standing,
            self._progress,
        )
        self._ticked_clock: datetime | None = None
        self._was_ended = before.state == "ended"
        self._retired = False
        self.stopped = asyncio.Event()
        """Set when only a person can get the source going again."""

    async def run(self) -> None:
        """Run until the source ends, or for ever; cancel to stop, which drains."""
        ticker = asyncio.create_task(self._tick_for_ever(), name=f"ticks of {self.name}")
        try:
            if hasattr(self._connector, "fetch"):
                await self._poll(cast("Connector", self._connector))
            else:
                await self._listen(self._connector)
            if self.standing.state == "stopped":
                self.stopped.set()
                # Its ticks go on and say that it is blind, until a person mends it.
                await self._save()
                await ticker
        finally:
            ticker.cancel()
            await self._drain()

    def retire(self) -> None:
        """Its end, which is to come, is for good: nobody shall wait for this source any more."""
        self._retired = True

    async def _poll(self, connector: Connector) -> None:
        failures = 0
        while True:
            await self._within_budget()
            asked_at = self._now()
            try:
                with metrics.FETCH_SECONDS.labels(self.name).time():
                    async with asyncio.timeout(self.settings.timeout_s):
                        page = await connector.fetch(self._bookmark.next)
            except Exception as e:  # noqa: BLE001  # whatever a connector does, the others go on
                failures += 1
                wait_s = self._failed(e, failures)
                if wait_s is None:
                    return
                await self._flush()
                await asyncio.sleep(wait_s)
                continue
            failures = 0
            self.standing.answered(now=self._now())
            await self._take(page, asked_at=asked_at)
            if page.ended:
                await self._end()
                return
            if not page.more:
                await asyncio.sleep(jittered(self.settings.poll_s, self._rng))

    async def _within_budget(self) -> None:
        """Wait until the source's own limit allows one more request."""
        if self._budget is None:
            return
        while (wait_s := self._budget.wait_s(1, now=time.monotonic())) > 0:
            await self._flush()
            await asyncio.sleep(wait_s)
        left = self._budget.left(now=time.monotonic())
        metrics.QUOTA_LEFT.labels(self.name).set(left)

    async def _listen(self, connector: PushConnector) -> None:
        failures = 0
        while True:
            try:
                pages = cast("AsyncGenerator[Page, None]", connector.stream(self._bookmark.next))
                async with aclosing(pages) as stream:
                    async for page in stream:
                        failures = 0
                        self.standing.answered(now=self._now())
                        await self._take(page, asked_at=self._now())
                        if page.ended:
                            await self._end()
                            return
                raise Retryable("the stream ended")  # noqa: TRY301  # handled as any other failure
            except Exception as e:  # noqa: BLE001  # whatever a connector does, the others go on
                failures += 1
                wait_s = self._failed(e, failures)
                if wait_s is None:
                    return
                await asyncio.sleep(wait_s)

    async def _take(self, page: Page, *, asked_at: datetime) -> None:
        now = self._now()
        for n, item in enumerate(page.items, start=1):
            self._outbox.put(self.door.admit(item, now=now))
            if n % ITEMS_PER_TURN == 0:
                await asyncio.sleep(0)
        self.standing.took(len(page.items))
        self._bookmark.next = page.cursor
        step = timedelta(seconds=self._options.tick_clock_step_s)
        stepped = page.clock is not None and (
            self._ticked_clock is None or page.clock - self._ticked_clock >= step
        )
        if page.more and not stepped and not await self._outbox.send_due():
            return  # the cursor covers mentions that still wait for their batch to fill
        await self._flush()
        self._progress.move(page, asked_at=asked_at)
        self.standing.lags(self._progress.lag_s(now=page.clock or self._now()))
        if self._bookmark.age_s >= SAVE_EVERY_S or not page.more:
            await self._save()
        if stepped:
            await self._publisher.append(self._ticks())
            self._ticked_clock = page.clock

    async def _flush(self) -> None:
        """Append all that is held; after it the cursor covers nothing unpublished."""
        await self._outbox.flush()
        self._bookmark.all_published()

    def _failed(self, error: Exception, failures: int) -> float | None:
        """Note a failure; return the seconds to wait, or None if the source has to stop."""
        if isinstance(error, Fatal):
            self.standing.stopped(error)
            return None
        wait_s = self._backoff.wait_s(failures, self._rng)
        if isinstance(error, Retryable) and error.after_s is not None:
            wait_s = max(error.after_s, 0.0) + self._rng.uniform(0, min(wait_s, 1.0))
        self.standing.failed(error, wait_s=wait_s, timeout_s=self.settings.timeout_s)
        return wait_s

    async def _end(self) -> None:
        """Close every minute of a finite source."""
        await self._flush()
        newest = self._outbox.newest
        ahead = timedelta(seconds=self._closing_s + self.settings.lateness_s + 120)
        if self._was_ended and newest is None:
            ahead = timedelta()  # it had ended before and nothing came since
        last = max(filter(None, (newest, self._progress.watermark)), default=None)
        self.standing.set("ended")
        if last is not None:
            self._progress.end(last, ahead=ahead)
            await self._publisher.append(self._ticks(ended=True))
        await self._save()
        self.standing.closed()

    async def _say_over(self) -> None:
        """Let minutes close without this source, at once and not when it counts as blind."""
        if self.standing.state != "ended":
            self.standing.set("removed")
            await self._publisher.try_append(self._ticks(ended=True))
        await self._save()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._options.tick_every_s)
            if ticks := self._ticks():
                await self._publisher.try_append(ticks)
            if self._bookmark.age_s >= STATUS_EVERY_S and not self._publisher.away:
                await self._save()

    def _ticks(self, *, ended: bool = False) -> list[Entry]:
        tick = self._progress.tick(
            now=self._now(),
            healthy=self.standing.healthy and not self._publisher.away,
            blind=self.standing.blind,
            ended=ended,
        )
        if tick is None:
            return []
        value = codec.encode(tick)
        return [Entry(MENTIONS, self.name.encode(), value, p) for p in self._partitions]

    async def _save(self) -> None:
        await self._bookmark.save(now=self._now())

    async def _drain(self) -> None:
        """Publish what is held and let the connector go, within a few seconds."""
        try:
            async with asyncio.timeout(DRAIN_S):
                if self.standing.state not in ("ended", "stopped"):
                    await self._flush()
                    self.standing.set("off")
                    await self._save()
                if self._retired:
                    await self._say_over()
        except TimeoutError:
            logger.warning(
                "source %s: stopped before %d mentions were acknowledged; they are fetched again",
                self.name,
                len(self._outbox),
            )
        finally:
            await self._connector.close()
