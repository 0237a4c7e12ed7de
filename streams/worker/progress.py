"""How far the worker has come, read from its changelog by any process."""

from collections.abc import Mapping

from streams.log.port import Log
from streams.pipeline.state import MARKS, applied_through
from streams.topics import state_topic


async def caught_up(log: Log, worker_id: str, targets: Mapping[int, int]) -> None:
    """Wait until the state covers an offset of the mentions topic in each partition."""
    left = dict(targets)
    async for chunk in log.read(state_topic(worker_id), follow=True, partitions=sorted(left)):
        for record in chunk:
            if record.key is None or record.value is None:
                continue
            if record.key.decode().endswith(f"|||{MARKS}"):
                target = left.get(record.partition)
                if target is not None and applied_through(record.value) >= target:
                    del left[record.partition]
        if not left:
            return
