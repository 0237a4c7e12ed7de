"""Histories of mentions as CSV files, with one crisis each or none: what a user would replay.

The sorts and sizes of crises are those of crises.py; here each mention is written out with its
text, author and reach. Everything is seeded.
"""

import csv
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from crises import CRISIS_NEGATIVE, DAY, START_S, USUAL_NEGATIVE, Array, Kind, synthetic

from connectors.sources.simulated import speech

HEADER = (
    "id", "created_at", "brand", "author", "text", "reposts", "likes", "followers", "views"
)  # fmt: skip
NEUTRAL_SHARE = 0.45
"""Neutral part of what is not negative."""
BOTS = 25
Row = tuple[object, ...]
Texts = Callable[[str, random.Random], str]
"""A text of a mood: negative, crisis, neutral or positive."""


@dataclass(frozen=True)
class History:
    """One brand from its first day, with at most one crisis."""

    brand: str
    per_minute: float
    days: int
    seed: int
    kind: Kind | None = None
    size: float = 0.0
    onset: int = 0
    """Minutes from the start."""


def at(minute: float) -> datetime:
    return datetime.fromtimestamp(START_S, UTC) + timedelta(minutes=minute)


def spoken(brand: str) -> Texts:
    """Our own phrases, Indonesian and English, in which a brand is named."""
    of = {
        "negative": speech.NEGATIVE,
        "crisis": speech.CRISIS,
        "neutral": speech.NEUTRAL,
        "positive": speech.POSITIVE,
    }
    names = (brand, brand.capitalize(), f"@{brand}")
    return lambda mood, rng: speech.anyone(of[mood], names, rng)


def growth(kind: Kind, size: float) -> Array:
    """Extra mentions of each minute, relative to the usual (crises.inject has the same)."""
    t = np.arange(kind.minutes, dtype=float)
    if kind.name in ("step", "bot storm", "campaign"):
        return np.full(kind.minutes, size - 1)
    if kind.name == "ramp":
        return np.asarray((size - 1) * np.minimum(t / 30, 1))
    if kind.name == "viral growth":
        return np.asarray(np.minimum(0.1 * 2 ** (t / 20), size - 1))
    if kind.name == "slow burn":
        return np.asarray((size - 1) * np.minimum(t / 240, 1))
    return np.full(kind.minutes, 0.2 if kind.name == "viral post" else 0.0)


class Mentions:
    """The mentions of one history; each has an id of its own."""

    def __init__(self, brand: str, rng: random.Random) -> None:
        self.brand = brand
        self.rng = rng
        self.rows: list[tuple[float, Row]] = []

    def add(
        self, when: float, author: str, text: str, *, views: int = 0, followers: int | None = None
    ) -> None:
        """Take one mention, published at minute `when`."""
        spread = min(self.rng.paretovariate(1.3), 300.0)
        if followers is None:
            followers = int(120 * self.rng.paretovariate(1.1))
        stamp = at(when).isoformat(timespec="milliseconds")
        name = f"{self.brand}-{len(self.rows)}"
        likes, reposts = int(spread) - 1, int(spread / 6)
        row = (name, stamp, self.brand, author, text, reposts, likes, followers, views)
        self.rows.append((when, row))

    def save(self, path: Path) -> int:
        """Write them in the order of time; return how many there are."""
        self.rows.sort(key=lambda row: row[0])
        with path.open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink)
            writer.writerow(HEADER)
            writer.writerows(row for _, row in self.rows)
        return len(self.rows)


def usual_mood(rng: random.Random, negative: float) -> str:
    if rng.random() < negative:
        return "negative"
    return "neutral" if rng.random() < NEUTRAL_SHARE else "positive"


def ordinary(history: History, rng: random.Random) -> Iterator[tuple[int, str]]:
    """(minute, mood) of every mention without the crisis: crises.synthetic's rate, moods drawn."""
    weeks = synthetic(history.seed, history.per_minute, max(1, math.ceil(history.days / 7)))
    first, last = history.onset, history.onset + (history.kind.minutes if history.kind else 0)
    soured = history.size / (1 - USUAL_NEGATIVE) if history.kind else 0.0
    for minute, count in enumerate(weeks.mentions[: history.days * DAY].astype(int).tolist()):
        during = first <= minute < last
        if during and history.kind and history.kind.name == "outage":
            continue
        for _ in range(count):
            mood = usual_mood(rng, USUAL_NEGATIVE)
            turns = during and history.kind is not None and history.kind.name == "negativity"
            if turns and mood != "negative" and rng.random() < soured:
                mood = "crisis"
            yield minute, mood


def extra(history: History, rate: Array, rng: random.Random) -> Iterator[tuple[int, str]]:
    """(minute, mood) of the crisis' own mentions."""
    kind = history.kind
    if kind is None:
        return
    drawn = np.random.default_rng(history.seed + 7)
    shape = growth(kind, history.size)
    counts = drawn.poisson(rate[history.onset : history.onset + kind.minutes] * shape)
    negative = {"bot storm": 0.9, "campaign": 0.05}.get(kind.name, CRISIS_NEGATIVE)
    for j, count in enumerate(counts.tolist()):
        for _ in range(count):
            sour = rng.random() < negative
            yield (
                history.onset + j,
                "crisis" if sour else usual_mood(rng, 0.0),
            )


def invented(history: History) -> Mentions:
    """All mentions of a history with our own phrases."""
    rng = random.Random(history.seed)
    say = spoken(history.brand)
    mentions = Mentions(history.brand, rng)
    rate = synthetic(history.seed, history.per_minute, max(1, math.ceil(history.days / 7))).rate
    for minute, mood in ordinary(history, rng):
        author = speech.author(int(20_000 * rng.random() ** 2.5))
        mentions.add(minute + rng.random(), author, say(mood, rng))
    add_crisis(history, rate, say, mentions)
    return mentions


def add_crisis(history: History, rate: Array, say: Texts, mentions: Mentions) -> None:
    """The mentions that the crisis adds; a bot storm repeats five texts from a few accounts."""
    kind, rng = history.kind, mentions.rng
    if kind is None:
        return
    bots = [say("crisis", rng) for _ in range(5)] if kind.name == "bot storm" else []
    if kind.name == "viral post":
        views = int(history.size)
        mentions.add(history.onset + 1.0, "firstvoice", say("crisis", rng), views=views)
    for minute, mood in extra(history, rate, rng):
        when = minute + rng.random()
        if bots and mood == "crisis":
            mentions.add(when, f"bot{rng.randrange(BOTS)}", rng.choice(bots), followers=3)
        else:
            mentions.add(when, speech.author(int(150_000 * rng.random())), say(mood, rng))


def from_tweets(path: Path) -> dict[str, list[dict[str, str]]]:
    """Real tweets by airline, in the order of time; read where they are, never copied here."""
    found: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["airline"], []).append(row)
    return {brand: sorted(rows, key=lambda r: r["created_at"]) for brand, rows in found.items()}


def retold(history: History, tweets: list[dict[str, str]]) -> Mentions:
    """A real airline's days, moved to our Monday, and a crisis told in its own complaints."""
    rng = random.Random(history.seed)
    mentions = Mentions(history.brand, rng)
    by_mood: dict[str, list[str]] = {}
    for row in tweets:
        by_mood.setdefault(row["sentiment"], []).append(row["text"])
    by_mood["crisis"] = by_mood["negative"]
    kind = history.kind.name if history.kind else ""
    last = history.onset + (history.kind.minutes if history.kind else 0)
    first = datetime.fromisoformat(tweets[0]["created_at"]).replace(hour=0, minute=0, second=0)
    counts = np.zeros(history.days * DAY)
    usual = min(len(by_mood["negative"]) / len(tweets), 0.7)
    for row in tweets:
        minute = (datetime.fromisoformat(row["created_at"]) - first).total_seconds() / 60
        if minute >= len(counts):
            break
        counts[int(minute)] += 1
        text, during = row["text"], history.onset <= minute < last
        if during and kind == "outage":
            continue
        turns = during and kind == "negativity" and row["sentiment"] != "negative"
        if turns and rng.random() < history.size / (1 - usual):
            text = rng.choice(by_mood["negative"])
        mentions.add(minute, row["author"], text)
    past = np.convolve(counts, np.ones(DAY) / DAY)[: len(counts)]
    add_crisis(history, past, lambda mood, r: r.choice(by_mood[mood]), mentions)
    return mentions
