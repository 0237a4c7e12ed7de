"""The log on Kafka. Only it and its neighbours `kafka_*` import kafka-python.

kafka-python blocks, so each client lives in a thread: one for the producer's calls, one for
questions about topics, one for each reader. Readers name their partitions and join no group.
Clients reconnect by themselves; an outage is told once (see outage.py), not by kafka-python's own
line for each attempt.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors

from streams.log.kafka_errors import accepted, plain, quieten
from streams.log.kafka_sender import Sender
from streams.log.kafka_topics import MAX_MESSAGE_BYTES, create
from streams.log.outage import Outage
from streams.log.port import Entry, LogRecord, Position, Unavailable, UnknownTopic
from streams.log.rules import check_size, check_start, first_offsets
from streams.security import kafka_options
from streams.settings import LogSettings
from streams.topics import TopicSpec

T = TypeVar("T")

LATE_SECONDS = 5.0
"""An append that waits longer for its acknowledgement is told as an outage."""

REQUEST_TIMEOUT_MS = 15_000
BOOTSTRAP_TIMEOUT_MS = 10_000
"""How long the first contact may take before it is `Unavailable`."""

STALLED_SECONDS = 30.0
"""A bounded read without progress for so long is `Unavailable`."""

POLL_MS = 500
"""How long one look for new records waits in its thread."""
CHUNK_RECORDS = 1_000
"""Most records of a chunk."""

# Reconnecting every second or two is what "goes on by itself" means to a person who waits.
_RECONNECT = {"reconnect_backoff_ms": 200, "reconnect_backoff_max_ms": 2_000}


class KafkaLog:
    """The log port over Kafka. Connects at the first call, not at construction."""

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self._prefix = settings.prefix
        self._options = {
            "bootstrap_servers": list(settings.bootstrap),
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
            **_RECONNECT,
            **kafka_options(settings),
        }
        self._outage = Outage(f"Kafka at {', '.join(settings.bootstrap)}")
        self._sending = ThreadPoolExecutor(1, thread_name_prefix="siaga-kafka-send")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="siaga-kafka-ask")
        self._sender = Sender(self._options, self._prefix)
        self._asker: Any = None
        self._known: set[str] = set()
        self._closed = False
        quieten()

    # -- the port

    async def ensure(self, specs: Sequence[TopicSpec]) -> None:
        """Create the topics that are missing, with settings of our own."""
        await self._in(self._asking, lambda: self._ensure(specs))

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append in order; returns when all in-sync replicas have all of them."""
        for entry in entries:
            check_size(entry)
        if not entries:
            return
        for topic in {entry.topic for entry in entries} - self._known:
            if not await self.ends(topic):
                raise UnknownTopic(topic)
            self._known.add(topic)
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = loop.create_future()
        await self._in(self._sending, lambda: self._sender.send(entries, loop, acknowledged))
        late = loop.call_later(
            LATE_SECONDS, self._outage.begin, f"no acknowledgement for {LATE_SECONDS:.0f} s"
        )
        try:
            await asyncio.shield(acknowledged)
        except kafka_errors.KafkaError as e:
            self._outage.begin(e)
            raise plain(e, self._settings) from e
        finally:
            late.cancel()
        self._outage.end()
        accepted()

    async def read(
        self,
        topic: str,
        *,
        start: Position | str = "earliest",
        follow: bool = False,
        partitions: Sequence[int] | None = None,
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """Chunks of records; see the port."""
        check_start(start)
        while True:
            try:
                ends, starts = await self.ends(topic), await self.starts(topic)
            except Unavailable:
                if not follow:
                    raise
                ends = {}
            if ends:
                break
            if not follow:
                return
            yield ()
            await asyncio.sleep(1.0)
        ends = {p: ends[p] for p in (sorted(ends) if partitions is None else partitions)}
        at = first_offsets(start, starts=starts, ends=ends)
        thread = ThreadPoolExecutor(1, thread_name_prefix="siaga-kafka-read")
        consumer: Any = None
        try:
            consumer = await self._in(thread, lambda: self._reader(topic, at))
            told = progress = time.monotonic()
            while follow or any(at[p] < ends[p] for p in ends):
                chunk = await self._in(
                    thread, lambda: self._poll(consumer, topic, at, None if follow else ends)
                )
                now = time.monotonic()
                if chunk:
                    told = progress = now
                    self._outage.end()
                    yield chunk
                elif follow and now - told >= 1.0:
                    told = now
                    yield ()
                elif not follow and now - progress > STALLED_SECONDS:
                    raise Unavailable(
                        f"{topic} could not be read on for {STALLED_SECONDS:.0f} s: "
                        f"is Kafka at {', '.join(self._settings.bootstrap)} up?"
                    )
        finally:
            if consumer is not None:
                await asyncio.shield(
                    asyncio.get_running_loop().run_in_executor(thread, consumer.close)
                )
            thread.shutdown(wait=False)

    async def ends(self, topic: str) -> dict[int, int]:
        """Offset after the last record, by partition."""
        return await self._offsets(topic, "end_offsets")

    async def starts(self, topic: str) -> dict[int, int]:
        """Offset of the first record kept, by partition."""
        return await self._offsets(topic, "beginning_offsets")

    async def at_time(self, topic: str, timestamp_ms: int) -> dict[int, int]:
        """Offset of the first record of a time or later, by partition; its end if there is none."""
        ends = await self.ends(topic)
        name = self._prefix + topic
        wanted = {TopicPartition(name, p): timestamp_ms for p in ends}
        found = await self._in(self._asking, lambda: self._ask().offsets_for_times(wanted))
        places = {tp.partition: place.offset for tp, place in found.items() if place is not None}
        return ends | places

    async def topics(self) -> list[str]:
        """Names of all topics of this prefix, without it and without Kafka's own."""
        cut = len(self._prefix)
        names: set[str] = await self._in(self._asking, lambda: set(self._ask().topics()))
        return sorted(
            n[cut:] for n in names if n.startswith(self._prefix) and not n.startswith("__")
        )

    async def close(self) -> None:
        """Flush and disconnect."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._close)

    # -- in threads

    def _ensure(self, specs: Sequence[TopicSpec]) -> None:
        there = self._ask().topics()
        wanted = {self._prefix + spec.name: spec for spec in specs}
        if missing := {name: spec for name, spec in wanted.items() if name not in there}:
            create(missing, self._settings, self._options)

    def _reader(self, topic: str, at: Position) -> Any:
        consumer = self._consumer(max_poll_records=CHUNK_RECORDS)
        consumer.assign([TopicPartition(self._prefix + topic, p) for p in at])
        for p, offset in at.items():
            consumer.seek(TopicPartition(self._prefix + topic, p), offset)
        return consumer

    def _poll(
        self, consumer: Any, topic: str, at: dict[int, int], ends: Position | None
    ) -> list[LogRecord]:
        chunk = []
        for tp, records in consumer.poll(timeout_ms=POLL_MS).items():
            for r in records:
                if ends is not None and r.offset >= ends[tp.partition]:
                    continue
                chunk.append(LogRecord(topic, tp.partition, r.offset, r.key, r.value, r.timestamp))
        if ends is not None:
            # Compaction leaves holes: the position passes them, records do not.
            for p in at:
                tp = TopicPartition(self._prefix + topic, p)
                at[p] = consumer.position(tp, timeout_ms=REQUEST_TIMEOUT_MS)
                if at[p] >= ends[p]:
                    consumer.pause(tp)
        return chunk

    def _consumer(self, **options: Any) -> Any:
        return KafkaConsumer(
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_max_bytes=8 << 20,
            max_partition_fetch_bytes=2 * MAX_MESSAGE_BYTES,
            **options,
        )

    def _ask(self) -> Any:
        if self._asker is None:
            self._asker = self._consumer()
        return self._asker

    async def _offsets(self, topic: str, method: str) -> dict[int, int]:
        full = self._prefix + topic

        def ask() -> dict[int, int]:
            found = self._ask().partitions_for_topic(full)
            if not found:
                return {}
            tps = [TopicPartition(full, p) for p in sorted(found)]
            offsets = getattr(self._ask(), method)(tps, timeout_ms=REQUEST_TIMEOUT_MS)
            return {tp.partition: offset for tp, offset in offsets.items()}

        return await self._in(self._asking, ask)

    def _close(self) -> None:
        for thread in (self._sending, self._asking):
            thread.shutdown(wait=True)
        self._sender.close()
        if self._asker is not None:
            self._asker.close()

    async def _in(self, thread: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        with self._plain_errors():
            return await asyncio.get_running_loop().run_in_executor(thread, function)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except kafka_errors.KafkaError as e:
            told = plain(e, self._settings)
            if isinstance(told, Unavailable):
                self._outage.begin(e)
            raise told from e
