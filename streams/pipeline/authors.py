"""Distinct authors of a minute in constant space: linear counting over a fixed bitmap.

Whang, Vander-Zanden & Taylor, "A linear-time probabilistic counting algorithm for database
applications", ACM TODS 15(2), 1990: with m bits of which z are zero, n is about -m ln(z/m).
Below 100 authors the error is under one author; at 10,000 about 2 %.
"""

from hashlib import blake2b
from math import log

BITS = 8192


def bit_of(author: str) -> int:
    """The bitmap with this author's bit set, as an integer."""
    digest = blake2b(author.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return 1 << (int.from_bytes(digest) % BITS)


def distinct(bitmap: int) -> int:
    """Estimate of how many authors set bits.

    Examples
    --------
    >>> seen = 0
    >>> for name in ("ani", "budi", "ani"):
    ...     seen |= bit_of(name)
    >>> distinct(seen)
    2
    """
    zeros = BITS - bitmap.bit_count()
    return round(-BITS * log(max(zeros, 1) / BITS))
