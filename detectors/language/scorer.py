"""Scores of a text in a few microseconds: what `features.gather` and the tables say, memoised.

Each distinct token is compiled once to packed sums (see `packed`); a mention then costs one
dictionary look-up and one integer addition a token, and the same for each pair of neighbours.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.language import features
from detectors.language.features import (
    POLAR,
    SIGNATURES,
    Piece,
    Side,
    ends_place,
    length_place,
    pair_place,
    turned_side,
)
from detectors.language.linear import Table
from detectors.language.packed import FIELD_BITS, ONE, pack, unpack, unpack_low
from detectors.language.tokens import meaning, split

MEMO_MOST: Final = 30_000
"""Distinct tokens kept compiled (1.3 kB each with their pairs); beyond it the memo starts afresh.
14,485 tweets hold 17,000: when each is read with 12,000 kept, that costs four times as much."""
PAIRS_PER_TOKEN: Final = 3
"""Pairs of neighbours kept, by the tokens kept."""


LEAD_LEAST: Final = round(0.05 * ONE)
"""Weight difference, in `ONE`s, below which a token did not decide anything."""


def piece(raw: str) -> Piece:
    """The compiled token; what means the same (slang, handles, numbers) is compiled once.

    Compiled tokens hold no weights: one memo serves all models of a process.
    """
    return _piece(meaning(raw))


_piece = lru_cache(maxsize=6_000)(features.piece_of)

Extra = Callable[[tuple[str, ...]], Sequence[int]]
"""Whole points for the words of a token or pair (rules), in `ONE`s, not scaled by length."""

_Special = tuple[int, int | None, bool, bool, tuple[int, int]]
"""Sums after a "but" when not negated, new reach of a negation, is a "but", asks, marks."""

_Entry = tuple[int, int, dict[int, int], _Special | None]
"""Sums when not negated, the code of its first word, sums of the pairs with the next token (by the
code of its first word: links and numbers are all one word), and what few tokens have."""


class Scorer:
    """Sums of several tables, and of rules, over one text.

    Parameters
    ----------
    tables
        Their outputs come one after another in the sums; scaled to unit length by the caller.
    rules, pair_rules
        Points that the words of a token, or two neighbouring words (by code), add; `rule_fields`
        values each, after the tables' outputs.
    memo_tokens
        Distinct tokens kept compiled.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        rules: Extra | None = None,
        pair_rules: Mapping[int, Sequence[int]] | None = None,
        rule_fields: int = 0,
        memo_tokens: int = MEMO_MOST,
    ) -> None:
        self._memo_most = memo_tokens
        self._pairs_most = memo_tokens * PAIRS_PER_TOKEN
        self.tables = tables
        self.rules = rules
        self.pair_rules: Mapping[int, Sequence[int]] = pair_rules or {}
        self.rule_fields = rule_fields
        self.fields = 1 + sum(t.outputs for t in tables) + rule_fields
        self._rules_at = (self.fields - rule_fields) * FIELD_BITS
        self._entries: dict[str, _Entry | None] = _Memo(self._compile)
        self._turned: dict[str, tuple[int, int]] = _Memo(self._compile_turned)
        self._places: dict[int, int] = _Memo(self._place)
        self._by_words: dict[tuple[str, ...], _Entry] = {}
        self._leads: dict[int, tuple[int, ...] | None] = _Memo(self._lead)
        self._following: dict[int, dict[int, int]] = {}
        self._pairs = 0

    def forget(self) -> None:
        """Call when a table has changed."""
        if self._entries:
            self._entries.clear()
            self._turned.clear()
            self._by_words.clear()
            self._leads.clear()
            self._following.clear()
            self._pairs = 0
        if self._places:
            self._places.clear()

    def _forget_pairs(self) -> None:
        # In place: the compiled tokens hold these dictionaries.
        for following in self._following.values():
            following.clear()
        self._pairs = 0

    def sums(self, text: str) -> tuple[Sequence[int], float]:
        """Fixed-point sums and the text's length.

        Returns
        -------
        sums
            The tables' outputs (divide by `ONE` and by the length), then the rules' points
            (divide by `ONE`).
        length
            Euclidean length of the text's features, at least 1.
        """
        return self.sums_of(split(text))

    def sums_of(
        self, raws: Sequence[str], each: list[int] | None = None
    ) -> tuple[Sequence[int], float]:
        """As `sums`, of a text that is already split.

        Parameters
        ----------
        each
            An empty list that takes each token's own sums, its pair with the one before included
            (for `leads`).
        """
        said = [] if each is None else each
        say = said.append
        entries = self._entries
        turned = self._turned
        tail = reach = n = seen = first_polar = last_polar = 0
        before = self._after(features.START)
        seen_but = asks = False
        for raw in raws:
            entry = entries[raw]
            if entry is None:
                say(0)
                continue
            n += 1
            plain, first, following, special = entry
            say((turned[raw][0] if reach else plain) + before[first])
            before = following
            if special is None:
                if reach:
                    reach -= 1
                if asks:
                    asks = False
                continue
            plain_tail, new_reach, but, asks, marks = special
            if but:
                seen_but = True
                tail = 0
            if seen_but:
                tail += turned[raw][1] if reach else plain_tail
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
        total = sum(said)
        places = self._places
        if seen_but:
            total += tail
        if asks:
            total += places[features.ASKS]
        total += places[length_place(n)] + places[SIGNATURES[seen]]
        if first_polar:
            total += places[ends_place(first_polar, last_polar)]
        fields = unpack(total, self.fields)
        if len(entries) > self._memo_most:
            self.forget()
        elif self._pairs > self._pairs_most:
            self._forget_pairs()
        return fields[1:], (fields[0] / 100.0) ** 0.5

    def leads(self, raws: Sequence[str], each: Sequence[int], output: int) -> dict[str, int]:
        """By how much each token speaks for an output of the first table over the best other one.

        What a "but" clause weighs more is not included; tokens below `LEAD_LEAST` are left out.

        Parameters
        ----------
        each
            The tokens' own sums, from `sums_of`.
        """
        found: dict[str, int] = {}
        known = self._leads
        if len(known) > self._pairs_most:
            known.clear()
        for raw, total in zip(raws, each, strict=True):
            leads = known[total]
            if leads is not None and leads[output] >= LEAD_LEAST:
                found[raw] = found.get(raw, 0) + leads[output]
        return found

    def _lead(self, total: int) -> tuple[int, ...] | None:
        """For each output of the first table, its sum less the largest other one.

        None if no output leads: most tokens decide nothing.
        """
        values = unpack_low(total, 1 + self.tables[0].outputs)[1:]
        *_, second, best = sorted(values)
        if best - second < LEAD_LEAST:
            return None
        return tuple(v - (second if v == best else best) for v in values)

    def _sum(self, side: Side) -> list[int]:
        fields = [round(side.squared * 100)]
        scaled = (side.values * ONE)[:, None]
        for table in self.tables:
            if table.taught:
                products = table.weights.take(table.rows(side.places), axis=0) * scaled
                fields.extend(map(int, np.rint(products).sum(axis=0).tolist()))
            else:
                fields.extend([0] * table.outputs)
        return fields

    def _place(self, place: int) -> int:
        """As `_sum`, packed, of one place of value 1."""
        total = _BARE
        shift = FIELD_BITS
        for table in self.tables:
            weights = table.weights
            if table.taught:
                at = shift
                for weight in weights[place & table.mask].tolist():
                    if weight:
                        total += round(weight * ONE) << at
                    at += FIELD_BITS
            shift += weights.shape[1] * FIELD_BITS
        return total

    def _compile(self, raw: str) -> _Entry | None:
        words = meaning(raw)
        if not words:
            return None
        known = self._by_words.get(words)
        if known is None:
            known = self._by_words[words] = self._compile_words(words)
        return known

    def _compile_words(self, words: tuple[str, ...]) -> _Entry:
        p: Piece = _piece(words)
        special: _Special | None = None
        if len(p.plain.tail) or p.reach is not None or any(p.marks):
            special = (self._tail(p.plain), p.reach, p.but, p.asks, p.marks)
        return self._whole(p.plain, p.words), p.first, self._after(p.last), special

    def _compile_turned(self, raw: str) -> tuple[int, int]:
        """Sums of a token under a negation, and those that count after a "but"."""
        words = piece(raw).words
        side = turned_side(words)
        return self._whole(side, words), self._tail(side)

    def _whole(self, side: Side, words: tuple[str, ...]) -> int:
        fields = self._sum(side)
        if self.rules:
            fields.extend(self.rules(words))
        return pack(fields)

    def _tail(self, side: Side) -> int:
        return sum(self._places[place] for place in side.tail.tolist())

    def _after(self, word: int) -> dict[int, int]:
        """Sums of the pairs that start with a word, by the word that follows (both by code)."""
        found = self._following.get(word)
        if found is None:
            found = self._following[word] = _Memo(lambda first: self._pair(word, first))
        return found

    def _pair(self, word: int, first: int) -> int:
        if first == features.START:
            return 0
        self._pairs += 1
        single = self._place(pair_place(word, first))
        points = self.pair_rules.get(word << 32 | first)
        return single if points is None else single + (pack(points) << self._rules_at)


_BARE: Final = pack([100])
"""A place that no table gives a weight: it only adds to the length."""


class _Memo(dict):  # type: ignore[type-arg]  # keys and values differ by use; typed at its attributes
    """A dictionary that computes what it lacks, at the speed of a plain look-up when it has it."""

    def __init__(self, compute: Callable[..., object]) -> None:
        self.compute = compute

    def __missing__(self, key: object) -> object:
        value = self[key] = self.compute(key)
        return value
