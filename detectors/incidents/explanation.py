"""What carries an excess: the value that Evidence gives, incidents store and sentences read."""

import msgspec

OTHER = "other"
"""Key of the remainder in every table of shares."""


class Quote(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A mention kept as evidence (long texts are cut)."""

    id: str
    at_s: float
    source: str = ""
    author: str = ""
    text: str = ""
    sentiment: str = ""
    url: str = ""
    reach: float = 0.0
    topics: tuple[str, ...] = ()
    simulated: bool = False


class Without(msgspec.Struct, frozen=True, omit_defaults=True):
    """What would be left without the largest single contributor."""

    kind: str
    """author | cluster | post"""
    key: str
    share: float
    """Its share of what was observed."""
    observed: float
    score: float | None = None
    """The score at that lower value; None when the signal's scale is not known."""


class Organic(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much it looks like many people on their own. Never a reason to drop anything."""

    author_concentration: float = 0.0
    """Share of the five busiest authors among the mentions of the window."""
    near_duplicate_share: float = 0.0
    """Share of mentions that repeat another one almost word by word."""
    synchrony: float = 0.0
    """Largest share of a minute's mentions that fell into the same five seconds."""
    tiny_accounts: float | None = None
    """Share of accounts below 20 followers, where followers are known for at least ten."""
    young_accounts: float | None = None
    """Share of accounts opened within 30 days, where their age is known for at least ten."""


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Shares of an excess (each table adds up to 1 with "other") and the mentions that show it."""

    signal: str
    onset_s: int
    until_s: int
    observed: float
    """Sum over the window in the signal's unit."""
    expected: float
    channels: dict[str, float] = {}
    topics: dict[str, float] = {}
    phrases: dict[str, float] = {}
    authors: dict[str, float] = {}
    clusters: dict[str, float] = {}
    """Near-duplicate clusters, named by the beginning of their first text."""
    first: Quote | None = None
    spreading: tuple[Quote, ...] = ()
    samples: tuple[Quote, ...] = ()
    without: Without | None = None
    organic: Organic = Organic()
    flags: tuple[str, ...] = ()
    """few_authors | near_duplicates | synchronised | tiny_accounts | young_accounts"""
