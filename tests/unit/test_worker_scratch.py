"""The scratch file: what comes back, what becomes of a full disk, and that space is used again."""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from streams.worker.scratch import SMALLEST_BYTES, Piece, Scratch

BIG = bytes(range(256)) * 8


def test_bytes_come_back_whole_and_in_part(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    pieces = [scratch.keep(bytes([n]) + BIG) for n in range(5)]
    for n, piece in enumerate(pieces):
        assert isinstance(piece, Piece)
        assert len(piece) == len(BIG) + 1
        assert piece[:] == bytes([n]) + BIG
        assert (piece[1:9], piece[len(BIG) - 3 :]) == (BIG[:8], BIG[-4:])
        assert piece[len(BIG) + 5 : len(BIG) + 9] == b""


def test_nobody_else_finds_the_file(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    held = scratch.keep(BIG)
    assert held[:] == BIG
    assert not list(tmp_path.iterdir())


def test_few_bytes_are_not_worth_a_piece(tmp_path: Path) -> None:
    assert isinstance(Scratch(tmp_path).keep(bytes(SMALLEST_BYTES - 1)), bytes)


def test_a_dropped_piece_makes_room(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    first, second = scratch.keep(BIG), scratch.keep(BIG[::-1])
    size = scratch.size
    del first
    third = scratch.keep(BIG)
    assert scratch.size == size
    assert (second[:], third[:]) == (BIG[::-1], BIG)


def test_a_full_disk_costs_memory_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scratch = Scratch(tmp_path)
    before = scratch.keep(BIG)
    file: Any = scratch._file

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(file, name)

        def write(self, value: memoryview) -> int:
            if len(value) > 100:
                return int(file.write(value[:100]))  # a full disk takes a part first
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scratch, "_file", Full())
    kept = [scratch.keep(bytes([n]) + BIG) for n in range(3)]
    assert all(isinstance(value, bytes) for value in kept)
    assert before[:] == BIG
    size = scratch.size
    monkeypatch.setattr(scratch, "_file", file)
    again = scratch.keep(bytes([9]) + BIG)
    assert isinstance(again, Piece)
    assert scratch.size == size, "the place that was not filled is used"
    warned = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "No space left" in warned[0]
    assert "can be written again" in caplog.records[-1].message


def test_a_folder_that_cannot_be_made_costs_memory_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Scratch(tmp_path / "file" / "folder").keep(BIG) is BIG


def test_a_disk_that_lost_bytes_stops_who_asks(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    piece = scratch.keep(BIG)
    file: Any = scratch._file
    file.truncate(10)
    with pytest.raises(OSError, match="has lost"):
        piece[:]
