"""Sends to Kafka: many records, one acknowledgement for all of them."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer

from streams.log.kafka_topics import MAX_MESSAGE_BYTES
from streams.log.port import Entry

DELIVERY_TIMEOUT_MS = 120_000
"""How long an append waits through an outage before it is `Unavailable`."""


class Sender:
    """The producer of one log. All its methods block: they are called in one thread.

    Parameters
    ----------
    options
        Those of a client that connects; it does so at the first `send`.
    prefix
        Before the names of topics.
    """

    def __init__(self, options: Mapping[str, Any], prefix: str) -> None:
        self._options = options
        self._prefix = prefix
        self._producer: Any = None

    def send(
        self,
        entries: Sequence[Entry],
        loop: asyncio.AbstractEventLoop,
        acknowledged: asyncio.Future[None],
    ) -> None:
        """Hand entries over in order.

        Parameters
        ----------
        acknowledged
            A future of `loop`: done when all in-sync replicas have all of them, or failed with the
            first error (a `KafkaError`).
        """
        if self._producer is None:
            self._producer = KafkaProducer(
                **self._options,
                acks="all",
                enable_idempotence=True,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                max_block_ms=DELIVERY_TIMEOUT_MS,
                linger_ms=5,
                batch_size=256 << 10,
                max_request_size=MAX_MESSAGE_BYTES,
                allow_auto_create_topics=False,
                # kafka-python knows gzip's level 9 only, which took a sixth of the worker's CPU.
                compression_type="zstd",
            )
        left = len(entries)
        failed: Exception | None = None
        lock = threading.Lock()

        def settle() -> None:
            if acknowledged.done():
                return
            if failed is None:
                acknowledged.set_result(None)
            else:
                acknowledged.set_exception(failed)

        def one_done(error: Exception | None) -> None:
            nonlocal left, failed
            with lock:  # in the producer's thread, or in this one if it was done at once
                left -= 1
                failed = failed or error
                last = left == 0
            if last:
                with contextlib.suppress(RuntimeError):  # the loop has closed
                    loop.call_soon_threadsafe(settle)

        futures = [
            self._producer.send(
                self._prefix + e.topic,
                key=e.key,
                value=e.value,
                partition=e.partition,
                timestamp_ms=e.timestamp_ms,
            )
            for e in entries
        ]
        for future in futures:
            future.add_callback(lambda _: one_done(None))
            future.add_errback(one_done)

    def close(self) -> None:
        """Wait for what was sent, within reason, and disconnect."""
        if self._producer is not None:
            self._producer.close(timeout=5)
