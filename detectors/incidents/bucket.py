"""Mentions of a stretch of time, boiled down: exact counts and a fair sample of texts."""

from collections.abc import Iterable, Sequence

import msgspec

from detectors.incidents.observation import Observation

MAX_TEXT = 200
"""Characters of a text that are kept; half of that many where they take several bytes."""
MAX_URL = 120
MAX_NAME = 40
MAX_KEYS = 120
"""Different channels, topics or authors that an open minute counts apart; the rest is "other"."""
SLOTS = 12
"""Five-second slots of a minute, for synchrony."""
SLOT_S = 5
"""Mentions of a minute are counted by slots of this length, to tell a volley."""
LEAST_FOR_SYNCHRONY = 10
"""Mentions of a minute below which chance fills a slot."""

Pair = list[float]
"""[mentions, negative mass]"""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A mention of the sample, standing for `weight` mentions like it."""

    weight: float
    mention: Observation


class Bucket(msgspec.Struct, array_like=True):
    """Mutable: its owner uses it linearly."""

    start_s: int
    end_s: int
    mentions: float = 0.0
    negative: float = 0.0
    channels: dict[str, Pair] = msgspec.field(default_factory=dict)
    topics: dict[str, Pair] = msgspec.field(default_factory=dict)
    authors: dict[str, Pair] = msgspec.field(default_factory=dict)
    bad: list[Kept] = msgspec.field(default_factory=list)
    """Sample of the negative mentions."""
    rest: list[Kept] = msgspec.field(default_factory=list)
    """Sample of the others."""
    synchrony: float = 0.0


class OpenBucket(msgspec.Struct, array_like=True):
    """A minute that still fills; every field is exact but the samples."""

    start_s: int
    mentions: int = 0
    negative: float = 0.0
    channels: dict[str, Pair] = msgspec.field(default_factory=dict)
    topics: dict[str, Pair] = msgspec.field(default_factory=dict)
    authors: dict[str, Pair] = msgspec.field(default_factory=dict)
    bad: list[Observation] = msgspec.field(default_factory=list)
    rest: list[Observation] = msgspec.field(default_factory=list)
    bad_seen: int = 0
    rest_seen: int = 0
    bad_stride: int = 1
    rest_stride: int = 1
    slots: list[int] = msgspec.field(default_factory=lambda: [0] * SLOTS)

    def close(self, *, bad_cap: int, rest_cap: int, author_cap: int) -> Bucket:
        """Boil the minute down."""
        return Bucket(
            self.start_s,
            self.start_s + 60,
            float(self.mentions),
            self.negative,
            self.channels,
            self.topics,
            top(self.authors, author_cap),
            thin(weighted(self.bad, self.bad_seen), bad_cap),
            thin(weighted(self.rest, self.rest_seen), rest_cap),
            max(self.slots) / self.mentions if self.mentions >= LEAST_FOR_SYNCHRONY else 0.0,
        )


def add(table: dict[str, Pair], key: str, count: float, negative: float) -> None:
    """Count under a key, unless the table is full and the key new."""
    pair = table.get(key)
    if pair is not None:
        pair[0] += count
        pair[1] += negative
    elif len(table) < MAX_KEYS:
        table[key] = [count, negative]


def _add_all(mine: dict[str, Pair], theirs: dict[str, Pair]) -> None:
    for key, pair in theirs.items():
        known = mine.get(key)
        if known is not None:
            known[0] += pair[0]
            known[1] += pair[1]
        elif len(mine) < MAX_KEYS:
            mine[key] = pair.copy()


def top(table: dict[str, Pair], limit: int) -> dict[str, Pair]:
    """The largest entries; the remainder is known from the bucket's totals."""
    if len(table) <= limit:
        return table
    largest = sorted(table, key=lambda k: (-table[k][0], k))[:limit]
    return {key: table[key] for key in largest}


def weighted(sample: Sequence[Observation], seen: int) -> list[Kept]:
    """An even sample with its weights."""
    return [Kept(seen / len(sample), cut(o)) for o in sample] if sample else []


def thin(sample: list[Kept], limit: int) -> list[Kept]:
    """At most `limit` of them, evenly spaced and with the first; the total weight stays."""
    if len(sample) <= limit or limit <= 0:
        return sample if limit > 0 else []
    total = sum(kept.weight for kept in sample)
    step = len(sample) / limit
    chosen = [sample[int(i * step)] for i in range(limit)]
    scale = total / sum(kept.weight for kept in chosen)
    return [Kept(kept.weight * scale, kept.mention) for kept in chosen]


def cut(o: Observation) -> Observation:
    """The mention with long parts cut, so that the state of a brand stays small."""
    limit = MAX_TEXT if o.text.isascii() else MAX_TEXT // 2
    if (
        len(o.text) <= limit
        and len(o.url) <= MAX_URL
        and len(o.id) <= 2 * MAX_NAME
        and len(o.author) <= MAX_NAME
        and len(o.topics) <= 6  # more topics than a short text can hold
    ):
        return o
    return msgspec.structs.replace(
        o,
        text=o.text if len(o.text) <= limit else o.text[: limit - 1] + "…",
        # Half an address leads nowhere.
        url=o.url if len(o.url) <= MAX_URL else "",
        id=o.id[: 2 * MAX_NAME],
        author=o.author[:MAX_NAME],
        topics=o.topics[:6],
    )


def merge(
    buckets: Iterable[Bucket], *, start_s: int, end_s: int, caps: tuple[int, int, int]
) -> Bucket:
    """Several neighbouring buckets as one; `caps`: negative sample, other sample, authors."""
    merged = Bucket(start_s, end_s)
    for bucket in buckets:
        merged.mentions += bucket.mentions
        merged.negative += bucket.negative
        merged.synchrony = max(merged.synchrony, bucket.synchrony)
        _add_all(merged.channels, bucket.channels)
        _add_all(merged.topics, bucket.topics)
        _add_all(merged.authors, bucket.authors)
        merged.bad += bucket.bad
        merged.rest += bucket.rest
    bad_cap, rest_cap, author_cap = caps
    merged.channels = top(merged.channels, 24)
    merged.topics = top(merged.topics, 24)
    merged.authors = top(merged.authors, author_cap)
    merged.bad = thin(merged.bad, bad_cap)
    merged.rest = thin(merged.rest, rest_cap)
    return merged
