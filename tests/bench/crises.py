"""Brand weeks with crises of known onset, written before any detector was tuned on them.

A `Weeks` is one brand's minutes as arrays; `inject` returns the hours from an onset on, with a
crisis on top of what was there. Everything is seeded. Times are minutes; weeks start on a Monday
at 00:00 UTC.
"""

import csv
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAY = 1440
WEEK = 7 * DAY
START_S = 1_735_516_800  # 2024-12-30, a Monday
USUAL_NEGATIVE = 0.22
CRISIS_NEGATIVE = 0.75
"""Share of a crisis' mentions that are negative."""


@dataclass(frozen=True)
class Weeks:
    """One brand: minute sums as the pipeline counts them, and the mean it was drawn from."""

    name: str
    mentions: Array
    negative: Array
    authors: Array
    reach: Array
    top_reach: Array
    rate: Array
    """What the minute was drawn from (real series: the mean of the day before)."""
    busy: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    """Minutes near a real, labelled event: no onset is placed and no false page is counted."""

    def __len__(self) -> int:
        return len(self.mentions)


def _reaches(rng: np.random.Generator, n: int) -> Array:
    """Reach of n mentions: most are read by hundreds, few by hundreds of thousands."""
    return np.asarray(np.minimum(120.0 * (rng.pareto(1.3, n) + 1.0), 2e6))


def _sums(
    rng: np.random.Generator, mentions: Array, share: Array, authors_ratio: float = 0.93
) -> tuple[Array, Array, Array, Array]:
    """(negative mass, authors, reach, top reach) of each minute with so many mentions."""
    n = int(mentions.sum())
    minute = np.repeat(np.arange(len(mentions)), mentions.astype(int))
    is_negative = rng.random(n) < share[minute]
    # A classifier's probability, not the truth: right about nine times in ten.
    mass = np.where(is_negative, rng.beta(6, 1.2, n), rng.beta(1.2, 7, n))
    reach = _reaches(rng, n)
    size = len(mentions)
    negative = np.bincount(minute, mass, size)
    top = np.zeros(size)
    np.maximum.at(top, minute[is_negative], reach[is_negative])
    authors = np.ceil(mentions * authors_ratio)
    return negative, authors, np.bincount(minute, reach, size), top


def synthetic(seed: int, per_minute: float, weeks: int) -> Weeks:
    """Daily rhythm (factor 5 to 10), weekend, slow wandering, small natural bursts.

    The wandering is log-normal with a correlation of three hours; bursts (an own post, a shared
    joke: +50 % for half an hour, positive as often as not) come about four times a week.
    """
    rng = np.random.default_rng(seed)
    n = weeks * WEEK
    t = np.arange(n)
    depth = rng.uniform(0.8, 1.15)
    peak = rng.uniform(0, DAY)
    daily = np.exp(depth * np.cos(2 * math.pi * (t - peak) / DAY))
    weekend = np.where((t // DAY) % 7 >= 5, rng.uniform(0.6, 1.1), 1.0)
    rate = per_minute * daily / daily.mean() * weekend * np.exp(_wander(rng, n, 180.0, 0.15))
    for at in rng.integers(0, n - 60, rng.poisson(4 * weeks)):
        rate[at : at + 30] *= 1.5
    mentions = rng.poisson(rate).astype(float)
    odds = math.log(USUAL_NEGATIVE / (1 - USUAL_NEGATIVE)) + _wander(rng, n, 240.0, 0.15)
    negative, authors, reach, top = _sums(rng, mentions, 1 / (1 + np.exp(-odds)))
    quiet = np.zeros(n, bool)
    return Weeks(f"synthetic-{per_minute:g}", mentions, negative, authors, reach, top, rate, quiet)


def _wander(rng: np.random.Generator, n: int, tau: float, sd: float) -> Array:
    """Ornstein-Uhlenbeck path by steps of ten minutes."""
    k = n // 10 + 2
    a = math.exp(-10 / tau)
    noise = rng.normal(0, sd * math.sqrt(1 - a * a), k)
    path = np.empty(k)
    path[0] = rng.normal(0, sd)
    for i in range(1, k):
        path[i] = a * path[i - 1] + noise[i]
    return np.interp(np.arange(n) / 10, np.arange(k), path)


def _past_day(mentions: Array) -> Array:
    total = np.concatenate([[0.0], np.cumsum(mentions)])
    at = np.arange(len(mentions))
    first = np.maximum(at - DAY, 0)
    return np.asarray((total[at] - total[first]) / np.maximum(at - first, 1) + 1e-3)


def from_counts(path: Path, windows: list[tuple[str, str]], seed: int) -> Weeks:
    """Turn 5-minute counts into minutes; sentiment, authors and reach are drawn."""
    rng = np.random.default_rng(seed)
    with path.open(encoding="utf-8") as f:
        rows = [(r["timestamp"], int(float(r["value"]))) for r in csv.DictReader(f)]
    times = [datetime.fromisoformat(t).replace(tzinfo=UTC) for t, _ in rows]
    first = times[0]
    n = int((times[-1] - first).total_seconds() // 60) + 5
    mentions = np.zeros(n)
    for when, (_, count) in zip(times, rows, strict=True):
        at = int((when - first).total_seconds() // 60)
        mentions[at : at + 5] += rng.multinomial(count, [0.2] * 5)[: n - at]
    busy = np.zeros(n, bool)
    for a, b in windows:
        lo, hi = (
            int((datetime.fromisoformat(x).replace(tzinfo=UTC) - first).total_seconds() // 60)
            for x in (a, b)
        )
        busy[max(lo, 0) : hi + 1] = True
    odds = math.log(USUAL_NEGATIVE / (1 - USUAL_NEGATIVE)) + _wander(rng, n, 240.0, 0.15)
    negative, authors, reach, top = _sums(rng, mentions, 1 / (1 + np.exp(-odds)))
    name = path.stem.rsplit("_", 1)[-1]
    return Weeks(name, mentions, negative, authors, reach, top, _past_day(mentions), busy)


def from_tweets(path: Path, brand: str, seed: int) -> Weeks:
    """One airline's real minutes with real sentiment; reach is drawn per tweet and retweet."""
    rng = np.random.default_rng(seed)
    with path.open(encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r["airline"] == brand]
    times = [datetime.fromisoformat(r["created_at"]) for r in rows]
    first = min(times).replace(hour=0, minute=0, second=0)
    n = int((max(times) - first).total_seconds() // 60) + 1
    mentions, negative, reach, top = (np.zeros(n) for _ in range(4))
    voices: list[set[str]] = [set() for _ in range(n)]
    sizes = _reaches(rng, len(rows))
    for r, when, size in zip(rows, times, sizes, strict=True):
        at = int((when - first).total_seconds() // 60)
        bad = r["sentiment"] == "negative"
        seen = size * (1 + int(r["retweets"] or 0))
        mentions[at] += 1
        negative[at] += 0.85 if bad else 0.12
        reach[at] += seen
        voices[at].add(r["author"])
        if bad:
            top[at] = max(top[at], seen)
    authors = np.array([float(len(v)) for v in voices])
    quiet = np.zeros(n, bool)
    return Weeks(brand, mentions, negative, authors, reach, top, _past_day(mentions), quiet)


@dataclass(frozen=True)
class Kind:
    """A sort of crisis: sizes, how long it lasts, and whether it should page."""

    name: str
    sizes: tuple[float, ...]
    minutes: int
    pages: bool = True


KINDS: tuple[Kind, ...] = (
    Kind("step", (3.0, 5.0, 10.0), 180),
    Kind("ramp", (3.0, 5.0, 10.0), 180),
    Kind("viral growth", (5.0, 10.0, 30.0), 240),
    Kind("slow burn", (3.0, 4.0, 6.0), 720),
    Kind("viral post", (50_000.0, 300_000.0, 1_500_000.0), 180),
    Kind("negativity", (0.2, 0.3, 0.45), 360),
    Kind("bot storm", (3.0, 5.0, 10.0), 120),
    Kind("outage", (0.0,), 240, pages=False),
    Kind("campaign", (3.0, 6.0), 240, pages=False),
)


@dataclass(frozen=True)
class Case:
    """A crisis: the minutes from its onset to its end."""

    kind: Kind
    size: float
    onset: int
    weeks: Weeks
    held: bool
    """An announced event: the detector is told."""
    blind: bool
    """The source is down: the detector is told when the tick says so."""


def inject(weeks: Weeks, kind: Kind, size: float, onset: int, seed: int) -> Case:
    """Put one crisis on top of `weeks[onset : onset + kind.minutes]`."""
    rng = np.random.default_rng(seed)
    n = kind.minutes
    cut = slice(onset, onset + n)
    mentions, negative = weeks.mentions[cut].copy(), weeks.negative[cut].copy()
    authors, reach = weeks.authors[cut].copy(), weeks.reach[cut].copy()
    top, rate = weeks.top_reach[cut].copy(), weeks.rate[cut]
    t = np.arange(n, dtype=float)
    share = np.full(n, CRISIS_NEGATIVE)
    voices = 0.93
    shape = np.zeros(n)
    if kind.name == "step":
        shape[:] = size - 1
    elif kind.name == "ramp":
        shape[:] = (size - 1) * np.minimum(t / 30, 1)
    elif kind.name == "viral growth":
        # Doubles every 20 minutes from a tenth of the usual volume up to its size.
        shape[:] = np.minimum(0.1 * 2 ** (t / 20), size - 1)
    elif kind.name == "slow burn":
        shape[:] = (size - 1) * np.minimum(t / 240, 1)
    elif kind.name == "bot storm":
        shape[:] = size - 1
        voices = 0.08
        share[:] = 0.9
    elif kind.name == "campaign":
        shape[:] = size - 1
        share[:] = 0.05
    elif kind.name == "viral post":
        # One complaint: its reach follows a logistic curve over about 40 minutes.
        top = np.maximum(top, size / (1 + np.exp(-(t - 20) / 6)))
        reach = reach + np.diff(size / (1 + np.exp(-(t - 20) / 6)), prepend=0.0)
        shape[:] = 0.2
    elif kind.name == "negativity":
        known = mentions > 0
        usual = min(float(weeks.negative.sum() / max(weeks.mentions.sum(), 1.0)), 0.7)
        turned = rng.binomial(mentions.astype(int), min(size / (1 - usual), 1.0))
        turned = np.minimum(turned, np.maximum(mentions - negative, 0))
        negative[known] += 0.68 * turned[known]
    elif kind.name == "outage":
        for values in (mentions, negative, authors, reach, top):
            values[:] = 0.0
    extra = rng.poisson(rate * shape).astype(float)
    mass, who, seen, far = _sums(rng, extra, share, voices)
    if kind.name == "bot storm":
        seen, far = seen * 0.05, far * 0.05  # accounts that nobody follows
    crisis = Weeks(
        weeks.name,
        mentions + extra,
        negative + mass,
        authors + who,
        reach + seen,
        np.maximum(top, far),
        rate,
        np.zeros(n, bool),
    )
    return Case(kind, size, onset, crisis, kind.name == "campaign", kind.name == "outage")
