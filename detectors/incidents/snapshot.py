"""Snapshots: a byte for the version of their form, then the value."""

import zlib
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Snapshots(Generic[T]):
    """How values of one type are stored and found again.

    Parameters
    ----------
    what
        Names them in errors.
    version
        Of their form; a release reads its own.
    kind
        Their type.
    packed
        Compressed: worth it from some KB on.
    """

    def __init__(self, what: str, version: int, kind: type[T], *, packed: bool = False) -> None:
        self._what = what
        self._version = version
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._packed = packed

    def write(self, value: T) -> bytes:
        """A value to store; `read` gives back an equal one."""
        body = self._encode(value)
        return bytes([self._version]) + (zlib.compress(body, 1) if self._packed else body)

    def read(self, data: bytes) -> T:
        """The value of a snapshot.

        Raises
        ------
        ValueError
            If the snapshot is of another version or damaged.
        """
        if not data or data[0] != self._version:
            found = data[0] if data else "none"
            msg = (
                f"{self._what} snapshot of version {found}; "
                f"this release reads {self._version}: upgrade"
            )
            raise ValueError(msg)
        try:
            return self._decode(zlib.decompress(data[1:]) if self._packed else data[1:])
        except (zlib.error, msgspec.DecodeError) as e:
            msg = f"{self._what} snapshot of {len(data)} bytes is damaged: {e}"
            raise ValueError(msg) from e
