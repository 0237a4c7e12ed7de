"""The scratch file: what comes back, what becomes of a full disk, and that space is used again."""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from streams.worker.scratch import SMALLEST_BYTES, Piece, Scratch, Scratches

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
    before, dropped = scratch.keep(BIG), scratch.keep(BIG)
    size = scratch.size
    write = os.pwrite

    def full(file: int, value: memoryview, at: int) -> int:
        if room := max(0, size + 100 - at):
            return write(file, value[:room], at)  # a full disk takes a part first
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        longer = bytes(300)
        kept = [scratch.keep(bytes([n]) + longer) for n in range(3)]
        assert all(isinstance(value, bytes) for value in kept)
        # A free place is within the file: it can be written, and says nothing of the disk.
        del dropped
        assert isinstance(scratch.keep(BIG), Piece)
        kept += [scratch.keep(bytes([n]) + longer) for n in range(3)]
        assert all(isinstance(value, bytes) for value in kept)
        assert before[:] == BIG
        assert scratch.size == size
    again = scratch.keep(bytes([9]) + BIG)
    assert isinstance(again, Piece)
    assert again[:] == bytes([9]) + BIG
    told = [(r.levelno, r.message) for r in caplog.records]
    assert [level for level, _ in told] == [logging.WARNING, logging.INFO]
    assert "No space left" in told[0][1]
    assert "can be written again" in told[1][1]


def test_a_file_gives_its_space_back_with_its_last_piece(tmp_path: Path) -> None:
    scratches = Scratches(tmp_path)
    first, second = (scratches.new()(BIG) for _ in range(2))
    size = scratches.size
    assert size >= 2 * len(BIG)
    del first
    assert scratches.size == size // 2
    assert second[:] == BIG


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
