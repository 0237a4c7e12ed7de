"""Where a source goes on after a restart: what its record says, and when it is written."""

import time
from datetime import datetime

from connectors import metrics
from connectors.ingest import cursors
from connectors.ingest.cursors import Saved
from connectors.ingest.memory import BrandMemory
from connectors.ingest.progress import Progress
from connectors.ingest.publisher import Publisher
from connectors.ingest.standing import Standing
from streams.records import Run

SAVE_EVERY_S = 1.0
"""A cursor is saved at most this often while pages follow each other; repeats cost little."""

STATUS_EVERY_S = 15.0
"""A cursor that stands still is still written, so that its state can be read from the log."""


class Bookmark:
    """One source's place.

    Parameters
    ----------
    run
        Each run keeps its own place.
    cursor
        Where the source stands at the start.
    publisher
        Appends the record, unless the log is away.
    memory
        What the door knows of earlier items: written with the cursor at the latest.
    standing, progress
        How the source is doing; the record tells people.
    """

    def __init__(
        self,
        run: Run,
        cursor: str | None,
        publisher: Publisher,
        memory: BrandMemory,
        standing: Standing,
        progress: Progress,
    ) -> None:
        self._run = run
        self._publisher = publisher
        self._memory = memory
        self._standing = standing
        self._progress = progress
        self.next = cursor
        """What the next page is asked with."""
        self._safe = cursor
        self._written: tuple[str | None, str] = (cursor, "")
        self._written_at = 0.0

    @property
    def age_s(self) -> float:
        """Seconds since it was written."""
        return time.monotonic() - self._written_at

    def all_published(self) -> None:
        """Nothing before `next` is unpublished: a restart may begin there."""
        self._safe = self.next

    async def save(self, *, now: datetime) -> None:
        """Write it, unless it says what it said a while ago or the log is away."""
        standing = self._standing
        told = (self._safe, standing.state)
        segments = self._memory.unsaved()
        wait_s = SAVE_EVERY_S if segments else STATUS_EVERY_S
        if told == self._written and self.age_s < wait_s:
            return
        saved = Saved(
            source=standing.source,
            run=self._run,
            cursor=self._safe,
            saved_at=now,
            state=standing.state,
            detail=standing.detail,
            last_success=standing.last_success,
            watermark=self._progress.watermark,
            clock=self._progress.clock,
            fetched=standing.fetched,
            matched=standing.matched,
            mentions=standing.mentions,
            duplicates=standing.duplicates,
            dead_letters=standing.dead_letters,
            failures=standing.failures,
            quota_left=metrics.quota_left(standing.source),
        )
        if await self._publisher.try_append([*segments, cursors.entry(saved)]):
            self._memory.saved(segments)
            self._written = told
            self._written_at = time.monotonic()
