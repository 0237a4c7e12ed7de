"""Text to raw tokens, and raw tokens to the words they mean.

Tokens are Zipf-distributed: everything slow (slang, elongation, affixes) happens in `meaning`,
once a distinct token, and callers memoise it. `split` is all that each mention pays for.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

READ_LIMIT: Final = 2_000
"""Characters read of a text: a longer one has said what it thinks by then (SmSA's longest: 560)."""

_TOKEN = re.compile(
    r"(?:https?://|www\.)\S+"
    r"|[@#]\w+"
    r"|[a-zà-ÿ]+(?:['’\-][a-zà-ÿ]+)*\d?"
    r"|[:;=]['\-]?[)(dp/@|]|[)(]:|<3|\^_?\^|-_-|>:\("
    r"|\d[\d.,:]*"
    r"|[!?]+|\.\.+|[.,;\n]"
    r"|[☀-➿⬀-⯿\U0001f000-\U0001faff♥️]"
    r"|[^\W\d_a-zà-ÿ]+"
)
_LONG_REPEAT = re.compile(r"(.)\1{2,}")
_SHORT_REPEAT = re.compile(r"([^aeiou\W])\1+$")

BREAKS: Final = frozenset({".", ",", ";", "\n", "...", "..", "!", "?"})
"""Tokens that end a clause, and with it the reach of a negation."""

_ENCLITICS: Final = ("nya", "lah", "kah", "ku", "mu")


def split(text: str) -> list[str]:
    """Raw lower-case tokens of the first `READ_LIMIT` characters, at C speed."""
    return _TOKEN.findall(text[:READ_LIMIT].lower())


@cache
def slang() -> dict[str, tuple[str, ...]]:
    """Typed form to the words it stands for, from `words/slang.txt`."""
    table: dict[str, tuple[str, ...]] = {}
    for line in _lines("slang.txt"):
        typed, _, meant = line.partition(" = ")
        for form in typed.split():
            table[form] = tuple(meant.split())
    return table


@cache
def lexicon() -> dict[str, tuple[str, ...]]:
    """Word to its classes (`pos`, `neg`, `problem`, `ask`, ...), from `words/lexicon.txt`."""
    table: dict[str, tuple[str, ...]] = {}
    kind = ""
    for line in _lines("lexicon.txt"):
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1]
            continue
        for word in line.split():
            if kind not in table.get(word, ()):
                table[word] = (*table.get(word, ()), kind)
    return table


def _lines(name: str) -> list[str]:
    text = files("detectors.language.words").joinpath(name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and line[:2] != "# "]


def meaning(raw: str) -> tuple[str, ...]:
    """Words that a raw token stands for; () for what carries nothing.

    >>> meaning("gabisa"), meaning("bagusss"), meaning("barangnya"), meaning("enak-enak")
    (('tidak', 'bisa'), ('bagus',), ('barang',), ('enak',))
    """
    first = raw[0]
    if first == "@":
        return ("<user>",)
    if first == "#":
        return _word(raw[1:])
    if raw.startswith(("http://", "https://", "www.")):
        return ("<url>",)
    if first.isdigit():
        digits = raw.rstrip(".,:")
        return (digits,) if len(digits) == 1 else ("<num>",)
    if first in "!?":
        return ("?",) if "?" in raw else ("!",)
    if raw == "\ufe0f" or raw == "nya":
        return ()
    if first == ".":
        return ("...",) if len(raw) > 1 else (".",)
    return _word(raw)


def _word(raw: str) -> tuple[str, ...]:
    known = slang()
    if raw in known:
        return known[raw]
    if raw in lexicon():
        return (raw,)
    word = raw.replace("’", "'")
    if word[-1].isdigit():
        word = word[:-1] or word
    left, dash, right = word.partition("-")
    if dash and left == right:
        word = left
    if _LONG_REPEAT.search(word):
        double = _LONG_REPEAT.sub(r"\1\1", word)
        word = double if double in lexicon() or double in known else _LONG_REPEAT.sub(r"\1", word)
    if word in known:
        return known[word]
    if word in lexicon():
        return (word,)
    shorter = _SHORT_REPEAT.sub(r"\1", word)
    if shorter in known or shorter in lexicon():
        return known.get(shorter, (shorter,))
    if len(word) > 5 and word.endswith("nya"):
        base = word[:-3]
        return known.get(base, (base,))
    return (word,)


def stems(word: str) -> list[str]:
    """The word and what is left of it without Indonesian affixes, likeliest first.

    A light stemmer for dictionary look-ups only: wrong stems are harmless as they match nothing.
    """
    found = [word]
    ends = [word]
    for tail in (*_ENCLITICS, "kan", "an", "i", "in"):
        if word.endswith(tail) and len(word) - len(tail) >= 4:
            ends.append(word[: -len(tail)])
    for end in ends:
        found.append(end)
        for head, put in _PREFIXES:
            if end.startswith(head) and len(end) - len(head) >= 3:
                found.append(put + end[len(head) :])
    return found


_PREFIXES: Final = (
    ("menge", ""),
    ("meng", ""),
    ("meng", "k"),
    ("meny", "s"),
    ("men", "t"),
    ("men", ""),
    ("mem", "p"),
    ("mem", ""),
    ("me", ""),
    ("di", ""),
    ("ter", ""),
    ("ber", ""),
    ("se", ""),
    ("ke", ""),
    ("peng", ""),
    ("pem", "p"),
    ("pen", "t"),
    ("pe", ""),
    ("nge", ""),
    ("ng", ""),
    ("ny", "s"),
    ("un", ""),
)
