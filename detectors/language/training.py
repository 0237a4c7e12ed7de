"""From labelled texts to the shipped weights: pure, seeded, one pass."""

import random
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from detectors.language.cases import hard_cases
from detectors.language.linear import Table
from detectors.language.sentiment import SentimentClassifier
from detectors.language.shipped import dump
from detectors.language.understanding import SENTIMENTS, Sentiment

SEED: Final = 20_260
VERSION: Final = "2026.11-1"


class Example(NamedTuple):
    text: str
    sentiment: Sentiment


HARD_REPEATS: Final = 2
"""How often each hard case stands in the training stream: they are few and chosen."""


def ordered(examples: Iterable[Example], seed: int = SEED) -> list[Example]:
    """The examples and the hard cases in a seeded order, whatever order they came in."""
    hard = [Example(c.text, c.sentiment) for c in hard_cases()]
    rows = sorted(set(examples)) + hard * HARD_REPEATS
    random.Random(seed).shuffle(rows)
    return rows


def train(examples: Sequence[Example], variance: float = 3.0) -> SentimentClassifier:
    """One pass of the classifier over the examples in the order given."""
    model = SentimentClassifier(SENTIMENTS, variance)
    for text, sentiment in examples:
        model.learn_one(text, sentiment)
    return model


ORDERS: Final = 5


def train_averaged(examples: Sequence[Example], orders: int = ORDERS) -> SentimentClassifier:
    """The mean of one-pass models over several seeded orders: what ships.

    Averaging takes out what the chance of one order left in the weights.
    """
    models = [train(ordered(examples, SEED + k)) for k in range(orders)]
    mean = models[0]
    mean.table.weights[:] = np.mean([m.table.weights for m in models], axis=0)
    mean.table.variance[:] = np.mean([m.table.variance for m in models], axis=0)
    mean.stale()
    return mean


def weights(table: Table, examples: int) -> bytes:
    """The file that ships."""
    return dump(table, {"version": VERSION, "labels": list(SENTIMENTS), "examples": examples})


class Nearby:
    """Texts that must not be trained on, however they are spaced or punctuated."""

    def __init__(self, texts: Iterable[str], least_overlap: float = 0.5) -> None:
        self.least_overlap = least_overlap
        self._texts = [_words(t) for t in texts]

    def holds(self, text: str) -> bool:
        """Whether one of the texts shares at least half of all distinct words with this one."""
        words = _words(text)
        return any(
            len(words & other) >= self.least_overlap * len(words | other)
            for other in self._texts
            if other
        )


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower())) - {"nya"}
