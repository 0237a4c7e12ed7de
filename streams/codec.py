"""Bytes to records and back: one encoder and one decoder a record kind, made once."""

from typing import Generic, TypeVar

import msgspec

from streams.records import (
    Action,
    Batch,
    DeadLetter,
    Event,
    Incident,
    Label,
    MentionsRecord,
    Minute,
    ScoredBatch,
    Tick,
)

T = TypeVar("T")

Record = Batch | Tick | ScoredBatch | Minute | Incident | Action | Label | DeadLetter | Event

_encoder = msgspec.json.Encoder()


class Reader(Generic[T]):
    """Decodes one kind of record; whatever cannot be read is one kind of error."""

    def __init__(self, decoder: msgspec.json.Decoder[T]) -> None:
        self._decode = decoder.decode

    def decode(self, raw: bytes | msgspec.Raw) -> T:
        """Decode a record.

        Raises
        ------
        msgspec.DecodeError
            Also for bytes that are no UTF-8 and for brackets nested without end, which msgspec
            tells by errors of other kinds.
        """
        try:
            return self._decode(raw)
        except (UnicodeDecodeError, RecursionError) as e:
            raise msgspec.DecodeError(str(e)) from e


mentions = Reader(msgspec.json.Decoder(MentionsRecord))
scored = Reader(msgspec.json.Decoder(ScoredBatch))
minute = Reader(msgspec.json.Decoder(Minute))
incident = Reader(msgspec.json.Decoder(Incident))
action = Reader(msgspec.json.Decoder(Action))
label = Reader(msgspec.json.Decoder(Label))
dead_letter = Reader(msgspec.json.Decoder(DeadLetter))
event = Reader(msgspec.json.Decoder(Event))


def encode(record: Record) -> bytes:
    """Encode a record as JSON (times as RFC 3339, bytes as base64)."""
    return _encoder.encode(record)
