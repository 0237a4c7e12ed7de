"""Waiting for a log that is away: one pause and one line for all who wait."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streams.log.port import Unavailable

T = TypeVar("T")

logger = logging.getLogger(__name__)

AGAIN_S = 1.0
"""How soon a log that was away is asked again."""

SAID_EVERY_S = 60.0
"""An outage that goes on is said again after this long."""


async def patiently(ask: Callable[[], Awaitable[T]], *, who: str = "") -> T:
    """Ask until the log answers; one that follows a topic for ever is asked for ever.

    Parameters
    ----------
    ask
        Begun again from its first line each time, so it has to bear that: what is to outlast an
        outage (a position, say) it keeps outside; all else it makes anew.
    who
        Whose waiting is told; "" where the log's own line (outage.py) is enough.
    """
    said_at = -math.inf
    while True:
        try:
            return await ask()
        except Unavailable as e:
            now = time.monotonic()
            if who and now - said_at >= SAID_EVERY_S:
                said_at = now
                logger.warning("%s: the log is away (%s); it waits and goes on by itself", who, e)
            await asyncio.sleep(AGAIN_S)
