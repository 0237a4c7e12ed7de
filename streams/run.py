"""Runs services side by side: `siaga run` all of them, `siaga worker` and the like one.

Ctrl-C and SIGTERM cancel the services, which drain within 5 s. A service that fails takes the
others along: half a warning system that looks alive is worse than one that is down.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from streams.exporter import exporter
from streams.log.patience import AGAIN_S
from streams.log.port import Log, Unavailable
from streams.service import CannotStart, Service
from streams.settings import RootSettings
from streams.topics import all_topics

log = logging.getLogger(__name__)


def services(names: Sequence[str] | None = None) -> dict[str, Service]:
    """Services of the installed packages, by name; all of them if `names` is None.

    Raises
    ------
    CannotStart
        If a name is not offered by any installed package.
    """
    found = {point.name: point for point in entry_points(group="siaga.services")}
    missing = sorted(set(names or ()) - set(found))
    if missing:
        msg = f"no installed package offers the service {missing[0]}; there are {sorted(found)}"
        raise CannotStart(msg)
    return {name: found[name].load() for name in sorted(names or found)}


async def run(
    settings: RootSettings, store: Log, wanted: dict[str, Service], *, until: str | None = None
) -> None:
    """Run services until a signal or a failure; closes the log.

    Parameters
    ----------
    until
        Name of a service whose end ends all; None: they run until a signal.

    Raises
    ------
    CannotStart
        If a service cannot start for a reason that a person can mend.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on Windows
            loop.add_signal_handler(number, stop.set)
    try:
        if not await _ready(settings, store, stop):
            return
        async with exporter(settings), asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(serve(settings, store), name=name)
                for name, serve in wanted.items()
            ]
            await _first(stop, [t for t in tasks if until in (None, t.get_name())])
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as group:
        if (reason := _reason(group)) is not None:
            raise reason from None
        raise
    finally:
        await store.close()


async def _ready(settings: RootSettings, store: Log, stop: asyncio.Event) -> bool:
    """Wait for Kafka, whose log says once that it is away; False if a signal came first.

    A file that cannot be used is no outage but a mistake: a person must hear of it at once.
    """
    while not stop.is_set():
        try:
            await store.ensure(all_topics(settings.worker.id))
        except Unavailable:
            if settings.log.kind == "embedded":
                raise
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN_S)
        else:
            return True
    return False


def _reason(group: BaseExceptionGroup[BaseException]) -> CannotStart | None:
    """The first reason in a group that a person can mend."""
    for error in group.exceptions:
        if isinstance(error, CannotStart):
            return error
        if isinstance(error, BaseExceptionGroup) and (found := _reason(error)) is not None:
            return found
    return None


async def _first(stop: asyncio.Event, tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Wait for a signal, or until every service has come to its end."""
    stopped = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(_all_of(tasks))
    try:
        await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        ended.cancel()


async def _all_of(tasks: Sequence["asyncio.Task[None]"]) -> bool:
    await asyncio.wait(tasks)
    return True


def main(settings: RootSettings, names: Sequence[str] | None = None) -> None:
    """Run services in a new event loop; returns after a clean stop."""
    from streams.log.open import open_log
    from streams.logs import set_up

    set_up()
    wanted = services(names)

    async def start() -> None:
        await run(settings, open_log(settings), wanted)

    with asyncio.Runner(loop_factory=_new_loop()) as runner:
        runner.run(start())


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists: a fifth less CPU on the bare path."""
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop
