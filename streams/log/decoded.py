"""Records of a topic as values: what a release cannot read is said and left out, never a stop."""

import logging
from typing import TypeVar

import msgspec

from streams.codec import Reader
from streams.log.port import LogRecord

T = TypeVar("T")

logger = logging.getLogger(__name__)


def decoded(record: LogRecord, reader: Reader[T], *, who: str = "") -> T | None:
    """What a record holds; None for a tombstone, and for what this release cannot read.

    Parameters
    ----------
    who
        Whose work leaves it out, for the line that says so; "" where another one says it.
    """
    if record.value is None:
        return None
    try:
        return reader.decode(record.value)
    except msgspec.DecodeError as e:
        if who:
            where = f"{record.topic}[{record.partition}] at {record.offset}"
            logger.warning("%s: this release cannot read %s (%s); left out", who, where, e)
        return None
