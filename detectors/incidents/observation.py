"""One mention as the evidence sees it."""

import msgspec


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A mention that was understood: who said what, where, how badly, how far it went.

    Attributes
    ----------
    source
        The channel that it came from.
    sentiment
        "negative", "neutral" or "positive".
    negative
        Probability that it is negative, 0..1.
    reach
        People who may have seen it.
    followers
        Of the author; 0 where unknown.
    account_days
        Days that the author's account had existed; 0 where unknown.
    """

    id: str
    at_s: float
    source: str
    author: str
    text: str
    sentiment: str
    negative: float
    topics: tuple[str, ...] = ()
    reach: float = 1.0
    url: str = ""
    followers: int = 0
    account_days: int = 0
    simulated: bool = False
