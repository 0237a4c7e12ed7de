"""Text to raw tokens, and raw tokens to the words they mean.

Tokens are Zipf-distributed: everything slow (slang, elongation, affixes) happens in `meaning`,
once a distinct token, and callers memoise it. `split` is all that each mention pays for.
"""

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from unicodedata import category

READ_LIMIT: Final = 2_000
"""Characters read of a text: a longer one has said what it thinks by then (SmSA's longest: 560)."""

_TOKEN = re.compile(
    r"https?://\S+|www\.\S+"
    r"|[@#]\w+"
    r"|\d[\d.,:]*"
    r"|[^\W\d_][\w'’\-]*"
    r"|[:;=]['\-]?[dp)(/|@]+|<3|\^_*\^|-_+-|>_+<|>:\("
    r"|[^\w\s@#]+"
    r"|\n"
)
_LONG_REPEAT = re.compile(r"(.)\1{2,}")
_SHORT_REPEAT = re.compile(r"([^aeiou\W])\1+$")

EMOJI_MOST: Final = 2

BREAKS: Final = frozenset({".", "...", "!", "?"})
"""Tokens that end a clause, and with it the reach of a negation."""

_SUFFIXES: Final = ("nya", "lah", "kah", "ku", "mu", "kan", "an", "i", "in")


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
    return sections("lexicon.txt")


def sections(name: str) -> dict[str, tuple[str, ...]]:
    """Word to the [sections] of a file under `words/` that list it."""
    table: dict[str, tuple[str, ...]] = {}
    kind = ""
    for line in _lines(name):
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1]
            continue
        for word in line.split():
            if kind not in table.get(word, ()):
                table[word] = (*table.get(word, ()), kind)
    return table


def word_list(name: str) -> list[str]:
    """The words of a file under `words/`."""
    return [word for line in _lines(name) for word in line.split()]


def _lines(name: str) -> list[str]:
    text = files("detectors.language.words").joinpath(name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and line[:2] != "# "]


@lru_cache(maxsize=16_000)
def meaning(raw: str) -> tuple[str, ...]:
    """Words that a raw token stands for; () for what carries nothing.

    >>> meaning("gabisa"), meaning("bagusss"), meaning("barangnya"), meaning("enak-enak")
    (('tidak', 'bisa'), ('bagus',), ('barang',), ('enak',))
    >>> meaning("?!"), meaning("😡😡😡"), meaning("10.000")
    (('?',), ('😡', '😡'), ('<num>',))
    """
    first = raw[0]
    if first == "@":
        return ("<user>",)
    if first == "#":
        return _word(raw[1:].strip("_") or "#")
    if raw.startswith(("http://", "https://", "www.")):
        return ("<url>",)
    if first.isdigit():
        digits = raw.rstrip(".,:")
        return (digits,) if len(digits) == 1 else ("<num>",)
    if first.isalpha():
        return () if raw == "nya" else _word(raw)
    return _marks(raw)


def _marks(raw: str) -> tuple[str, ...]:
    """Punctuation, emoticons and emoji; of a run of emoji the first two."""
    if raw in lexicon():
        return (raw,)
    if "?" in raw:
        return ("?",)
    if "!" in raw:
        return ("!",)
    if ".." in raw or "…" in raw:
        return ("...",)
    feelings = [c for c in raw if category(c) == "So"]  # emoji; skin tones are Sk, joiners Cf
    if feelings:
        return tuple(feelings[:EMOJI_MOST])
    return (".",) if raw[0] in ".,;\n" else ()


def _word(raw: str) -> tuple[str, ...]:
    known = slang()
    if raw in known:
        return known[raw]
    if raw in lexicon():
        return (raw,)
    word = raw.replace("’", "'").strip("'-_") or raw
    if word in known:
        return known[word]
    if word[-1].isdigit():
        word = word[:-1] or word
    left, dash, right = word.partition("-")
    if dash and right:
        if left == right:
            word = left
        elif word not in lexicon() and right != "nya":
            # "sana-sini", "top-up", "e-wallet": their halves are the words that are known
            return tuple(w for half in word.split("-")[:4] if half for w in meaning(half))
        elif right == "nya":
            word = left
    if len(word) - len(set(word)) > 1 and _LONG_REPEAT.search(word):
        double = _LONG_REPEAT.sub(r"\1\1", word)
        word = double if double in lexicon() or double in known else _LONG_REPEAT.sub(r"\1", word)
    if word in known:
        return known[word]
    if word in lexicon():
        return (word,)
    if word[-1] == word[-2:-1]:
        shorter = _SHORT_REPEAT.sub(r"\1", word)
        if shorter in known or shorter in lexicon():
            return known.get(shorter, (shorter,))
    if len(word) > 5 and word.endswith("nya"):
        base = word[:-3]
        return known.get(base, (base,))
    return (word,)


@lru_cache(maxsize=1_000)
def stems(word: str) -> tuple[str, ...]:
    """The word and what is left of it without Indonesian affixes, likeliest first.

    A light stemmer for dictionary look-ups only: wrong stems are harmless as they match nothing.
    """
    found = [word]
    ends = [word]
    if word.endswith(_SUFFIXES):
        tails = [t for t in _SUFFIXES if word.endswith(t) and len(word) - len(t) >= 4]
        ends += [word[: -len(t)] for t in tails]
    for end in ends:
        found.append(end)
        if not end.startswith(_HEADS):
            continue
        for head, put in _PREFIXES:
            if end.startswith(head) and len(end) - len(head) >= 3:
                found.append(put + end[len(head) :])
    return tuple(found)


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
_HEADS: Final = tuple(head for head, _ in _PREFIXES)
