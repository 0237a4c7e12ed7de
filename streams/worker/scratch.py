"""Scratch files for what is seldom asked for: a cache of the changelog, gone with the process.

A file has no name (another process cannot find it and a kill leaves nothing behind). The space of a
piece is free again when nobody holds the piece: sizes are rounded up by an eighth at most, so that
a free place fits the next one. What cannot be written (no folder, a full disk) stays in memory.

A free place serves its own size only, and a restore puts other sizes away than the work after it:
so each has a file of its own, whose space comes back as a whole.
"""

import logging
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from weakref import ref

from streams.pipeline.runs import Keep, Stored

log = logging.getLogger(__name__)

SMALLEST_BYTES = 256
"""A piece takes some 150 bytes of memory itself."""


class Piece:
    """Bytes in a scratch file."""

    __slots__ = ("_at", "_scratch", "_size")

    def __init__(self, scratch: "Scratch", at: int, size: int) -> None:
        self._scratch = scratch
        self._at = at
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        first, end, _ = part.indices(self._size)
        return self._scratch.read(self._at + first, end - first)

    def __del__(self) -> None:
        self._scratch.free(self._at, self._size)


class Scratch:
    """A file without a name in a folder; `keep` is the pipeline's way to it.

    Attributes
    ----------
    size
        Bytes that the file takes; free places are used again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size = 0
        self._file: IO[bytes] | None = None
        self._free: dict[int, list[int]] = {}
        """Places by their size."""
        self._full = False

    def keep(self, value: bytes) -> Stored:
        """Write bytes; they come back as they are if they are few or cannot be written."""
        if len(value) < SMALLEST_BYTES:
            return value
        try:
            at = self._write(value)
        except OSError as e:
            self._tell(e)
            return value
        return Piece(self, at, len(value))

    def _write(self, value: bytes) -> int:
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - lives as long as we
        place = _place(len(value))
        free = self._free.get(place)
        at = free.pop() if free else self.size
        try:
            self._fill(self._file.fileno(), at, value)
        except OSError:
            if at < self.size:
                self.free(at, place)
            raise
        if at == self.size:
            # A free place can be written on a full disk too: only a longer file says more.
            self.size += place
            self._tell(None)
        return at

    @staticmethod
    def _fill(file: int, at: int, value: bytes) -> None:
        left = memoryview(value)
        while left:
            written = os.pwrite(file, left, at)
            at, left = at + written, left[written:]

    def read(self, at: int, size: int) -> bytes:
        """Bytes of a piece.

        Raises
        ------
        OSError
            When the disk fails. The worker must stop: the changelog has it all.
        """
        value = os.pread(self._file.fileno(), size, at) if self._file is not None else b""
        if len(value) < size:
            raise OSError(f"the scratch file in {self.folder} has lost {size} bytes at {at}")
        return value

    def free(self, at: int, size: int) -> None:
        """Give a piece's place to another one."""
        self._free.setdefault(_place(size), []).append(at)

    def _tell(self, error: OSError | None) -> None:
        """One line for each change."""
        if error is not None and not self._full:
            log.warning(
                "The scratch file in %s cannot be written (%s): ids of mentions stay in memory "
                "until it can; nothing is lost. Free some disk, or set [worker] state_dir.",
                self.folder, error.strerror or error,
            )  # fmt: skip
        elif error is None and self._full:
            log.info("The scratch file in %s can be written again", self.folder)
        self._full = error is not None


class Scratches:
    """The scratch files of a worker; one is gone when nobody holds a piece or its `keep`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: tuple[ref[Scratch], ...] = ()
        """Replaced as a whole: the metrics look at it from another thread."""

    def new(self) -> Keep:
        """Begin a file."""
        scratch = Scratch(self.folder)
        self._files = (*(at for at in self._files if at() is not None), ref(scratch))
        return scratch.keep

    @property
    def size(self) -> int:
        """Bytes that all files take."""
        return sum(scratch.size for at in self._files if (scratch := at()) is not None)


def _place(size: int) -> int:
    """Size of the place for so many bytes.

    Examples
    --------
    >>> [_place(size) for size in (256, 300, 8000, 1_000_000)]
    [256, 320, 8192, 1048576]
    """
    unit = 1 << max(0, (size - 1).bit_length() - 4)
    return -(-size // unit) * unit
