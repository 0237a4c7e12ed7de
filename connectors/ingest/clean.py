"""Makes foreign text harmless without losing it: capped, encodable, free of control characters."""

import re
from typing import NamedTuple

MAX_CHARS = 16_000
"""Longest text of a mention; no post, review or comment of a supported source is longer, and 500
of them in ASCII still make batches of a sane size."""

CUT_MARK = " […]"
"""Ends a text that was cut, so that a reader knows."""

_HARMFUL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls but tab, LF, CR
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"  # bidirectional controls, BOM
)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Cleaned(NamedTuple):
    text: str
    cut: bool = False
    repaired: bool = False


def clean(text: str, *, max_chars: int = MAX_CHARS) -> Cleaned:
    r"""Cap a text, drop NUL, control and bidirectional characters, replace lone surrogates.

    >>> clean("gawat\x00 \u202etxt")
    Cleaned(text='gawat txt', cut=False, repaired=True)
    """
    cut = len(text) > max_chars
    if cut:
        text = text[: max_chars - len(CUT_MARK)]
    kept = text
    if not text.isprintable():
        kept = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _HARMFUL.sub("", text))
    repaired = kept != text
    return Cleaned(kept.strip() + CUT_MARK if cut else kept.strip(), cut, repaired)


def field(text: str, max_chars: int) -> str:
    """Clean a short field (author, address, language): one line, capped without a mark."""
    if len(text) <= max_chars and text.isprintable():
        return text.strip()
    return " ".join(clean(text, max_chars=1 << 30).text[:max_chars].split())
