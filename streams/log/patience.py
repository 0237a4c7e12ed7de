"""Waiting for a log that is away: it says so itself, once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streams.log.port import Unavailable

T = TypeVar("T")

AGAIN_S = 1.0
"""How soon a log that was away is asked again."""


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the log answers; what is asked must bear to be begun again."""
    while True:
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(AGAIN_S)
