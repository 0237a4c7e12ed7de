"""How far a source has come in time, which its ticks tell the stream. Pure: now is an argument."""

from datetime import datetime, timedelta

from connectors.contract import Page, SourceSettings
from streams.records import Tick


class Progress:
    """Watermark and clock of one source.

    Parameters
    ----------
    source
        Its name in the configuration.
    settings
        Its `[sources.NAME]` table.
    watermark
        Where it stood.
    """

    def __init__(self, source: str, settings: SourceSettings, watermark: datetime | None) -> None:
        self._source = source
        self._run = settings.run
        self._lateness = timedelta(seconds=settings.lateness_s)
        self.watermark = watermark
        """No mention before it is expected any more; None: nothing is known yet."""
        self.clock: datetime | None = None
        """The run's own now, where it is not the wall clock."""

    def move(self, page: Page, *, asked_at: datetime) -> None:
        """Go on by a page that is published."""
        moved = page.watermark
        if moved is None and page.clock is not None:
            moved = page.clock - self._lateness
        if moved is None and not (page.more or page.ended):
            # A live source has shown all that it had when it was asked.
            moved = asked_at - self._lateness
        if moved is not None:
            self.watermark = max(moved, self.watermark or moved)
        self.clock = page.clock or (self.clock if page.ended else None)

    def end(self, last: datetime, *, ahead: timedelta) -> None:
        """Go past the last mention, so that every minute closes."""
        self.watermark = self.clock = last + ahead

    def lag_s(self, *, now: datetime) -> float | None:
        """How old what the source has not shown yet may be; None while nothing is known."""
        if self.watermark is None:
            return None
        return max((now - self.watermark).total_seconds(), 0.0)

    def tick(
        self, *, now: datetime, healthy: bool, blind: bool = False, ended: bool = False
    ) -> Tick | None:
        """What to tell the stream; None while the first page is still on its way.

        A source that is `blind` from its start says so all the same.
        """
        clock = self.clock or now
        watermark = self.watermark
        if watermark is None:
            if not blind:
                return None
            watermark = clock - self._lateness
        return Tick(self._source, watermark, clock, self._run, healthy, ended)
