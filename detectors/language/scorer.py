"""Scores of a text in a few microseconds: what `features.gather` and the tables say, memoised.

Each distinct token is compiled once to packed sums (see `packed`); a mention then costs one
dictionary look-up and one integer addition a token, and the same for each pair of neighbours.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.language import features
from detectors.language.features import PART_VALUE, Piece, Side, pair_place
from detectors.language.linear import Table
from detectors.language.packed import ONE, pack, unpack
from detectors.language.tokens import split

MEMO_MOST: Final = 30_000
"""Distinct tokens kept compiled (about 0.8 kB each); beyond it the memo starts afresh."""
PAIRS_MOST: Final = 100_000

_PART_SQUARED: Final = round(PART_VALUE**2 * 100)
"""Squared length of a part in hundredths, so that lengths stay whole numbers."""

piece = lru_cache(maxsize=MEMO_MOST)(features.piece)
"""Compiled tokens hold no weights: one memo serves all models of a process."""

Extra = Callable[[tuple[str, ...]], Sequence[int]]
"""Whole points for the words of a token or pair (rules), in `ONE`s, not scaled by length."""

_Entry = tuple[int, int, int, int, int, int, int, bool, bool]


class Scorer:
    """Sums of several tables, and of rules, over one text.

    Parameters
    ----------
    tables
        Their outputs come one after another in the sums; scaled to unit length by the caller.
    rules, pair_rules
        Points that the words of a token, or two neighbouring words (by code), add; `rule_fields`
        values each, after the tables' outputs.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        rules: Extra | None = None,
        pair_rules: Mapping[int, Sequence[int]] | None = None,
        rule_fields: int = 0,
    ) -> None:
        self.tables = tables
        self.rules = rules
        self.pair_rules: Mapping[int, Sequence[int]] = pair_rules or {}
        self.rule_fields = rule_fields
        self.fields = 1 + sum(t.outputs for t in tables) + rule_fields
        self._entries: dict[str, _Entry | None] = _Memo(self._compile)
        self._pairs: dict[int, int] = _Memo(self._pair)
        self._places: dict[int, int] = _Memo(self._place)

    def forget(self) -> None:
        """Call when a table has changed."""
        if self._entries:
            self._entries.clear()
        if self._pairs:
            self._pairs.clear()
        if self._places:
            self._places.clear()

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

    def sums_of(self, raws: Sequence[str]) -> tuple[Sequence[int], float]:
        """As `sums`, of a text that is already split."""
        entries = self._entries
        pairs = self._pairs
        start = features.START
        total = tail = 0
        before = start
        reach = n = 0
        seen_but = asks = False
        for raw in raws:
            entry = entries[raw]
            if entry is None:
                continue
            n += 1
            plain, turned, plain_tail, turned_tail, first, last, new_reach, but, asks = entry
            total += turned if reach else plain
            if first != start:
                total += pairs[before << 32 | first]
            before = last
            if but:
                seen_but = True
                tail = 0
            if seen_but:
                tail += turned_tail if reach else plain_tail
            if new_reach >= 0:
                reach = new_reach
            elif reach:
                reach -= 1
        total += tail
        if asks:
            total += self._places[features.ASKS]
        total += self._places[features.length_place(n)]
        fields = unpack(total, self.fields)
        if len(entries) > MEMO_MOST or len(pairs) > PAIRS_MOST:
            self.forget()
        return fields[1:], (fields[0] / 100.0) ** 0.5

    def voices(self, raws: Sequence[str]) -> Iterator[tuple[str, Sequence[int]]]:
        """What each token adds to the sums, its pair with the token before included.

        Yields
        ------
        raw, values
            The values as in `sums`, without a "but" clause's extra weight.
        """
        before = features.START
        reach = 0
        for raw in raws:
            p = piece(raw)
            entry = self._entries[raw]
            if entry is None:
                continue
            total = entry[1] if reach else entry[0]
            if p.first != features.START:
                total += self._pairs[before << 32 | p.first]
            before = p.last
            if p.reach is not None:
                reach = p.reach
            elif reach:
                reach -= 1
            yield raw, unpack(total, self.fields)[1:]

    def _sum(self, side_ones: Sequence[int], side_parts: Sequence[int]) -> list[int]:
        fields = [100 * len(side_ones) + _PART_SQUARED * len(side_parts)]
        places = np.array([*side_ones, *side_parts], dtype=np.int64)
        values = np.full((len(places), 1), float(ONE))
        values[len(side_ones) :] = PART_VALUE * ONE
        for table in self.tables:
            products = np.rint(table.weights[table.rows(places)] * values)
            fields.extend(int(v) for v in products.sum(axis=0))
        return fields

    def _compile(self, raw: str) -> _Entry | None:
        p: Piece = piece(raw)
        if not p.words:
            return None
        points = list(self.rules(p.words)) if self.rules else []

        def whole(side: Side) -> int:
            return pack(self._sum(side.ones, side.parts) + points)

        return (
            whole(p.plain),
            whole(p.turned),
            pack(self._sum(p.plain.tail, ())),
            pack(self._sum(p.turned.tail, ())),
            p.first,
            p.last,
            -1 if p.reach is None else p.reach,
            p.but,
            p.asks,
        )

    def _pair(self, key: int) -> int:
        sums = self._sum((pair_place(key >> 32, key & 0xFFFFFFFF),), ())
        sums.extend(self.pair_rules.get(key, ()))
        return pack(sums)

    def _place(self, place: int) -> int:
        return pack(self._sum((place,), ()))


class _Memo(dict):  # type: ignore[type-arg]  # keys and values differ by use; typed at its attributes
    """A dictionary that computes what it lacks, at the speed of a plain look-up when it has it."""

    def __init__(self, compute: Callable[..., object]) -> None:
        self.compute = compute

    def __missing__(self, key: object) -> object:
        value = self[key] = self.compute(key)
        return value
