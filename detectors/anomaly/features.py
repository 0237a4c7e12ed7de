"""What is counted of one series in one minute: the input of every detector here."""

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
    """Read River's dictionaries: unknown keys are ignored, missing ones are 0."""
    get = x.get
    return Features(
        max(float(get("mentions", 0.0)), 0.0),
        max(float(get("negative", 0.0)), 0.0),
        max(float(get("authors", 0.0)), 0.0),
        max(float(get("reach", 0.0)), 0.0),
        max(float(get("top_reach", 0.0)), 0.0),
    )
