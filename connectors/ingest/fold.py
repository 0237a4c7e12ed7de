"""Folds text so that the ways people write one name compare equal."""

import re
import unicodedata

_IGNORED = ("Cf", "Mn", "Me")
"""Zero-width and bidirectional controls, soft hyphens, accents, variation selectors."""


class _Table(dict[int, int | None]):
    """A translation table that looks each character up once (a character class is 30x slower)."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code)) in _IGNORED else code
        self[code] = kept
        return kept


_TABLE = _Table()


def fold(text: str) -> str:
    """Fold case, accents, compatibility forms (NFKC) and white space.

    >>> fold("TÓKO\\u200braya   \\U0001d4e3oko")
    'tokoraya toko'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.casefold())
        text = unicodedata.normalize("NFC", text.translate(_TABLE))
    return " ".join(text.lower().split())


def slug(text: str) -> str:
    """Return a brand's name as a key of the configuration: folded, words joined by hyphens.

    >>> slug("US Airways")
    'us-airways'
    """
    return re.sub(r"[^a-z0-9_]+", "-", fold(text)).strip("-_")
