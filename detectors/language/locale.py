"""The language of a mention, from its most frequent small words: cheap, and honest when unsure."""

from collections.abc import Sequence
from itertools import repeat
from typing import Final

from detectors.language.tokens import sections

LANGUAGES: Final = ("id", "en", "jv", "su", "min")
_FIELD: Final = 12
"""Bits a language in a packed vote: 60 tokens at 2 votes need 7."""
_READ: Final = 60
_HINT: Final = 1.5
"""Votes of the source's own word: less than a telling word (2), more than an ambiguous one (1)."""
_ALIAS: Final = {"in": "id", "ind": "id", "eng": "en", "jav": "jv", "sun": "su"}


def _votes() -> dict[str, int]:
    """Packed votes of the tokens that tell."""
    found: dict[str, list[int]] = {}
    for word, codes in sections("languages.txt").items():
        found[word] = [LANGUAGES.index(code) for code in codes]
    return {w: sum((2 if len(at) == 1 else 1) << p * _FIELD for p in at) for w, at in found.items()}


_vote: Final = _votes().get
_NONE: Final = repeat(0)


def language(raws: Sequence[str], hint: str = "") -> str:
    """Language code of a split text; "" when its words do not tell.

    Parameters
    ----------
    raws
        Tokens of `tokens.split`; the first 60 are read.
    hint
        What the source says ("id", "en-US", "und"): decides ties and texts without known words.
    """
    total = sum(map(_vote, raws if len(raws) <= _READ else raws[:_READ], _NONE))
    if not total and not hint:
        return ""
    mask = (1 << _FIELD) - 1
    counts: list[float] = [total >> place * _FIELD & mask for place in range(len(LANGUAGES))]
    if hint:
        code = hint[:3].lower().rstrip("-_")
        code = _ALIAS.get(code, code)
        if code in LANGUAGES:
            counts[LANGUAGES.index(code)] += _HINT
    best = max(counts)
    return LANGUAGES[counts.index(best)] if best else ""
