"""Runs one source: fetch, door, batches, append, cursor, ticks. One source never waits for another.

The order is the promise: mentions and dead letters are appended and acknowledged, then the cursor
is saved, then a tick may move the watermark past them. A crash at any point repeats some mentions
(dropped by id in the stream) and loses none.
"""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import cast

from connectors import metrics
from connectors.contract import (
    Connector,
    Fatal,
    Page,
    PushConnector,
    Retryable,
    SourceSettings,
)
from connectors.ingest import cursors
from connectors.ingest.batch import Batcher
from connectors.ingest.cursors import Saved
from connectors.ingest.door import REASONS, Door, Outcome
from connectors.ingest.publisher import Outage, Publisher
from connectors.ingest.schedule import Backoff, Budget, jittered
from connectors.settings import ConnectorsSettings
from streams import codec
from streams.log.port import Entry, Log
from streams.records import Batch, Tick
from streams.topics import DEAD, MENTIONS

logger = logging.getLogger(__name__)

SAVE_EVERY_S = 1.0
"""A cursor is saved at most this often while pages follow each other; repeats cost little."""

STATUS_EVERY_S = 15.0
"""A cursor that stands still is still written, so that its state can be read from the log."""

DRAIN_S = 3.0
"""Time for the last appends when the service stops (services drain within 5 s)."""

RECENT = 20_000
"""Ids that this runner remembers, to leave out what overlapping pages repeat."""

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
        self._publisher = Publisher(log, name, self._rng, outage=outage)
        self._batcher = Batcher(
            settings.run,
            max_mentions=options.batch_mentions,
            max_bytes=options.batch_bytes,
            wait_s=options.batch_wait_ms / 1000,
        )
        self._waiting: list[Entry] = []
        self._held = 0
        self._recent: OrderedDict[tuple[str, str, int], None] = OrderedDict()
        self._cursor = saved.cursor if saved else None
        self._durable = self._cursor
        self._watermark = saved.watermark if saved else None
        self._clock: datetime | None = None
        self._last_published: datetime | None = None
        self._ticked_clock: datetime | None = None
        self._written_at = 0.0
        self._written: tuple[str | None, str] = (self._cursor, "")
        self._was_ended = saved is not None and saved.state == "ended"
        self._retired = False
        self.stopped = asyncio.Event()
        """Set when only a person can get the source going again."""
        self.state = "new"
        self.detail = ""
        self._last_success = saved.last_success if saved else None
        before = saved or Saved(source=name, saved_at=now())
        self.fetched, self.matched = before.fetched, before.matched
        self.mentions, self.duplicates = before.mentions, before.duplicates
        self.dead_letters, self.failures = before.dead_letters, before.failures
        metrics.begin(name, REASONS)

    async def run(self) -> None:
        """Run until the source ends, or for ever; cancel to stop, which drains."""
        ticker = asyncio.create_task(self._tick_for_ever(), name=f"ticks of {self.name}")
        try:
            if hasattr(self._connector, "fetch"):
                await self._poll(cast("Connector", self._connector))
            else:
                await self._listen(self._connector)
            if self.state == "stopped":
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
                        page = await connector.fetch(self._cursor)
            except Exception as e:  # noqa: BLE001  # whatever a connector does, the others go on
                failures += 1
                wait_s = self._failed(e, failures)
                if wait_s is None:
                    return
                await self._flush()
                await asyncio.sleep(wait_s)
                continue
            failures = 0
            self._succeeded()
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
                pages = cast("AsyncGenerator[Page, None]", connector.stream(self._cursor))
                async with aclosing(pages) as stream:
                    async for page in stream:
                        failures = 0
                        self._succeeded()
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
            self._admit(self.door.admit(item, now=now))
            if n % ITEMS_PER_TURN == 0:
                await asyncio.sleep(0)
        metrics.FETCHED.labels(self.name).inc(len(page.items))
        self.fetched += len(page.items)
        self._cursor = page.cursor
        step = timedelta(seconds=self._options.tick_clock_step_s)
        stepped = page.clock is not None and (
            self._ticked_clock is None or page.clock - self._ticked_clock >= step
        )
        if page.more and not stepped:
            self._queue(self._batcher.due(now=time.monotonic()))
            if self._waiting:
                await self._append_waiting()
            if len(self._batcher):
                return  # the cursor covers mentions that still wait for their batch to fill
        await self._flush()
        self._move_watermark(page, asked_at)
        if time.monotonic() - self._written_at >= SAVE_EVERY_S or not page.more:
            await self._save()
        if stepped:
            await self._publisher.append(self._ticks())
            self._ticked_clock = page.clock

    def _admit(self, outcome: Outcome) -> None:
        for note in outcome.notes:
            if note == "unmatched":
                metrics.UNMATCHED.labels(self.name).inc()
            elif note == "after_deletion":
                metrics.DUPLICATES.labels(self.name).inc()
                self.duplicates += 1
            else:
                metrics.REPAIRED.labels(self.name, note).inc()
        if outcome.dead is not None:
            metrics.DEAD.labels(self.name, outcome.dead.reason).inc()
            self.dead_letters += 1
            key = self.name.encode()
            self._waiting.append(Entry(DEAD, key, codec.encode(outcome.dead)))
        if outcome.mentions:
            metrics.MATCHED.labels(self.name).inc()
            self.matched += 1
        for brand, mention in outcome.mentions:
            seen = (brand, mention.id, mention.revision)
            if seen in self._recent:
                metrics.DUPLICATES.labels(self.name).inc()
                self.duplicates += 1
                continue
            self._recent[seen] = None
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
            if self._last_published is None or mention.published_at > self._last_published:
                self._last_published = mention.published_at
            self._queue(self._batcher.add(brand, mention, now=time.monotonic()))

    def _queue(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._held += len(batch.mentions)
            self._waiting.append(Entry(MENTIONS, batch.brand.encode(), codec.encode(batch)))

    async def _flush(self) -> None:
        """Append all that is held; after it the cursor covers nothing unpublished."""
        self._queue(self._batcher.flush())
        await self._append_waiting()
        self._durable = self._cursor

    async def _append_waiting(self) -> None:
        if not self._waiting:
            return
        # What is appended stays in `_waiting` until acknowledged: a cancelled append is repeated.
        entries, held = tuple(self._waiting), self._held
        # With them what the door must know when they are fetched again after a crash.
        segments = self.door.memory.unsaved()
        await self._publisher.append((*segments, *entries))
        self.door.memory.saved(segments)
        del self._waiting[: len(entries)]
        self._held -= held
        self.mentions += held
        metrics.PUBLISHED.labels(self.name).inc(held)

    def _move_watermark(self, page: Page, asked_at: datetime) -> None:
        lateness = timedelta(seconds=self.settings.lateness_s)
        moved = page.watermark
        if moved is None and page.clock is not None:
            moved = page.clock - lateness
        if moved is None and not (page.more or page.ended):
            # A live source has shown all that it had when it was asked.
            moved = asked_at - lateness
        if moved is not None:
            self._watermark = max(moved, self._watermark or moved)
        self._clock = page.clock or (self._clock if page.ended else None)
        if self._watermark is not None:
            lag = (page.clock or self._now()) - self._watermark
            metrics.LAG.labels(self.name).set(max(lag.total_seconds(), 0.0))

    def _succeeded(self) -> None:
        if self.state == "failing":
            logger.warning("source %s: answers again", self.name)
        self.state, self.detail = "running", ""
        self._last_success = self._now()
        metrics.UP.labels(self.name).set(1)
        metrics.LAST_SUCCESS.labels(self.name).set(self._last_success.timestamp())

    def _failed(self, error: Exception, failures: int) -> float | None:
        """Note a failure; return the seconds to wait, or None if the source has to stop."""
        metrics.UP.labels(self.name).set(0)
        self.failures += 1
        if isinstance(error, Fatal):
            self.state, self.detail = "stopped", str(error)
            metrics.FAILURES.labels(self.name, "fatal").inc()
            logger.error("source %s: stopped until a person mends it: %s", self.name, error)
            return None
        metrics.FAILURES.labels(self.name, "retryable").inc()
        if isinstance(error, TimeoutError):
            detail = f"no answer within {self.settings.timeout_s:g} s"
        elif isinstance(error, Retryable):
            detail = str(error)
        else:
            # An error of the connector itself: its text could hold anything, so only the kind.
            detail = f"unexpected {type(error).__name__} in the connector"
            logger.debug("source %s", self.name, exc_info=error)
        wait_s = self._backoff.wait_s(failures, self._rng)
        if isinstance(error, Retryable) and error.after_s is not None:
            wait_s = max(error.after_s, 0.0) + self._rng.uniform(0, min(wait_s, 1.0))
        if self.state != "failing":
            logger.warning("source %s: %s; next try in %.0f s", self.name, detail, wait_s)
        self.state, self.detail = "failing", detail
        return wait_s

    async def _end(self) -> None:
        """Close every minute of a finite source."""
        await self._flush()
        ahead = timedelta(seconds=self._closing_s + self.settings.lateness_s + 120)
        if self._was_ended and self._last_published is None:
            ahead = timedelta()  # it had ended before and nothing came since
        last = max(filter(None, (self._last_published, self._watermark)), default=None)
        self.state = "ended"
        if last is not None:
            self._watermark = self._clock = last + ahead
            await self._publisher.append(self._ticks(ended=True))
        await self._save()
        # A series that stands still for ever would look like a dead connector.
        for series in (metrics.UP, metrics.LAST_SUCCESS, metrics.LAG):
            with suppress(KeyError):
                series.remove(self.name)
        logger.info("source %s: ended after %d mentions", self.name, self.mentions)

    async def _say_over(self) -> None:
        """Let minutes close without this source, at once and not when it counts as blind."""
        if self.state != "ended":
            self.state, self.detail = "removed", ""
            await self._publisher.try_append(self._ticks(ended=True))
        await self._save()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._options.tick_every_s)
            if ticks := self._ticks():
                await self._publisher.try_append(ticks)
            still = time.monotonic() - self._written_at
            if still >= STATUS_EVERY_S and not self._publisher.away:
                await self._save()

    def _ticks(self, *, ended: bool = False) -> list[Entry]:
        healthy = self.state in ("running", "ended", "removed") and not self._publisher.away
        clock = self._clock or self._now()
        watermark = self._watermark
        if watermark is None:
            if self.state not in ("failing", "stopped", "removed"):
                return []  # nothing known yet: the first page is still on its way
            watermark = clock - timedelta(seconds=self.settings.lateness_s)
        tick = Tick(self.name, watermark, clock, self.settings.run, healthy, ended)
        value = codec.encode(tick)
        return [Entry(MENTIONS, self.name.encode(), value, p) for p in self._partitions]

    async def _save(self) -> None:
        now = (self._durable, self.state)
        segments = self.door.memory.unsaved()
        wait_s = SAVE_EVERY_S if segments else STATUS_EVERY_S
        if now == self._written and time.monotonic() - self._written_at < wait_s:
            return
        saved = Saved(
            source=self.name,
            run=self.settings.run,
            cursor=self._durable,
            saved_at=self._now(),
            state=self.state,
            detail=self.detail,
            last_success=self._last_success,
            watermark=self._watermark,
            clock=self._clock,
            fetched=self.fetched,
            matched=self.matched,
            mentions=self.mentions,
            duplicates=self.duplicates,
            dead_letters=self.dead_letters,
            failures=self.failures,
            quota_left=metrics.quota_left(self.name),
        )
        if await self._publisher.try_append([*segments, cursors.entry(saved)]):
            self.door.memory.saved(segments)
            self._written = now
            self._written_at = time.monotonic()

    async def _drain(self) -> None:
        """Publish what is held and let the connector go, within a few seconds."""
        try:
            async with asyncio.timeout(DRAIN_S):
                if self.state not in ("ended", "stopped"):
                    await self._flush()
                    self.state, self.detail = "off", ""
                    await self._save()
                if self._retired:
                    await self._say_over()
        except TimeoutError:
            logger.warning(
                "source %s: stopped before %d mentions were acknowledged; they are fetched again",
                self.name,
                self._held + len(self._batcher),
            )
        finally:
            await self._connector.close()
