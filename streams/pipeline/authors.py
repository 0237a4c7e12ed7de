"""Distinct authors of a minute in constant space: linear counting over a fixed bitmap.

Whang, Vander-Zanden & Taylor, "A linear-time probabilistic counting algorithm for database
applications", ACM TODS 15(2), 1990: with m bits of which z are zero, n is about -m ln(z/m).
Below 100 authors the error is under one author; at 10,000 about 2 %.
"""

from hashlib import blake2b
from math import log

BITS = 8192


def note(bitmap: bytearray, author: str) -> None:
    """Set an author's bit, making room for all bits at the first."""
    if len(bitmap) != BITS // 8:
        # Empty, or from a former version: one number, its highest byte first, zeros left out.
        bitmap[:] = int.from_bytes(bitmap, "big").to_bytes(BITS // 8, "little")
    digest = blake2b(author.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    bit = int.from_bytes(digest) % BITS
    bitmap[bit >> 3] |= 1 << (bit & 7)


def distinct(bitmap: bytes | bytearray) -> int:
    """Estimate of how many authors set bits.

    Examples
    --------
    >>> seen = bytearray()
    >>> for name in ("ani", "budi", "ani"):
    ...     note(seen, name)
    >>> distinct(seen)
    2
    """
    zeros = BITS - int.from_bytes(bitmap).bit_count()
    return round(-BITS * log(max(zeros, 1) / BITS))
