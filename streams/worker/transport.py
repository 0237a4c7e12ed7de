"""The Faust driver of the embedded log: `siaga+embedded:///path/log.db` (no broker).

The worker of `siaga run` is the same Faust app as on Kafka. One app consumes a file; its records,
changelogs and committed offsets are in the file that connectors and the page use, written by one
thread in the order in which the app sent them: what `kill -9` leaves is a prefix, so a state is
never there without the outputs before it, nor a committed offset without the state. Sends need no
awaiting one by one; a full disk makes them wait, not fail.

Registered under the entry point group `faust.transports`.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from faust.transport import base

from streams.log.partitioner import partition_of
from streams.log.store import Topic
from streams.log.writer import Writer, acquire, release
from streams.topics import TopicSpec
from streams.worker.transport_consumer import Consumer
from streams.worker.transport_producer import Producer

SCHEME = "siaga+embedded"


def embedded_url(path: Path) -> str:
    """Return the broker URL of an embedded log's file."""
    return f"{SCHEME}://{quote(str(path.absolute()))}"


class Transport(base.Transport):
    """Makes the consumer and the producer of an app; both share the process's one writer."""

    Consumer = Consumer
    Producer = Producer
    default_port = 0
    driver_version = "siaga-embedded=1"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.path = Path(self.url[0].path)
        self._writer: Writer | None = None
        self._users = 0

    @property
    def writer(self) -> Writer:
        """The open writer; only between `open` and `close`."""
        if self._writer is None:
            raise RuntimeError(f"the transport of {self.path} is not open")
        return self._writer

    def open(self) -> None:
        """Open the file, once however many services use it."""
        if self._writer is None:
            self._writer = acquire(self.path)
        self._users += 1

    def close(self) -> None:
        """Let go of the file; the last user closes it."""
        self._users -= 1
        if self._users == 0 and self._writer is not None:
            writer, self._writer = self._writer, None
            release(writer)

    async def create_topic(
        self, name: str, partitions: int, *, compacting: bool | None, retention: float | None
    ) -> None:
        """Create a topic if it is missing."""
        spec = TopicSpec(
            name,
            partitions=partitions,
            compacted=bool(compacting),
            retention_ms=round(retention * 1000) if retention else None,
        )
        await self.writer.call(lambda store: store.ensure([spec], partitions))

    def topic(self, name: str) -> Topic | None:
        """Return a topic of the file."""
        return self.writer.store.topic(name)

    def partition(self, topic: Topic, key: bytes | None) -> int:
        """Partition of a key; keyless records go to partition 0."""
        return 0 if key is None else partition_of(key, len(topic.lanes))
