"""Emerging themes: phrases that many people use now about a brand and few did before.

Heavy hitters over distinct authors with two fading counts a phrase: a short one (about the last
thousand mentions) and a long one (what the brand's mentions have said before). A theme is a phrase
whose short count is a surprise under its long rate. Most phrases occur once: a doorkeeper (one
byte a hash) keeps them out of the memory until a second author uses them.
"""

import math
import zlib
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import msgspec

from detectors.language.tokens import lexicon, meaning, split, word_list

SNAPSHOT_FORMAT: Final = 1
_DOOR: Final = 1 << 16
"""Cells of the doorkeeper, a byte each; a collision only lets a phrase in early."""
_WORDS_READ: Final = 60
_AUTHORS_MOST: Final = 64

STOP: Final = frozenset(word_list("stop.txt"))


class ThemesConfig(msgspec.Struct, frozen=True):
    """Thresholds of emerging themes.

    Attributes
    ----------
    short_mentions, long_mentions
        Half-lives of the two memories, in mentions.
    least_authors
        Distinct authors of a theme.
    least_surprise
        -log10 of the chance of so many under the long rate. 8: some thousand phrases are tested.
    warm_mentions
        Before so many mentions everything is new, and nothing is reported.
    door_mentions
        The doorkeeper forgets after so many.
    phrases_most
        Phrases in the short memory; the rarest go first.
    """

    short_mentions: float = 1_000.0
    long_mentions: float = 20_000.0
    least_authors: int = 6
    least_surprise: float = 8.0
    warm_mentions: int = 300
    door_mentions: int = 4_000
    phrases_most: int = 4_000


class Theme(msgspec.Struct, frozen=True):
    """A phrase that is new for the brand."""

    phrase: str
    authors: int
    """Distinct authors who used it of late."""
    expected: float
    """How many the brand's own past led to expect."""
    surprise: float
    """-log10 of the chance of it."""
    example: str
    """The first mention of it that was seen, at most 280 characters."""


class _Phrase(msgspec.Struct, array_like=True):
    short: float
    long: float
    at: int
    first: int
    authors: set[int]
    example: str


class _State(msgspec.Struct):
    format: int
    seen: int
    phrases: dict[str, _Phrase]
    door: bytes
    dropped: bytes


class Themes:
    """State of one brand.

    Parameters
    ----------
    config
        Thresholds and memories.
    """

    def __init__(self, config: ThemesConfig = ThemesConfig()) -> None:  # noqa: B008  # frozen
        self.config = config
        self.seen = 0
        self._phrases: dict[str, _Phrase] = {}
        self._door = bytearray(_DOOR)
        self._dropped = bytearray(_DOOR)
        self._short_decay = 0.5 ** (1.0 / config.short_mentions)
        self._long_decay = 0.5 ** (1.0 / config.long_mentions)

    def observe(self, text: str, author: str) -> None:
        """Take one mention in; an author's repeats of a phrase count once."""
        self.seen += 1
        if self.seen % self.config.door_mentions == 0:
            self._door = bytearray(_DOOR)
        if self.seen % (self.config.door_mentions * 10) == 0:
            self._dropped = bytearray(_DOOR)
        who = crc32(author.encode("utf-8", "surrogatepass"))
        mark = (who & 0xFF) or 1
        for phrase in phrases(text):
            known = self._phrases.get(phrase)
            if known is None:
                cell = crc32(phrase.encode("utf-8", "surrogatepass")) & (_DOOR - 1)
                if self._door[cell] not in (0, mark):
                    self._phrases[phrase] = _Phrase(
                        2.0, 2.0, self.seen, self.seen, {who}, text[:280]
                    )
                self._door[cell] = mark
            elif not author or who not in known.authors:
                age = self.seen - known.at
                known.short = known.short * self._short_decay**age + 1.0
                known.long = known.long * self._long_decay**age + 1.0
                known.at = self.seen
                if len(known.authors) < _AUTHORS_MOST:
                    known.authors.add(who)
        if len(self._phrases) > self.config.phrases_most:
            self._prune()

    def emerging(self, most: int = 5) -> list[Theme]:
        """Themes that are new now, most surprising first; [] while warming up."""
        if self.seen < self.config.warm_mentions:
            return []
        long_span = (1.0 - self._long_decay**self.seen) / (1.0 - self._long_decay)
        short_span = (1.0 - self._short_decay**self.seen) / (1.0 - self._short_decay)
        found: list[tuple[Theme, set[int]]] = []
        for phrase, known in self._phrases.items():
            age = self.seen - known.at
            now = known.short * self._short_decay**age
            if (
                now < self.config.least_authors - 1
                or len(known.authors) + 1 < self.config.least_authors
            ):
                continue
            before = max(0.0, known.long * self._long_decay**age - now)
            # Half a mention of benefit of doubt: a phrase never seen is not impossible.
            expected = (before + 0.5) * short_span / max(long_span - short_span, 1.0)
            surprise = max(poisson_surprise(now, expected), self._novelty(known))
            if surprise >= self.config.least_surprise:
                theme = Theme(phrase, len(known.authors), expected, surprise, known.example)
                found.append((theme, known.authors))
        found.sort(key=lambda t: (-t[0].surprise, -len(t[0].phrase), t[0].phrase))
        return _distinct(found, most)

    def _novelty(self, known: _Phrase) -> float:
        """-log10 of the chance that all uses of a phrase fall after its first one by accident.

        Under a constant rate each of the others falls into the last share f of the history with
        chance f; a phrase whose memory was dropped in between starts anew.
        """
        share = (self.seen - known.first + 1) / self.seen
        return -len(known.authors) * math.log10(share)

    def _prune(self) -> None:
        """Drop the rarer half of the memory."""
        now = self.seen
        kept = sorted(
            self._phrases.items(),
            key=lambda item: (
                -item[1].short * self._short_decay ** (now - item[1].at) - item[1].long * 0.01,
                item[0],
            ),
        )
        self._phrases = dict(kept[: self.config.phrases_most // 2])
        # What was dropped for rarity is not new when it comes back.
        for phrase, _ in kept[self.config.phrases_most // 2 :]:
            self._dropped[crc32(phrase.encode("utf-8", "surrogatepass")) & (_DOOR - 1)] = 1

    def snapshot(self) -> bytes:
        """The state, compact."""
        state = _State(
            SNAPSHOT_FORMAT, self.seen, self._phrases, bytes(self._door), bytes(self._dropped)
        )
        return zlib.compress(msgspec.msgpack.encode(state), 1)

    @classmethod
    def restore(cls, config: ThemesConfig, blob: bytes) -> "Themes":
        """State from a snapshot.

        Raises
        ------
        ValueError
            If the snapshot is of an unknown format.
        """
        try:
            state = msgspec.msgpack.decode(zlib.decompress(blob), type=_State)
        except (msgspec.DecodeError, zlib.error) as e:
            msg = f"not a snapshot of themes: {e}"
            raise ValueError(msg) from e
        if state.format != SNAPSHOT_FORMAT or len(state.door) != _DOOR:
            msg = f"snapshot of themes has unknown format {state.format}"
            raise ValueError(msg)
        themes = cls(config)
        themes.seen, themes._phrases = state.seen, state.phrases
        themes._door, themes._dropped = bytearray(state.door), bytearray(state.dropped)
        return themes


def phrases(text: str) -> set[str]:
    """Two and three neighbouring words of a text that say something, as people meant them."""
    words: list[str] = []
    for raw in split(text)[:_WORDS_READ]:
        for word in meaning(raw):
            if word in (".", "?", "!", "...") or word[0] == "<":
                words.append("")
            elif word not in STOP:
                words.append(word)
    found: set[str] = set()
    for size in (2, 3):
        for at in range(len(words) - size + 1):
            part = words[at : at + size]
            if all(part) and len(set(part)) > 1 and any(_telling(w) for w in part):
                found.add(" ".join(part))
    return found


def _telling(word: str) -> bool:
    """Whether a word is more than "not", "very" or a number."""
    kinds = lexicon().get(word, ())
    return len(word) > 2 and not {"negator", "booster", "but", "thanks"}.intersection(kinds)


def poisson_surprise(count: float, expected: float) -> float:
    """-log10 of the Chernoff bound on P(X >= count) for a Poisson mean; 0 below the mean."""
    if count <= expected:
        return 0.0
    return (count * math.log(count / expected) - count + expected) / math.log(10.0)


def _distinct(found: Sequence[tuple[Theme, set[int]]], most: int) -> list[Theme]:
    """One theme for each group of phrases that the same people use."""
    chosen: list[tuple[Theme, set[int]]] = []
    for theme, authors in found:
        same = any(
            len(authors & others) > len(authors) / 2
            and set(theme.phrase.split()) & set(other.phrase.split())
            for other, others in chosen
        )
        if not same:
            chosen.append((theme, authors))
        if len(chosen) == most:
            break
    return [theme for theme, _ in chosen]
