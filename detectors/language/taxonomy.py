"""The closed list of topics, their titles and their words, read from data."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final
from zlib import crc32

import msgspec

from detectors.language.packed import ONE
from detectors.language.tokens import meaning, split, stems

POINTS: Final = {"sure": 3.0, "likely": 2.0, "hint": 1.0, "against": -2.0}
ENOUGH: Final = 3.0
"""Points at which a topic applies: one sure word, a likely one and a hint, or three hints."""


REST_TITLES: Final = {
    "praise": {"id": "Pujian", "en": "Praise"},
    "other": {"id": "Lainnya", "en": "Other"},
}


class Topic(msgspec.Struct, frozen=True):
    """A topic: `name` is the label of metrics and records, `title` what people read."""

    name: str
    title: dict[str, str]
    words: dict[str, tuple[str, ...]]
    """By strength (the keys of `POINTS`)."""
    strict: bool = False
    """Never named as a mere best guess: what raises an alarm must reach its points."""


class Taxonomy(msgspec.Struct, frozen=True):
    """A closed set of topics.

    `praise` and `other` name the topics of mentions that no other topic fits (positive ones, and
    the rest); empty names leave such mentions without a topic.
    """

    topics: tuple[Topic, ...]
    praise: str = "praise"
    other: str = "other"

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a mention can carry: the values of metrics' labels."""
        rest = tuple(n for n in (self.praise, self.other) if n)
        return tuple(t.name for t in self.topics) + rest

    def digest(self) -> str:
        """Fingerprint of topics, words and their order: what learned weights belong to."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:8]

    def title(self, name: str, language: str) -> str:
        """The topic's title for people; its name if there is none."""
        for topic in self.topics:
            if topic.name == name:
                return topic.title.get(language, name)
        return REST_TITLES.get(name, {}).get(language, name)


def parse(data: Mapping[str, Any], *, praise: str = "praise", other: str = "other") -> Taxonomy:
    """A taxonomy from the tables of its TOML form.

    Raises
    ------
    ValueError
        If a topic has unknown keys, a phrase of more than two words, or an unsafe name.
    """
    topics: list[Topic] = []
    for name, table in data.items():
        if not name.replace("_", "").isalnum() or not name.islower() or name in (praise, other):
            msg = f"topic name {name!r}: use lower-case letters, digits and _, not {praise}/{other}"
            raise ValueError(msg)
        unknown = set(table) - {"title", "strict", *POINTS}
        if unknown:
            known = ", ".join(("title", "strict", *POINTS))
            msg = f"topic {name}: unknown keys {sorted(unknown)}; known: {known}"
            raise ValueError(msg)
        for kind in POINTS:
            for phrase in table.get(kind, ()):
                if not 1 <= len(phrase.split()) <= 2:
                    msg = f"topic {name}: phrase {phrase!r} must have one or two words"
                    raise ValueError(msg)
        words = {kind: tuple(table.get(kind, ())) for kind in POINTS}
        topics.append(Topic(name, dict(table.get("title", {})), words, bool(table.get("strict"))))
    return Taxonomy(tuple(topics), praise, other)


@cache
def default() -> Taxonomy:
    """The taxonomy for e-commerce that ships with the product."""
    text = files("detectors.language").joinpath("taxonomy.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text))


class Rules:
    """A taxonomy's words compiled for the scorer: points by token and by pair of words."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.fields = len(taxonomy.topics)
        self._none = [0.0] * self.fields
        self._no_points = [0] * self.fields
        self._words: dict[str, list[float]] = {}
        self._starts: dict[str, list[float]] = {}
        self.pairs: dict[int, list[int]] = {}
        for place, topic in enumerate(taxonomy.topics):
            for kind, phrases in topic.words.items():
                for phrase in phrases:
                    self._add(phrase.lower(), place, POINTS[kind])
        self._longest = max(map(len, self._starts), default=0)

    def _add(self, phrase: str, place: int, points: float) -> None:
        words = phrase.split()
        if len(words) == 2:
            left, right = (self._known(w) for w in words)
            key = crc32(left.encode()) << 32 | crc32(right.encode())
            self.pairs.setdefault(key, [0] * self.fields)[place] += round(points * ONE)
        elif phrase.endswith("*"):
            self._starts.setdefault(phrase[:-1], [0.0] * self.fields)[place] = points
        else:
            self._words.setdefault(self._known(phrase), [0.0] * self.fields)[place] = points

    @staticmethod
    def _known(word: str) -> str:
        """The word as `meaning` writes it, where that is one word."""
        meant = meaning(split(word)[0]) if split(word) else ()
        return meant[0] if len(meant) == 1 else word

    def points(self, words: Sequence[str]) -> list[int]:
        """Points of a token's words, by topic, in `ONE`s."""
        total = none = self._none
        for word in words:
            hit = self._hit(word)
            if hit:
                total = [a + b for a, b in zip(total, hit, strict=True)]
        for left, right in pairwise(words):
            pair = self.pairs.get(crc32(left.encode()) << 32 | crc32(right.encode()))
            if pair:
                total = [a + b / ONE for a, b in zip(total, pair, strict=True)]
        # Most words are of no topic.
        return self._no_points if total is none else [round(t * ONE) for t in total]

    def _hit(self, word: str) -> list[float] | None:
        for form in stems(word):
            if form in self._words:
                return self._merge(self._words[form], form)
        return self._merge(None, word)

    def _merge(self, exact: list[float] | None, word: str) -> list[float] | None:
        for end in range(min(len(word), self._longest), 2, -1):
            start = self._starts.get(word[:end])
            if start:
                exact = [a or b for a, b in zip(exact or start, start, strict=True)]
        return exact
