"""Bytes of the log: what cannot be read stops nobody."""

from datetime import UTC, datetime

import msgspec
import pytest

from streams import codec
from streams.pipeline.decode import Origin, decode

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DEEP = b"[" * 200_000
POISON = {
    "no UTF-8": b'{"type":"batch","brand":"\xff"}',
    "nested without end": b'{"more":' + DEEP,
    "nested and ended": b'{"more":' + DEEP + b"]" * 200_000 + b"}",
    "a mention nested without end": b'{"type":"batch","brand":"a","mentions":[{"more":' + DEEP,
}


@pytest.mark.parametrize("raw", POISON.values(), ids=POISON)
def test_a_poisoned_record_is_one_dead_letter(raw: bytes) -> None:
    decoded = decode(raw, origin=Origin("siaga.mentions.v1", 0, 7), now=NOW)
    assert decoded.record is None
    assert [(d.original, d.length) for d in decoded.dead] == [(raw[:65_536], len(raw))]


@pytest.mark.parametrize("raw", [b'{"id":"\xff"}', POISON["nested without end"]])
@pytest.mark.parametrize("reader", [r for r in vars(codec).values() if isinstance(r, codec.Reader)])
def test_all_that_cannot_be_read_is_one_kind_of_error(
    reader: codec.Reader[object], raw: bytes
) -> None:
    with pytest.raises(msgspec.DecodeError):
        reader.decode(raw)
