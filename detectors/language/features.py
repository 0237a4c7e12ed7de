"""What a text is made of, for the linear models: words in context, parts of words, known words.

A feature is a place in a hashed table (CRC-32: the same on every machine). Kinds of keys:
`w` word, `n` word under a negation, `c`/`k` part of a word (plain, negated), `l`/`m` class of the
word in the lexicon (plain, negated), `a` such a class after the last "but", `d` the whole text;
pairs of neighbouring words are hashed from the two words' own codes.
"""

import math
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from detectors.language.tokens import BREAKS, lexicon, meaning, stems

BITS: Final = 18
SPACE: Final = 1 << BITS
MASK: Final = SPACE - 1
PART_VALUE: Final = 0.2
"""Parts of words are many and overlap: each counts less than a word (measured on SmSA valid)."""
NEGATION_REACH: Final = 3
"""Words after a negator that it turns; a clause break ends it earlier."""
PAIR_FACTOR: Final = 0x9E3779B1
START: Final = crc32(b"^")
"""Code of "no word before", at the start and after a clause break."""

_PART_SIZES: Final = (3, 4, 5)
_PARTS_MOST: Final = 24
CLAUSE_MARKS: Final = frozenset({"."})


class Side(NamedTuple):
    """A token's features in one state (plain or under a negation)."""

    places: NDArray[np.int64]
    """Rows of the tables: words, classes and pairs inside the token, then parts of words."""
    values: NDArray[np.float64]
    """1, and `PART_VALUE` for parts."""
    squared: float
    """Sum of the squared values."""
    tail: NDArray[np.int64]
    """Places of value 1 that count only after a "but"."""


class Piece(NamedTuple):
    """Everything that one raw token contributes, computed once a distinct token."""

    plain: Side
    """Its features when no negation reaches it; `turned_side(words)` has the others."""
    first: int
    """Code of the token's first word, for the pair with the word before."""
    last: int
    reach: int | None
    """None lets a running negation run on; a number sets how many more tokens it turns."""
    but: bool
    asks: bool
    marks: tuple[int, int]
    """Bits of the feelings in it, plain and under a negation (see `MARKS`)."""
    words: tuple[str, ...]
    """Empty for a token that carries nothing: it is skipped."""


def place(key: str) -> int:
    """Place of a feature in the weight table."""
    return crc32(key.encode("utf-8", "surrogatepass")) & MASK


def pair_place(left: int, right: int) -> int:
    """Place of two neighbouring words, by their codes."""
    return (left * PAIR_FACTOR + right) & MASK


def length_place(pieces: int) -> int:
    """Place of the text's length class (powers of two); every text has one: it is the bias."""
    return _LENGTHS[min(pieces.bit_length(), 7)]


_LENGTHS: Final = tuple(place(f"d length {i}") for i in range(8))
ASKS: Final = place("d asks")


MARKS: Final = ("pos", "neg", "problem", "thanks", "ask", "but", "news")
"""Classes whose meeting in one text says more than their sum: thanks and a problem is sarcasm."""
_TURN: Final = len(MARKS)
POLAR: Final = 0b111 | 0b111 << _TURN
"""Bits that take a side, plain and negated."""
_KINDS: Final = 1 << (_TURN + 3)


SIGNATURES: Final = tuple(place(f"d marks {m}") for m in range(_KINDS))
"""Places of every combination of marks that a text can hold."""


def mark(kinds: Iterable[str], *, turned: bool) -> int:
    """Bits of a word's classes; polar classes under a negation have bits of their own."""
    bits = 0
    for kind in kinds:
        if kind in MARKS:
            at = MARKS.index(kind)
            bits |= 1 << (at + _TURN if turned and at < 3 else at)
    return bits


@cache
def ends_place(first: int, last: int) -> int:
    """Place of the order of feelings: the first polar token's bits and the last one's."""
    return place(f"d ends {first} {last}")


@lru_cache(maxsize=16_000)
def classes(word: str) -> tuple[str, ...]:
    """Lexicon classes of a word or of its stem; () for an unknown word."""
    known = lexicon()
    for form in stems(word):
        if form in known:
            return known[form]
    return ()


def parts(word: str) -> list[str]:
    """In-word character 3- to 5-grams with the word's ends marked."""
    if len(word) < 4 or not word[0].isalpha():
        return []
    marked = f"<{word[:40]}>"
    return [marked[i : i + size] for size in _PART_SIZES for i in range(len(marked) - size + 1)][
        :_PARTS_MOST
    ]


def _places(kind: str, keys: Iterable[str]) -> list[int]:
    """As `place` of each key of a kind; a CRC goes on from the kind's own."""
    begun = crc32(kind.encode())
    return [crc32(key.encode("utf-8", "surrogatepass"), begun) & MASK for key in keys]


def _side(words: tuple[str, ...], *, turned: bool) -> Side:
    ones: list[int] = []
    small: list[int] = []
    tail: list[int] = []
    before = 0
    for word in words:
        if word in CLAUSE_MARKS:
            continue
        word_kind, part_kind, class_kind = ("n ", "k ", "m ") if turned else ("w ", "c ", "l ")
        code = _code(word)
        if before:
            ones.append(pair_place(before, code))
        before = code
        kinds = classes(word)
        ones.append(place(word_kind + word))
        small += _places(part_kind, parts(word))
        if kinds:
            ones += _places(class_kind, kinds)
            tail += _places(f"a {class_kind}", kinds)
            turned = turned or "negator" in kinds
    values = np.full(len(ones) + len(small), 1.0)
    values[len(ones) :] = PART_VALUE
    return Side(
        np.array(ones + small, dtype=np.int64),
        values,
        len(ones) + len(small) * PART_VALUE**2,
        np.array(tail, dtype=np.int64),
    )


def _marks(words: tuple[str, ...], *, turned: bool) -> int:
    bits = 0
    for word in words:
        kinds = classes(word)
        bits |= mark(kinds, turned=turned)
        turned = turned or "negator" in kinds
    return bits


def _code(word: str) -> int:
    return START if word in CLAUSE_MARKS else crc32(word.encode("utf-8", "surrogatepass"))


def piece(raw: str) -> Piece:
    """Compile one raw token (see `tokens.split`) to its features."""
    return piece_of(meaning(raw))


def piece_of(words: tuple[str, ...]) -> Piece:
    """As `piece`, from the words that a token stands for."""
    reach: int | None = None
    but = known = False
    for word in words:
        kinds = classes(word)
        known = known or bool(kinds)
        if word in BREAKS:
            reach = 0
        elif "negator" in kinds:
            reach = NEGATION_REACH
        elif reach:
            reach -= 1
        if "but" in kinds:
            but, reach = True, 0
    return Piece(
        _side(words, turned=False),
        _code(words[0]) if words else START,
        _code(words[-1]) if words else START,
        reach,
        but,
        words == ("?",),
        (_marks(words, turned=False), _marks(words, turned=True)) if known else (0, 0),
        words,
    )


@lru_cache(maxsize=4_000)
def turned_side(words: tuple[str, ...]) -> Side:
    """Features of a token's words under a negation: few tokens ever need them."""
    return _side(words, turned=True)


def gather(pieces: Iterable[Piece]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places and values of a text's features: the plain statement of what the models see.

    The values have unit length (each place counted as often as it occurs), so that a long
    complaint and a short one speak with the same voice.

    Returns
    -------
    places, values
        Both of shape (features,); a place may occur several times.
    """
    places: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float64]] = []
    single: list[int] = []
    tail: list[NDArray[np.int64]] = []
    squared = 0.0
    before = START
    reach = n = seen = first_polar = last_polar = 0
    seen_but = asks = False
    for plain, first, last, new_reach, but, asks_here, marks, words in pieces:
        if not words:
            continue
        n += 1
        side_places, side_values, side_squared, side_tail = turned_side(words) if reach else plain
        places.append(side_places)
        values.append(side_values)
        squared += side_squared
        if first != START:
            single.append((before * PAIR_FACTOR + first) & MASK)
        before = last
        if but:
            seen_but = True
            tail = []
        if seen_but:
            tail.append(side_tail)
        here = marks[1 if reach else 0]
        if here:
            seen |= here
            sided = here & POLAR
            if sided:
                last_polar = sided
                first_polar = first_polar or sided
        if new_reach is not None:
            reach = new_reach
        elif reach:
            reach -= 1
        asks = asks_here
    if asks:
        single.append(ASKS)
    single.append(length_place(n))
    single.append(SIGNATURES[seen])
    if first_polar:
        single.append(ends_place(first_polar, last_polar))
    places.extend(tail)
    places.append(np.array(single, dtype=np.int64))
    rest = len(single) + sum(map(len, tail))
    values.append(np.full(rest, 1.0))
    return np.concatenate(places), np.concatenate(values) / math.sqrt(squared + rest)
