"""Appends to the log and waits out its absence: one line when it goes, one when it is back."""

import asyncio
import logging
import random
from collections.abc import Sequence

from connectors.ingest.schedule import Backoff
from streams.log.port import Entry, Log, Unavailable

logger = logging.getLogger(__name__)

LOG_BACKOFF = Backoff(base_s=0.5, cap_s=15.0)
"""A broker that restarts is back within seconds; asking it four times a minute harms nobody."""

ENTRIES_PER_APPEND = 256
"""Bounds what one append holds in memory (64 MB at the largest batches)."""


class Outage:
    """Who waits for the log: it is told once that it is away, however many sources wait."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()

    def begin(self, source: str, reason: Exception) -> None:
        """Note that a source stands still."""
        if not self._waiting:
            logger.warning("the log is away (%s); fetching stands still, nothing is lost", reason)
        self._waiting.add(source)

    def end(self, source: str, *, back: bool) -> None:
        """Note that a source goes on, or (not `back`) that it was stopped meanwhile."""
        self._waiting.discard(source)
        if back and not self._waiting:
            logger.warning("the log is back, fetching goes on")


class Publisher:
    """Append for one source; while the log is away its caller stands still and so fetches nothing.

    Parameters
    ----------
    log
        The log.
    source
        Who waits.
    outage
        Shared by the sources of a process, so that one line tells of all.
    rng
        Jitter.
    backoff
        How long to wait between attempts while the log is away.
    """

    def __init__(
        self,
        log: Log,
        source: str,
        rng: random.Random,
        *,
        outage: Outage | None = None,
        backoff: Backoff = LOG_BACKOFF,
    ) -> None:
        self._log = log
        self._source = source
        self._rng = rng
        self._outage = outage or Outage()
        self._backoff = backoff
        self.away = False

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append in order; returns when all are acknowledged, however long the log is away."""
        for start in range(0, len(entries), ENTRIES_PER_APPEND):
            await self._until_taken(entries[start : start + ENTRIES_PER_APPEND])

    async def try_append(self, entries: Sequence[Entry]) -> bool:
        """Append once; False if the log is away (for ticks: the next one says more)."""
        try:
            await self._log.append(entries)
        except Unavailable:
            return False
        return True

    async def _until_taken(self, entries: Sequence[Entry]) -> None:
        failures = 0
        try:
            while True:
                try:
                    await self._log.append(entries)
                except Unavailable as e:
                    failures += 1
                    if not self.away:
                        self.away = True
                        self._outage.begin(self._source, e)
                    await asyncio.sleep(self._backoff.wait_s(failures, self._rng))
                else:
                    if self.away:
                        self.away = False
                        self._outage.end(self._source, back=True)
                    return
        finally:
            if self.away:
                self._outage.end(self._source, back=False)
