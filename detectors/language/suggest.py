"""Which mentions a person should label next: uncertain, frequent and unlike each other."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from detectors.language.scorer import piece
from detectors.language.tokens import split
from detectors.language.understanding import Language, Sentiment

REACH: Final = 0.6
"""How much of a mention's worth is lost when all its words stand in mentions already chosen."""


class Suggestion(msgspec.Struct, frozen=True):
    """A mention whose label teaches much, and why."""

    id: str
    text: str
    sentiment: Sentiment
    """What the model thinks now."""
    uncertainty: float
    """0 (sure) to 1 (all sentiments alike likely)."""
    copies: int
    """Mentions with the same words."""


def words_of(text: str) -> frozenset[str]:
    """Distinct words with a meaning of their own, marks and numbers left out."""
    return frozenset(
        word for raw in split(text) for word in piece(raw).words if len(word) > 2 and word[0] != "<"
    )


def suggest(model: Language, mentions: Iterable[tuple[str, str]], most: int) -> list[Suggestion]:
    """The mentions to label, best first.

    Worth is entropy times the logarithm of the number of copies; each choice lowers the worth of
    what shares its words, so that ten versions of one complaint are asked once.

    Parameters
    ----------
    mentions
        (id, text); ids already labelled are the caller's to leave out.
    most
        Length of the answer.
    """
    groups: dict[frozenset[str], list[tuple[str, str]]] = {}
    for identity, text in mentions:
        groups.setdefault(words_of(text), []).append((identity, text))
    candidates: list[tuple[float, frozenset[str], Suggestion]] = []
    for words, members in groups.items():
        identity, text = min(members)
        understood = model.understand(text)
        uncertainty = entropy(understood.probabilities)
        worth = uncertainty * (1.0 + math.log(len(members)))
        candidates.append(
            (
                worth,
                words,
                Suggestion(identity, text, understood.sentiment, uncertainty, len(members)),
            )
        )
    candidates.sort(key=lambda c: (-c[0], c[2].id))
    return _diverse(candidates, most)


def _diverse(
    candidates: Sequence[tuple[float, frozenset[str], Suggestion]], most: int
) -> list[Suggestion]:
    """Greedy choice; only the best few times `most` are weighed, the rest are sure anyway."""
    pool = list(candidates[: most * 4])
    covered: set[str] = set()
    chosen: list[Suggestion] = []
    while pool and len(chosen) < most:
        at = max(range(len(pool)), key=lambda i: _fresh_worth(pool[i], covered))
        _, words, suggestion = pool.pop(at)
        covered |= words
        chosen.append(suggestion)
    return chosen


def _fresh_worth(candidate: tuple[float, frozenset[str], Suggestion], covered: set[str]) -> float:
    worth, words, _ = candidate
    known = len(words & covered) / len(words) if words else 1.0
    return worth * (1.0 - REACH * known)


def entropy(probabilities: Sequence[float]) -> float:
    """Entropy in units of its greatest value: 0 sure, 1 all alike."""
    return -sum(p * math.log(p) for p in probabilities if p > 0.0) / math.log(len(probabilities))
