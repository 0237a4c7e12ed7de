"""An outage of the log is one line at its start, one at its end, and a metric; not a flood."""

import logging
import threading

from prometheus_client import Gauge

from streams.registry import REGISTRY

_log = logging.getLogger(__name__)

# No labels: a process has one log.
LOG_UP = Gauge(
    "siaga_log_up",
    "1 while the log (Kafka, or the file of the embedded log) acknowledges, 0 in an outage.",
    registry=REGISTRY,
)
LOG_UP.set(1)


class Outage:
    """Remembers whether a log is away; may be told from any thread."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._away = False

    def begin(self, reason: object) -> None:
        """Say once that the log is away and why."""
        with self._lock:
            if self._away:
                return
            self._away = True
        LOG_UP.set(0)
        _log.error(
            "%s cannot be used: %s. The service waits and goes on by itself.", self._what, reason
        )

    def end(self) -> None:
        """Say once that it is back."""
        if not self._away:
            return
        with self._lock:
            if not self._away:
                return
            self._away = False
        LOG_UP.set(1)
        _log.warning("%s is back", self._what)
