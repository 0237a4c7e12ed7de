"""Topics as Kafka makes them: settings of our own, whatever the broker's defaults are."""

from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors

from streams.settings import LogSettings
from streams.topics import TopicSpec

MAX_MESSAGE_BYTES = 1 << 20
"""What a batch of records may have; one record may have a little less (port.py)."""

SEGMENT_BYTES = 128 << 20
COMPACTED_SEGMENT_BYTES = 16 << 20
COMPACTED_SEGMENT_MS = 3_600_000
MIN_COMPACTION_LAG_MS = 60_000
MAX_COMPACTION_LAG_MS = 3_600_000
"""Only closed segments are compacted: small ones, or a quiet topic never is."""


def create(specs: Mapping[str, TopicSpec], settings: LogSettings, options: dict[str, Any]) -> None:
    """Create topics by their full names; one that another worker has just made counts as made.

    Parameters
    ----------
    options
        Those of a client that connects.

    Raises
    ------
    KafkaError
        What the broker answers, or that it does not.
    """
    wanted = {name: as_kafka(spec, settings) for name, spec in specs.items()}
    admin = KafkaAdminClient(**options)
    try:
        answer = admin.create_topics(wanted, raise_errors=False)
        for topic in answer["topics"]:
            error = kafka_errors.for_code(topic["error_code"])
            # Another worker may have been first.
            if error not in (kafka_errors.NoError, kafka_errors.TopicAlreadyExistsError):
                raise error(f"{topic['name']}: {topic['error_message']}")
        admin.wait_for_topics(list(wanted))
    finally:
        admin.close()


def as_kafka(spec: TopicSpec, settings: LogSettings) -> dict[str, Any]:
    """What the admin client is asked for."""
    configs = {
        "cleanup.policy": "compact" if spec.compacted else "delete",
        "retention.ms": str(-1 if spec.retention_ms is None else spec.retention_ms),
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "segment.bytes": str(COMPACTED_SEGMENT_BYTES if spec.compacted else SEGMENT_BYTES),
        # A write survives the loss of all replicas but this many.
        "min.insync.replicas": str(max(1, settings.replication - 1)),
    }
    if spec.compacted:
        configs |= {
            # What a torn flush wrote is replaced before it can displace anything.
            "min.compaction.lag.ms": str(MIN_COMPACTION_LAG_MS),
            "segment.ms": str(COMPACTED_SEGMENT_MS),
            "max.compaction.lag.ms": str(MAX_COMPACTION_LAG_MS),
        }
    return {
        "num_partitions": spec.partitions or settings.partitions,
        "replication_factor": settings.replication,
        "configs": configs,
    }
