"""Whether a wave looks organic: many people of their own accord, or few who make it look so."""

from collections.abc import Mapping, Sequence

from detectors.incidents.bucket import Kept
from detectors.incidents.duplicates import Cluster
from detectors.incidents.explanation import Organic

FEW_AUTHORS = 0.5
"""Five authors write half of it: on 8 days of real complaints to six airlines the five busiest
authors of an hour with 20 or more mentions wrote 30 % at the median."""
NEAR_DUPLICATES = 0.4
"""Share of the sampled texts that repeat another one."""
SYNCHRONISED = 0.5
"""Half of a minute's ten or more mentions within five seconds; by chance less than once in 10,000
minutes of ten mentions."""
TINY_FOLLOWERS = 20
TINY_ACCOUNTS = 0.6
"""Share of the authors with fewer followers than that."""
YOUNG_DAYS = 30
YOUNG_ACCOUNTS = 0.4
"""A conversation's usual accounts are years old; accounts made for a campaign are new."""
LEAST_KNOWN = 10
"""Authors whose accounts are known, to say a share of them."""
LEAST_FOR_FLAGS = 8.0
"""Mentions."""


def organic(
    authors: Mapping[str, float],
    sample: Sequence[Kept],
    groups: Sequence[Cluster],
    *,
    synchrony: float,
    total: float,
) -> Organic:
    """What speaks for many people of their own accord, and what against it.

    Parameters
    ----------
    authors
        Mentions by author, of the busiest ones.
    sample
        Texts that were kept, with their authors' accounts.
    groups
        Texts that repeat each other.
    synchrony
        Largest share of a minute's mentions that came within five seconds.
    total
        Mentions of the window.
    """
    five = sum(sorted(authors.values(), reverse=True)[:5])
    # 0 is unknown: what one mention does not tell another of the same author may.
    followers = {k.mention.author: k.mention.followers for k in sample if k.mention.followers}
    days = {k.mention.author: k.mention.account_days for k in sample if k.mention.account_days}
    return Organic(
        author_concentration=round(min(five / total, 1.0), 4) if total else 0.0,
        near_duplicate_share=round(sum(g.share for g in groups if len(g.members) > 1), 4),
        synchrony=round(synchrony, 4),
        tiny_accounts=_share_below(TINY_FOLLOWERS, followers),
        young_accounts=_share_below(YOUNG_DAYS, days),
    )


def _share_below(bound: int, by_author: dict[str, int]) -> float | None:
    """Share of the authors below a bound, None of too few."""
    if len(by_author) < LEAST_KNOWN:
        return None
    return round(sum(value < bound for value in by_author.values()) / len(by_author), 4)


def flags(organic: Organic, mentions: float) -> tuple[str, ...]:
    """Names of what speaks against it; () of too few mentions to tell."""
    if mentions < LEAST_FOR_FLAGS:
        return ()
    found = []
    # Of ten mentions five authors write half in any case.
    if organic.author_concentration >= max(FEW_AUTHORS, 10.0 / mentions):
        found.append("few_authors")
    if organic.near_duplicate_share >= NEAR_DUPLICATES:
        found.append("near_duplicates")
    if organic.synchrony >= SYNCHRONISED:
        found.append("synchronised")
    if organic.tiny_accounts is not None and organic.tiny_accounts >= TINY_ACCOUNTS:
        found.append("tiny_accounts")
    if organic.young_accounts is not None and organic.young_accounts >= YOUNG_ACCOUNTS:
        found.append("young_accounts")
    return tuple(found)
