"""What a release cannot read is said once by whoever leaves it out, and stops nobody."""

import pytest

from streams import codec
from streams.log.decoded import decoded
from streams.log.port import LogRecord
from streams.records import Batch


def record(value: bytes | None) -> LogRecord:
    return LogRecord("t", 3, 7, b"k", value, 0)


def test_what_can_be_read_comes_back() -> None:
    batch = Batch("kopi", ())
    assert decoded(record(codec.encode(batch)), codec.mentions, who="w") == batch


def test_a_tombstone_is_nothing_and_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    assert decoded(record(None), codec.mentions, who="w") is None
    assert not caplog.records


@pytest.mark.parametrize("value", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"type":"of tomorrow"}'])
def test_whatever_cannot_be_read_is_said_with_its_place(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert decoded(record(value), codec.mentions, who="themes") is None
    [line] = [r.getMessage() for r in caplog.records]
    assert line.startswith("themes: this release cannot read t[3] at 7")


def test_without_a_name_it_is_left_out_silently(caplog: pytest.LogCaptureFixture) -> None:
    assert decoded(record(b"{"), codec.mentions) is None
    assert not caplog.records
