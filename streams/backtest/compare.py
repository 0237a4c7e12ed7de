"""Two configurations over the same history: which pages come, go, or move."""

from typing import NamedTuple

from streams.backtest.labels import paged_at_s
from streams.backtest.result import BrandResult, Case, Result

SLACK_S = 1800
"""Incidents that are no further apart are told about the same thing."""


class Pair(NamedTuple):
    """What one configuration and the other made of the same time; None: no page."""

    brand: str
    first: Case | None
    second: Case | None

    @property
    def sooner_s(self) -> float | None:
        """How much sooner the second pages; None if only one does."""
        if self.first is None or self.second is None:
            return None
        return paged_at_s(self.first) - paged_at_s(self.second)

    @property
    def at_s(self) -> float:
        """When the earlier of the two paged."""
        return min(paged_at_s(case) for case in (self.first, self.second) if case is not None)


def compare(first: Result, second: Result) -> list[Pair]:
    """Pair the paged incidents of two results, brand by brand, in the order of time."""
    ours = {b.brand: b for b in first.brands}
    theirs = {b.brand: b for b in second.brands}
    pairs: list[Pair] = []
    for brand in sorted({*ours, *theirs}):
        none = BrandResult(brand)
        pairs += _pairs(brand, ours.get(brand, none).paged, theirs.get(brand, none).paged)
    return sorted(pairs, key=lambda p: (p.at_s, p.brand))


def _pairs(brand: str, first: list[Case], second: list[Case]) -> list[Pair]:
    left = list(second)
    pairs: list[Pair] = []
    for case in first:
        mate = next((c for c in left if _overlap(case, c)), None)
        if mate is not None:
            left.remove(mate)
        pairs.append(Pair(brand, case, mate))
    return pairs + [Pair(brand, None, case) for case in left]


def _overlap(a: Case, b: Case) -> bool:
    return a.onset_s <= b.end_s + SLACK_S and b.onset_s <= a.end_s + SLACK_S
