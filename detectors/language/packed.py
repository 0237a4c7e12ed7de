"""Many small signed sums in one Python integer: adding two vectors is one integer addition.

A mention's scores (3 sentiments, the topics) are sums over its tokens. Packing each token's
contributions into 32-bit fields of one big integer makes a token cost one C-speed addition
(about 40 ns for 30 fields), and integer sums are exact: their order does not matter.
"""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Final

FIELD_BITS: Final = 32
ONE: Final = 1 << 16
"""Fixed point: a weight w is stored as round(w * ONE); a field holds sums up to +-32,767."""

_HALF: Final = 1 << (FIELD_BITS - 1)


@cache
def _layout(fields: int) -> tuple[int, struct.Struct]:
    return sum(_HALF << (i * FIELD_BITS) for i in range(fields)), struct.Struct(f"<{fields}i")


def pack(fields: Sequence[int]) -> int:
    """One integer that holds the signed fields; sums of packed values pack the sums."""
    offset, layout = _layout(len(fields))
    # The inverse of `unpack`: two's complement fields, made carry-free, less what made them so.
    return (int.from_bytes(layout.pack(*fields), "little") ^ offset) - offset


def unpack(total: int, fields: int) -> Sequence[int]:
    """The signed sums, field by field.

    Raises
    ------
    OverflowError
        If a sum left its field (a text longer than the read limit).
    """
    offset, layout = _layout(fields)
    # Adding 2^31 to every field makes all of them carry-free; flipping the same bit back turns
    # each field into the two's complement form that the layout reads.
    return layout.unpack(((total + offset) ^ offset).to_bytes(layout.size, "little"))


def unpack_low(total: int, fields: int) -> Sequence[int]:
    """The first signed sums only; what lies above does not matter."""
    offset, layout = _layout(fields)
    low = (total + offset) & ((1 << (fields * FIELD_BITS)) - 1)
    return layout.unpack((low ^ offset).to_bytes(layout.size, "little"))
