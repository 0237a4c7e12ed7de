"""The channel that a mention counts under: names come from a closed set, or they are "other".

Connectors' channels are of the configuration. Records of other programs may name any: each name
would be a series of the metrics and a key of a state that never forgets one.
"""

import re
from collections.abc import Mapping

OTHER = "other"
MOST = 100
"""Channels of a brand."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def counted_as(channel: str, totals: Mapping[str, int]) -> str:
    """Name a channel by what is known: `totals` are those of the brand, by `channel|sentiment`.

    Examples
    --------
    >>> counted_as("forum", {}), counted_as("a|b", {}), counted_as("A b", {"A b|neutral": 1})
    ('forum', 'other', 'A b')
    """
    if (
        f"{channel}|negative" in totals
        or f"{channel}|neutral" in totals
        or f"{channel}|positive" in totals
    ):
        return channel
    if _NAME.fullmatch(channel) and len({key.rpartition("|")[0] for key in totals}) < MOST:
        return channel
    return OTHER
