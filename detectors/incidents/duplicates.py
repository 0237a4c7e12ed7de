"""Near-duplicates: texts that repeat one another almost word by word (copies, reposts, scripts)."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from detectors.incidents.bucket import Kept
from detectors.language.tokens import split

SIMILAR = 0.75
"""Jaccard similarity of the words: one word in seven may differ."""
LEAST_WORDS = 4
"""Shorter texts ("rusak terus") repeat by chance."""
NAME_LENGTH = 60


class Cluster(NamedTuple):
    """Texts like the first of them. `share` is their part of the sample's weight."""

    name: str
    members: tuple[Kept, ...]
    share: float


def clusters(sample: Sequence[Kept]) -> tuple[Cluster, ...]:
    """Group a sample in the order of time, the largest group first.

    Each text joins the first group whose first text it resembles. Only groups that share one of
    its rarest words are compared: who shares none of those lacks too many of its words (prefix
    filtering; Chaudhuri, Ganti and Kaushik, ICDE 2006).
    """
    total = sum(kept.weight for kept in sample)
    groups: list[tuple[frozenset[str], list[Kept]]] = []
    holding: dict[str, list[int]] = {}
    """Groups whose first text holds a word, in their order."""
    for kept in sorted(sample, key=lambda k: (k.mention.at_s, k.mention.id)):
        words = _words(kept.mention.text)
        for n in _candidates(words, holding):
            leader, members = groups[n]
            if _similar(leader, words):
                members.append(kept)
                break
        else:
            for word in words:
                holding.setdefault(word, []).append(len(groups))
            groups.append((words, [kept]))
    found = [
        Cluster(
            members[0].mention.text[:NAME_LENGTH],
            tuple(members),
            sum(k.weight for k in members) / total,
        )
        for _, members in groups
    ]
    found.sort(key=lambda c: (-c.share, c.name))
    return tuple(found)


def _candidates(words: frozenset[str], holding: Mapping[str, list[int]]) -> list[int]:
    """Groups that may resemble a text of these words, in their order."""
    if len(words) < LEAST_WORDS:
        return []
    # Similar texts have at least SIMILAR of either one's words in common.
    lacking = len(words) - math.ceil(SIMILAR * len(words))
    known = sorted((holding.get(word, []) for word in words), key=len)
    return sorted(set().union(*known[: lacking + 1]))


@lru_cache(maxsize=1_000)  # the sample of an open incident is explained again every few minutes
def _words(text: str) -> frozenset[str]:
    """Words without what scripts vary: links, names, numbers, punctuation."""
    return frozenset(
        token
        for token in split(text)
        if len(token) > 1 and (token[0].isalpha() or token[0] == "#") and "://" not in token
    )


def _similar(a: frozenset[str], b: frozenset[str]) -> bool:
    if len(a) < LEAST_WORDS or len(b) < LEAST_WORDS:
        return False
    if min(len(a), len(b)) < SIMILAR * max(len(a), len(b)):
        return False
    common = len(a & b)
    return common >= SIMILAR * (len(a) + len(b) - common)
