"""From what a River model is given to places and values of features."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from detectors.language import features
from detectors.language.linear import Places, Values
from detectors.language.scorer import piece
from detectors.language.tokens import split


def read_tokens(raws: Iterable[str]) -> tuple[Places, Values]:
    """Features of a text that is already split."""
    return features.gather(map(piece, raws))


def read(x: str | Mapping[Any, Any]) -> tuple[Places, Values]:
    """Features of a text, or of a dictionary (strings one-hot, numbers by value)."""
    if isinstance(x, str):
        return read_tokens(split(x))
    pairs: list[tuple[int, float]] = [(features.length_place(0), 1.0)]
    for name, value in x.items():
        if isinstance(value, (int, float, np.number)) and math.isfinite(value):
            pairs.append((features.place(f"x {name}"), float(value)))
        else:
            pairs.append((features.place(f"x {name}={value}"), 1.0))
    pairs.sort()  # the order of a dictionary's keys must not matter
    values = np.array([v for _, v in pairs])
    return (
        np.array([p for p, _ in pairs], dtype=np.int64),
        values / max(1.0, math.sqrt(math.fsum(v * v for _, v in pairs))),
    )
