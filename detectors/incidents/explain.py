"""Shares of an excess from buckets: what is there now, less what is usually there."""

from collections.abc import Sequence
from typing import NamedTuple

from detectors.incidents import duplicates, phrases
from detectors.incidents.bucket import Bucket, Kept, Pair
from detectors.incidents.explanation import OTHER, Explanation, Quote, Without
from detectors.incidents.observation import Observation
from detectors.incidents.organic import flags, organic
from detectors.incidents.phrases import Background

LISTED = 5
"""Entries of a table of shares; smaller ones are "other"."""
LEAST_SHARE = 0.03
"""Below, an entry is "other", too."""
LEAST_BASELINE = 20.0
"""Mentions before the onset that it takes to say what is usual; below, shares are of all."""
SAMPLES = 5
COUNTED_BY_MENTION = frozenset({"volume", "authors", "reach"})
"""Signals about all mentions; the others are about negative ones."""


class Peak(NamedTuple):
    """Figures of the strongest minute."""

    observed: float
    expected: float
    upper: float
    score: float


class Window(NamedTuple):
    """What is asked: an excess of one signal over a stretch of time."""

    signal: str
    onset_s: int
    until_s: int
    observed: float
    expected: float
    peak: Peak | None = None
    ignore: str = ""


def explain(
    window: Window,
    buckets: Sequence[Bucket],
    spreading: tuple[Observation, ...],
    usual: Background,
) -> Explanation:
    """The shares, quotes and flags of a window.

    Buckets come in order of time; one that reaches across the onset counts in part.
    """
    column = 0 if window.signal in COUNTED_BY_MENTION else 1
    inside = [(b, _overlap(b, window)) for b in buckets]
    now = [(b, part) for b, part in inside if part > 0.0]
    before = [(b, 1.0 - part) for b, part in inside if b.start_s < window.onset_s and part < 1.0]
    total = sum(_total(b, column) * part for b, part in now)
    expected_share = _expected_share(window)
    bad = [k for b, _ in now for k in b.bad if _within(k, window)]
    rest = [k for b, _ in now for k in b.rest if _within(k, window)]
    sample = bad + rest if column == 0 else bad
    groups = duplicates.clusters(sample)
    tables = {
        name: _shares(name, now, before, column, total, expected_share)
        for name in ("channels", "topics", "authors")
    }
    mentions = sum(b.mentions * part for b, part in now)
    looks = organic(
        _sum("authors", now, 0)[0],
        bad + rest,
        groups,
        synchrony=max((b.synchrony for b, _ in now), default=0.0),
        total=mentions,
    )
    clusters = _complete({g.name: g.share for g in groups if len(g.members) > 1})
    found = phrases.shares(sample, usual=usual, expected_share=expected_share, ignore=window.ignore)
    first = _first(sample, tables["topics"], tuple(found))
    # A post may be hours old when it begins to be passed on.
    since_s = 0.0 if window.signal == "velocity" else window.onset_s
    far = tuple(o for o in spreading if since_s <= o.at_s < window.until_s)
    return Explanation(
        signal=window.signal,
        onset_s=window.onset_s,
        until_s=window.until_s,
        observed=window.observed,
        expected=window.expected,
        phrases=_complete(found),
        clusters=clusters,
        first=_quote(first) if first else None,
        spreading=tuple(_quote(o) for o in far[:3]),
        samples=tuple(_quote(o) for o in _samples(sample, far, groups, tuple(found))),
        without=_without(window, tables["authors"], clusters, far),
        organic=looks,
        flags=flags(looks, mentions),
        **tables,
    )


def _overlap(bucket: Bucket, window: Window) -> float:
    """Part of a bucket that lies in the window."""
    length = bucket.end_s - bucket.start_s
    inside = min(bucket.end_s, max(window.until_s, window.onset_s)) - max(
        bucket.start_s, window.onset_s
    )
    if bucket.start_s >= window.onset_s and length <= 60:  # a minute counts whole
        return 1.0 if bucket.start_s < window.until_s else 0.0
    return min(max(inside / length, 0.0), 1.0)


def _within(kept: Kept, window: Window) -> bool:
    return window.onset_s <= kept.mention.at_s < window.until_s


def _total(bucket: Bucket, column: int) -> float:
    return bucket.negative if column else bucket.mentions


def _expected_share(window: Window) -> float:
    if window.observed <= 0.0:
        return 0.0
    return min(max(window.expected / window.observed, 0.0), 0.95)


def _sum(
    name: str, parts: Sequence[tuple[Bucket, float]], column: int
) -> tuple[dict[str, float], float]:
    sums: dict[str, float] = {}
    total = 0.0
    for bucket, part in parts:
        total += _total(bucket, column) * part
        table: dict[str, Pair] = getattr(bucket, name)
        for key, pair in table.items():
            sums[key] = sums.get(key, 0.0) + pair[column] * part
    return sums, total


def _shares(
    name: str,
    now: Sequence[tuple[Bucket, float]],
    before: Sequence[tuple[Bucket, float]],
    column: int,
    total: float,
    expected_share: float,
) -> dict[str, float]:
    """Share of the excess by key: what is there now beyond its usual part of the expected."""
    if total <= 0.0:
        return {}
    sums, _ = _sum(name, now, column)
    past, past_total = _sum(name, before, column)
    sums[OTHER] = sums.get(OTHER, 0.0) + max(total - sum(sums.values()), 0.0)
    if past_total >= LEAST_BASELINE:
        past[OTHER] = past.get(OTHER, 0.0) + max(past_total - sum(past.values()), 0.0)
        scale = expected_share * total / past_total
        sums = {k: max(v - past.get(k, 0.0) * scale, 0.0) for k, v in sums.items()}
    whole = sum(sums.values())
    if whole <= 0.0:
        return {}
    return _complete({k: v / whole for k, v in sums.items() if k != OTHER})


def _complete(shares: dict[str, float]) -> dict[str, float]:
    """The largest entries, and "other" so that they add up to 1."""
    largest = sorted(shares, key=lambda k: (-shares[k], k))[:LISTED]
    table = {k: round(shares[k], 4) for k in largest if shares[k] >= LEAST_SHARE and k != OTHER}
    if not table:
        return {OTHER: 1.0} if shares else {}
    rest = round(1.0 - sum(table.values()), 4)
    if rest > 0.0:
        table[OTHER] = rest
    return table


def _first(
    sample: Sequence[Kept], topics: dict[str, float], found: tuple[str, ...]
) -> Observation | None:
    """The earliest mention that is about what carries the excess; else the earliest."""
    leading = next((t for t in topics if t != OTHER), "")
    ordered = sorted((k.mention for k in sample), key=lambda o: (o.at_s, o.id))
    for o in ordered:
        words = " ".join(phrases.words_of(o.text))
        if (found and found[0] in words) or (not found and leading and leading in o.topics):
            return o
    return ordered[0] if ordered else None


def _samples(
    sample: Sequence[Kept],
    far: tuple[Observation, ...],
    groups: Sequence[duplicates.Cluster],
    found: tuple[str, ...],
) -> list[Observation]:
    """A few different voices: the furthest, then one of each leading phrase, then the newest."""
    chosen: list[Observation] = list(far[:2])
    repeats = {k.mention.id: g.members[0].mention.id for g in groups for k in g.members}
    newest = sorted((k.mention for k in sample), key=lambda o: (-o.negative, -o.at_s, o.id))

    def take(o: Observation) -> None:
        taken = {repeats.get(x.id, x.id) for x in chosen}
        authors = {x.author for x in chosen if x.author}
        if repeats.get(o.id, o.id) not in taken and o.author not in authors:
            chosen.append(o)

    for phrase in found:
        for o in newest:
            if phrase in " ".join(phrases.words_of(o.text)):
                take(o)
                break
    for o in newest:
        if len(chosen) >= SAMPLES:
            break
        take(o)
    return chosen[:SAMPLES]


def _without(
    window: Window,
    authors: dict[str, float],
    clusters: dict[str, float],
    far: tuple[Observation, ...],
) -> Without | None:
    """The value, and the score, that the window would have without its largest contributor."""
    candidates: list[tuple[float, str, str]] = []
    if window.signal in ("reach", "velocity"):
        if far and window.observed > 0.0:
            candidates.append((min(far[0].reach / window.observed, 1.0), "post", far[0].id))
    else:
        excess_share = 1.0 - _expected_share(window)
        candidates += [
            (share * excess_share, kind, key)
            for kind, table in (("author", authors), ("cluster", clusters))
            for key, share in table.items()
            if key != OTHER
        ]
    if not candidates:
        return None
    share, kind, key = max(candidates)
    left = window.observed * (1.0 - share)
    return Without(kind, key, round(share, 4), round(left, 3), _score_without(window.peak, share))


def _score_without(peak: Peak | None, share: float) -> float | None:
    """The strongest minute's score without that share of it.

    Through (expected, 0.3), (upper, 3) and (observed, score): tails of counts are close to
    exponential, so that -log10 p is close to a line; p = 0.5 at the expected value scores 0.3.
    """
    if peak is None or not peak.expected < peak.upper or peak.score <= 0.0:
        return None
    value = peak.observed * (1.0 - share)
    if value >= peak.upper and peak.observed > peak.upper:
        steepness = (peak.score - 3.0) / (peak.observed - peak.upper)
        return round(max(3.0 + steepness * (value - peak.upper), 0.0), 2)
    steepness = 2.7 / (peak.upper - peak.expected)
    scored = 0.3 + steepness * (value - peak.expected)
    return round(min(max(scored, 0.0), peak.score), 2)


def _quote(o: Observation) -> Quote:
    return Quote(
        id=o.id,
        at_s=o.at_s,
        source=o.source,
        author=o.author,
        text=o.text,
        sentiment=o.sentiment,
        url=o.url,
        reach=o.reach,
        topics=o.topics,
        simulated=o.simulated,
    )
