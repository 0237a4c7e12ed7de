"""In an outage aiokafka and Faust say the same thing many times a second: once a minute will do."""

import logging
from collections.abc import Callable
from time import monotonic

TALKATIVE = ("aiokafka", "faust", "mode")
EVERY_S = 60.0


class Sparing(logging.Filter):
    """Lets a message of those libraries through at most once a minute, whatever its arguments.

    Examples
    --------
    >>> now = 0.0
    >>> spare = Sparing(clock=lambda: now)
    >>> told = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "no node %s", (1,), None)
    >>> spare.filter(told), spare.filter(told)
    (True, False)
    >>> now = 61.0
    >>> spare.filter(told)
    True
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said_s: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told."""
        if record.name.partition(".")[0] not in TALKATIVE:
            return True
        # Beyond the first words messages carry node numbers and errors.
        key = (record.name, str(record.msg)[:24])
        now = self._clock()
        if now - self._said_s.get(key, -EVERY_S) < EVERY_S:
            return False
        self._said_s[key] = now
        return True


def hush() -> None:
    """Make the process's log handlers sparing."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(one, Sparing) for one in handler.filters):
            handler.addFilter(Sparing())
