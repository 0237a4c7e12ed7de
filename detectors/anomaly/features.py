"""What is counted of one series in one minute: the input of every detector here."""

import math
from typing import Any

import msgspec


class Features(msgspec.Struct, frozen=True):
    """One minute of one series: a brand, or a brand's topic or channel.

    Attributes
    ----------
    mentions
        Mentions in the minute.
    negative
        Negative mass: the sum of the probabilities that a mention is negative; 0..mentions.
    authors
        Distinct authors.
    reach
        People who may have seen the minute's mentions.
    top_reach
        Reach of the furthest spreading negative mention.
    """

    mentions: float = 0.0
    negative: float = 0.0
    authors: float = 0.0
    reach: float = 0.0
    top_reach: float = 0.0


EMPTY = Features()


def from_dict(x: dict[Any, Any]) -> Features:
    """Read River's dictionaries: unknown keys are ignored, missing ones are 0.

    Raises
    ------
    ValueError
        If a number is not finite: learned once, it would be in every later expectation.
    """
    return Features(
        _amount(x, "mentions"),
        _amount(x, "negative"),
        _amount(x, "authors"),
        _amount(x, "reach"),
        _amount(x, "top_reach"),
    )


def _amount(x: dict[Any, Any], name: str) -> float:
    value = float(x.get(name, 0.0))
    if not math.isfinite(value):
        msg = f"{name} is {value}: a detector takes finite numbers"
        raise ValueError(msg)
    return max(value, 0.0)
