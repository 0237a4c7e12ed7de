"""The producer of the embedded Faust transport: sends are queued in order and commit in order."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from faust.transport import base
from faust.transport.producer import ProducerBuffer
from faust.types import TP, FutureMessage, RecordMetadata

from streams.log.port import MAX_RECORD_BYTES, UnknownTopic
from streams.log.store import Row, now_ms
from streams.log.writer import Writer

PENDING_BYTES = 16 << 20
"""More than this on its way to the disk and streams wait: memory stays bounded in an outage."""

_headers = msgspec.msgpack.Encoder()


class Buffer(ProducerBuffer):
    """Faust asks it before each message whether streams must wait; messages bypass it."""

    producer: "Producer"

    async def wait_until_ebb(self) -> None:
        """Wait until the disk has caught up."""
        await self.producer.room()

    @property
    def size(self) -> int:
        """Messages not yet handed to the writer: none ever."""
        return 0


class Producer(base.Producer):
    """Hands records to the process's writer; a send is in the queue when the call returns."""

    # Faust's interfaces do not know our transport.
    app: Any
    transport: Any
    allow_headers = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffer = Buffer(loop=self.loop, beacon=self.beacon)
        self.buffer.app = self.app
        self.buffer.producer = self
        self._last: asyncio.Future[Any] | None = None

    async def on_start(self) -> None:
        """Open the file."""
        self.transport.open()
        await super().on_start()

    async def on_stop(self) -> None:
        """Commit what is queued."""
        await self.flush()
        await super().on_stop()
        self.transport.close()

    async def create_topic(  # type: ignore[override] # **_ takes what Faust's has besides
        self,
        topic: str,
        partitions: int,
        replication: int,  # noqa: ARG002 - Faust's interface
        *,
        compacting: bool | None = None,
        retention: float | None = None,
        **_: Any,
    ) -> None:
        """Create a topic if it is missing."""
        await self.transport.create_topic(
            topic, partitions, compacting=compacting, retention=retention
        )

    async def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        *,
        transactional_id: str | None = None,  # noqa: ARG002 - Faust's interface
    ) -> asyncio.Future[RecordMetadata]:
        """Queue a record; the future resolves when it is committed."""
        await self.room()
        return self._submit(topic, key, value, partition, timestamp, headers)

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> RecordMetadata:
        """Send and wait for the commit."""
        return await (await self.send(*args, **kwargs))

    def send_soon(self, fut: FutureMessage) -> None:
        """Queue a table's change at once: it must stand in the order in which it was made."""
        message = fut.message
        channel: Any = message.channel
        sent = self._submit(
            channel.get_topic_name(),
            message.key,
            message.value,
            message.partition,
            message.timestamp,
            message.headers,
        )
        state = self.app.sensors.on_send_initiated(
            self,
            channel.get_topic_name(),
            message,
            len(message.key or b""),
            len(message.value or b""),
        )
        sent.add_done_callback(
            partial(channel._on_published, message=fut, producer=self, state=state)
        )

    async def room(self) -> None:
        """Wait while too much is on its way to the disk."""
        writer: Writer = self.transport.writer
        while (  # noqa: ASYNC110 - the other side is a thread, and this is rare
            writer.pending_bytes > PENDING_BYTES and not self.should_stop
        ):
            await asyncio.sleep(0.01)

    async def flush(self) -> None:
        """Wait until everything sent so far is committed."""
        if self._last is not None and not self._last.done():
            await asyncio.wait([self._last])

    def key_partition(self, topic: str, key: bytes | None) -> TP:
        """Partition that a key belongs to."""
        found = self.transport.topic(topic)
        if found is None:
            raise UnknownTopic(topic)
        return TP(topic, self.transport.partition(found, key))

    def supports_headers(self) -> bool:
        """Headers are kept."""
        return True

    def _submit(
        self,
        name: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
    ) -> asyncio.Future[RecordMetadata]:
        topic = self.transport.topic(name)
        if topic is None:
            raise UnknownTopic(name)
        size = len(key or b"") + len(value or b"")
        if size > MAX_RECORD_BYTES:
            raise ValueError(f"a record of {size} bytes for {name} is over {MAX_RECORD_BYTES}")
        chosen = self.transport.partition(topic, key) if partition is None else partition
        stamp = round(timestamp * 1000) if timestamp else now_ms()
        row = Row(topic.lanes[chosen], stamp, key, _packed(headers), value)
        written = self.transport.writer.submit([row], patient=True)
        sent: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        written.add_done_callback(partial(_tell, sent, TP(name, chosen), stamp))
        self._last = sent
        return sent


def _tell(
    sent: asyncio.Future[RecordMetadata], tp: TP, stamp: int, written: asyncio.Future[list[int]]
) -> None:
    if sent.done():
        return
    if error := written.exception():
        sent.set_exception(error)
    else:
        offset = written.result()[0]
        sent.set_result(RecordMetadata(tp.topic, tp.partition, tp, offset, stamp, 0))


def _packed(headers: Any) -> bytes | None:
    if not headers:
        return None
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return _headers.encode([(str(name), value) for name, value in pairs])
