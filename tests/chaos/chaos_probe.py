"""Measures interruptions: ticks of a run of its own go in, the workers' marks come out."""

import json
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

EVERY_S = 0.2


class Probe:
    """Sends a tick to each partition five times a second and notes when a worker has covered it."""

    def __init__(self, address: str, prefix: str, partitions: int) -> None:
        self._address = address
        self._topic = f"{prefix}siaga.mentions.v1"
        self._state = f"{prefix}siaga.state.v1"
        self._partitions = partitions
        self._stop = threading.Event()
        self.seen: dict[int, list[float]] = {p: [] for p in range(partitions)}
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._send, self._hear)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():  # a round may end before it has begun
                thread.join(10)

    def interruption_s(self, partitions: set[int], begin: float, end: float) -> float:
        """Longest time without progress in any of these partitions (monotonic clock)."""
        longest = 0.0
        for p in partitions:
            marks = [begin, *(t for t in list(self.seen[p]) if begin < t < end), end]
            longest = max(longest, *(b - a for a, b in pairwise(marks)))
        return longest

    def _send(self) -> None:
        producer = KafkaProducer(
            bootstrap_servers=self._address, acks=1, enable_idempotence=False, max_block_ms=1000
        )
        while not self._stop.wait(EVERY_S):
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            tick = {"type": "tick", "source": "probe", "watermark": now, "clock": now,
                    "run": "probe"}  # fmt: skip
            for p in range(self._partitions):
                try:
                    producer.send(self._topic, json.dumps(tick).encode(), partition=p)
                except KafkaError:
                    break  # the broker is away; the round goes on
        producer.close(timeout=1)

    def _hear(self) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._address, group_id=None, enable_auto_commit=False
        )
        tps = [TopicPartition(self._state, p) for p in range(self._partitions)]
        consumer.assign(tps)
        consumer.seek_to_end(*tps)
        while not self._stop.is_set():
            try:
                found = consumer.poll(timeout_ms=100)
            except KafkaError:
                continue
            now = time.monotonic()
            for tp, batch in found.items():
                if any(r.key and r.key.endswith(b"|||marks") for r in batch):
                    self.seen[tp.partition].append(now)
        consumer.close()
