"""Bytes to records and back: one encoder and one decoder a record kind, made once."""

from typing import TypeVar

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

mentions = msgspec.json.Decoder(MentionsRecord)
scored = msgspec.json.Decoder(ScoredBatch)
minute = msgspec.json.Decoder(Minute)
incident = msgspec.json.Decoder(Incident)
action = msgspec.json.Decoder(Action)
label = msgspec.json.Decoder(Label)
dead_letter = msgspec.json.Decoder(DeadLetter)
event = msgspec.json.Decoder(Event)


def encode(record: Record) -> bytes:
    """Encode a record as JSON (times as RFC 3339, bytes as base64)."""
    return _encoder.encode(record)
