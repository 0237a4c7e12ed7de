"""The log port: what the product asks of a log, be it Kafka or the embedded one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from streams.topics import TopicSpec

Position = Mapping[int, int]
"""Next offset to read by partition."""


class Entry(NamedTuple):
    """What is to be appended. `partition` None: chosen by the key (murmur2, as Kafka's clients)."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    timestamp_ms: int | None = None


class LogRecord(NamedTuple):
    """What was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


class Unavailable(Exception):
    """The log cannot be reached or cannot write now (broker away, disk full): wait and retry."""


class UnknownTopic(LookupError):
    """An append to a topic that does not exist: a mistake of the caller, who has to `ensure` it."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} does not exist; ensure() it before appending")


MAX_RECORD_BYTES = 1_000_000
"""Key and value of one record; a larger one is a `ValueError` in every log (Kafka's own limit for
a batch of records is 1 MiB with its headers)."""


class Log(Protocol):
    """Append and read. All methods may raise `Unavailable`."""

    async def ensure(self, specs: Sequence[TopicSpec]) -> None:
        """Create the topics that are missing; leave the others as they are."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append in order; returns when all are acknowledged (committed), raises if one is not.

        Raises
        ------
        UnknownTopic
            If a topic does not exist.
        ValueError
            If a record is larger than `MAX_RECORD_BYTES`.
        """

    def read(
        self,
        topic: str,
        *,
        start: Position | str = "earliest",
        follow: bool = False,
        partitions: Sequence[int] | None = None,
    ) -> AsyncIterator[Sequence[LogRecord]]:
        """Chunks of records in offset order a partition.

        Parameters
        ----------
        start
            "earliest", "latest", or the next offset by partition (missing ones: earliest).
        follow
            False: stop at the end as it was at the call. True: go on for ever; an empty chunk is
            yielded about once a second when there is nothing, so that a reader can do other work.

        Raises
        ------
        ValueError
            If `start` is another word.
        """
        ...

    async def ends(self, topic: str) -> dict[int, int]:
        """Offset after the last record, by partition; {} for a topic that does not exist."""

    async def starts(self, topic: str) -> dict[int, int]:
        """Offset of the first record kept, by partition; {} for a topic that does not exist."""

    async def topics(self) -> list[str]:
        """Names of all topics that exist."""

    async def close(self) -> None:
        """Flush and let go; closing twice is harmless."""
