"""The Faust app: group membership, delivery and commits. The arithmetic is elsewhere (core.py).

State is not kept in Faust tables: the core writes it to a compacted topic of ours and reads it back
when a partition arrives (docs/adr/0002). So Faust's table recovery, which loses records on a
rebalance, is not in the path, and rebalance.py cures the rest.
"""

import asyncio
import gc
import logging
import socket
from typing import Any

import faust

from streams.collector import spare_the_collector
from streams.settings import RootSettings
from streams.topics import ACTIONS, MENTIONS
from streams.worker.core import Core
from streams.worker.quiet import hush
from streams.worker.rebalance import Lease, cure, leave_at_stop

log = logging.getLogger(__name__)

SESSION_TIMEOUT_S = 10.0
"""A worker that is silent for so long loses its partitions to the others."""
HEARTBEAT_S = 1.0
"""Nine in a row may be lost."""
COMMIT_EVERY_S = 1.0
"""Positions in the group only tell others how far we are: the state knows better."""


def build(settings: RootSettings, core: Core) -> faust.App:
    """An app whose agents carry records to the core.

    Parameters
    ----------
    settings
        `log.kind` chooses the broker: Kafka, or the embedded transport over the same SQLite file
        as the embedded log.
    """
    broker, extra = _broker(settings)
    worker = settings.worker
    app = faust.App(
        f"{settings.log.prefix}{worker.id}",
        broker=broker,
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_partitions=settings.log.partitions,
        consumer_auto_offset_reset="earliest",
        # A static member comes back after a kill in seconds; a new one waits for the session.
        consumer_group_instance_id=worker.instance or default_instance(settings),
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_commit_interval=COMMIT_EVERY_S,
        broker_commit_every=100_000,
        stream_wait_empty=False,
        stream_buffer_maxsize=256,
        worker_redirect_stdouts=False,
        # A record that breaks the core must stop the worker: skipping it would lose it.
        agent_supervisor="mode.CrashingSupervisor",
        **extra,
    )
    _agents(app, settings, core)
    return app


def _agents(app: faust.App, settings: RootSettings, core: Core) -> None:
    prefix = settings.log.prefix
    mentions = _raw_topic(app, prefix + MENTIONS)
    actions = _raw_topic(app, prefix + ACTIONS)

    @app.agent(mentions, name="mentions")
    async def carry_mentions(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            await core.take(message.partition, message.offset, message.value, event.ack)

    @app.agent(actions, name="actions")
    async def carry_actions(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            await core.take_action(message.partition, message.offset, message.value, event.ack)

    @app.on_partitions_revoked.connect  # type: ignore[arg-type] # mode's signals are loosely typed
    async def give_back(_app: faust.App, _revoked: set[Any], **_: Any) -> None:
        await core.revoke()


def _take_over(app: faust.App, prefix: str, core: Core) -> Lease:
    """States are restored before a record is fetched, and reading goes on behind them."""

    async def positions(sources: frozenset[Any]) -> dict[Any, int]:
        mine = {tp.partition: tp for tp in sources if tp.topic == prefix + MENTIONS}
        applied = await core.assign(mine)
        return {mine[partition]: offset for partition, offset in applied.items()}

    return cure(app, positions)


def _raw_topic(app: faust.App, name: str) -> Any:
    return app.topic(
        name, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes
    )


def default_instance(settings: RootSettings) -> str:
    """Stable name of this worker: the same after a restart, unique on a host by metrics port."""
    return f"{settings.worker.id}-{socket.gethostname()}-{settings.metrics.port}"


def _broker(settings: RootSettings) -> tuple[Any, dict[str, Any]]:
    if settings.log.kind == "embedded":
        from streams.log.open import embedded_path
        from streams.worker.transport import embedded_url

        return embedded_url(embedded_path(settings)), {}
    from streams.security import faust_options

    return [f"kafka://{host}" for host in settings.log.bootstrap], faust_options(settings.log)


async def run(settings: RootSettings, core: Core) -> None:
    """Run the app in this event loop until it is cancelled or something in it fails."""
    hush()
    app = build(settings, core)
    app.finalize()
    spare_the_collector()
    core.held = _take_over(app, settings.log.prefix, core).held
    try:
        await app.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(core.flush_for_ever())
            group.create_task(core.watch_session())
            group.create_task(core.measure_lag())
            group.create_task(_until_crash(app))
    finally:
        await asyncio.shield(_stop(app, core))


async def _until_crash(app: faust.App) -> None:
    await app.wait_until_stopped()
    if app.crashed:
        raise app.crash_reason or RuntimeError("the Faust app crashed; its log tells why")


async def _stop(app: faust.App, core: Core) -> None:
    try:
        async with asyncio.timeout(3):
            await core.flush()
    except TimeoutError:
        log.warning("The last flush took too long; its records will be read again at the start")
    leave_at_stop(app)
    await app.stop()
    # At its exit the interpreter looks through all that lives: 20 s of a busy machine for the
    # states of 10,000 brands, which go with the process anyway.
    gc.freeze()
