"""How a source is doing: its state and its counts over restarts, and the same as metrics.

A change of state is one line in the log; a failure that goes on says no more.
"""

import logging
from contextlib import suppress
from datetime import datetime

from connectors import metrics
from connectors.contract import Fatal, Retryable
from connectors.ingest.cursors import Saved
from connectors.ingest.door import REASONS, Outcome

logger = logging.getLogger(__name__)


class Standing:
    """What is told of one source.

    Parameters
    ----------
    source
        Its name in the configuration.
    before
        Its last word; its counts go on.
    """

    def __init__(self, source: str, before: Saved) -> None:
        self.source = source
        self.state, self.detail = "new", ""
        """As `Saved` has them."""
        self.last_success = before.last_success
        self.fetched, self.matched = before.fetched, before.matched
        self.mentions, self.duplicates = before.mentions, before.duplicates
        self.dead_letters, self.failures = before.dead_letters, before.failures
        metrics.begin(source, REASONS)

    @property
    def healthy(self) -> bool:
        """Whether the source shows what there is to be seen."""
        return self.state in ("running", "ended", "removed")

    @property
    def blind(self) -> bool:
        """Whether nothing more is expected of the source for now."""
        return self.state in ("failing", "stopped", "removed")

    # -- how it goes

    def answered(self, *, now: datetime) -> None:
        """A page came."""
        if self.state == "failing":
            logger.warning("source %s: answers again", self.source)
        self.set("running")
        self.last_success = now
        metrics.UP.labels(self.source).set(1)
        metrics.LAST_SUCCESS.labels(self.source).set(now.timestamp())

    def lags(self, lag_s: float | None) -> None:
        """Its clock is so far ahead of its watermark; None: not known."""
        if lag_s is not None:
            metrics.LAG.labels(self.source).set(lag_s)

    def failed(self, error: Exception, *, wait_s: float, timeout_s: float) -> None:
        """No page came; the source is asked again after `wait_s`."""
        self._counted("retryable")
        if isinstance(error, TimeoutError):
            detail = f"no answer within {timeout_s:g} s"
        elif isinstance(error, Retryable):
            detail = str(error)
        else:
            # An error of the connector itself: its text could hold anything, so only the kind.
            detail = f"unexpected {type(error).__name__} in the connector"
            logger.debug("source %s", self.source, exc_info=error)
        if self.state != "failing":
            logger.warning("source %s: %s; next try in %.0f s", self.source, detail, wait_s)
        self.set("failing", detail)

    def stopped(self, error: Fatal) -> None:
        """Only a person can get the source going again."""
        self._counted("fatal")
        self.set("stopped", str(error))
        logger.error("source %s: stopped until a person mends it: %s", self.source, error)

    def closed(self) -> None:
        """The end of a finite source has been told."""
        # A series that stands still for ever would look like a dead connector.
        for series in (metrics.UP, metrics.LAST_SUCCESS, metrics.LAG):
            with suppress(KeyError):
                series.remove(self.source)
        logger.info("source %s: ended after %d mentions", self.source, self.mentions)

    def set(self, state: str, detail: str = "") -> None:
        """Name the state, and why it fails or stopped."""
        self.state, self.detail = state, detail

    def _counted(self, kind: str) -> None:
        metrics.UP.labels(self.source).set(0)
        metrics.FAILURES.labels(self.source, kind).inc()
        self.failures += 1

    # -- what came of it

    def admitted(self, outcome: Outcome) -> None:
        """Count what the door made of an item."""
        for note in outcome.notes:
            if note == "unmatched":
                metrics.UNMATCHED.labels(self.source).inc()
            elif note == "after_deletion":
                self.repeated()
            else:
                metrics.REPAIRED.labels(self.source, note).inc()
        if outcome.dead is not None:
            metrics.DEAD.labels(self.source, outcome.dead.reason).inc()
            self.dead_letters += 1
        if outcome.mentions:
            metrics.MATCHED.labels(self.source).inc()
            self.matched += 1

    def took(self, items: int) -> None:
        """Count what a page held."""
        metrics.FETCHED.labels(self.source).inc(items)
        self.fetched += items

    def repeated(self) -> None:
        """Count a mention that was published before."""
        metrics.DUPLICATES.labels(self.source).inc()
        self.duplicates += 1

    def published(self, mentions: int) -> None:
        """Count what the log has acknowledged."""
        metrics.PUBLISHED.labels(self.source).inc(mentions)
        self.mentions += mentions
