"""A service is an async function that runs until it is cancelled.

Each package offers its own under the entry point group `siaga.services` (`connect`, `worker`,
`page`, `alerts` and others: pyproject.toml lists them):
`async def serve(settings: RootSettings, log: Log) -> None`. `siaga run` starts all in one TaskGroup
on the embedded log; `siaga worker`, `siaga connect`, ... start one on Kafka.
On cancellation a service drains within 5 s and returns by re-raising CancelledError.
"""

from collections.abc import Coroutine
from typing import Any, Protocol

from streams.log.port import Log
from streams.settings import RootSettings


class Service(Protocol):
    """The signature of an entry point of `siaga.services`."""

    def __call__(self, settings: RootSettings, log: Log) -> Coroutine[Any, Any, None]: ...


class CannotStart(Exception):
    """A service cannot start for a reason that a person can mend; the message says which."""
