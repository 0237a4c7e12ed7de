"""Whose word counts: repeats, contradictions, what is kept to test with, and one person's cap."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, Protocol

import msgspec

from detectors.language.lesson_config import LessonConfig
from detectors.language.understanding import Sentiment

STARS: Final = "<stars>"
"""All ratings together count as one person: strangers give them."""

CONTRADICTIONS_MOST: Final = 200

Verdict = Literal["learn", "test", "repeat", "contradiction", "capped"]


class LabelLike(Protocol):
    """What a lesson needs of a record of `siaga.feedback.v1`."""

    @property
    def id(self) -> str: ...
    @property
    def who(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def mention(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def sentiment(self) -> Sentiment | None: ...
    @property
    def topics(self) -> tuple[str, ...] | None: ...
    @property
    def kind(self) -> Literal["label", "rating", "promote", "rollback"]: ...
    @property
    def version(self) -> str: ...


class Contradiction(msgspec.Struct, frozen=True):
    """Two people who read one mention differently."""

    mention: str
    text: str
    first_who: str
    first: str
    second_who: str
    second: str


class Said(msgspec.Struct, frozen=True, array_like=True):
    """The last word on a mention."""

    id: str
    who: str
    sentiment: Sentiment | None
    topics: tuple[str, ...] | None

    def __str__(self) -> str:
        topics = "" if self.topics is None else f"[{', '.join(self.topics)}]"
        return " ".join(filter(None, (self.sentiment, topics)))

    def contradicts(self, other: "Said") -> bool:
        """Whether both speak of the sentiment, or of the topics, and differ."""
        return (
            None not in (self.sentiment, other.sentiment) and self.sentiment != other.sentiment
        ) or (
            self.topics is not None
            and other.topics is not None
            and set(self.topics) != set(other.topics)
        )

    def after(self, before: "Said | None") -> "Said":
        """With what the same person said of the mention before and leaves open now."""
        if before is None or before.who != self.who:
            return self
        sentiment = self.sentiment or before.sentiment
        topics = before.topics if self.topics is None else self.topics
        return Said(self.id, self.who, sentiment, topics)


class Admission(msgspec.Struct):
    """What was said by whom: the memory that decides whether a label is learned."""

    by_person: dict[str, int] = msgspec.field(default_factory=dict)
    """Labels learned since the last promotion."""
    last: dict[str, Said] = msgspec.field(default_factory=dict)
    contradictions: list[Contradiction] = msgspec.field(default_factory=list)
    """The latest, newest last."""

    def judge(
        self,
        label: LabelLike,
        sentiment: Sentiment | None,
        topics: Sequence[str] | None,
        config: LessonConfig,
    ) -> Verdict:
        """Decide about a label and remember it.

        Parameters
        ----------
        sentiment, topics
            Those of the label that are known here; at least one is not None.
        """
        by_stars = label.kind == "rating"
        said = Said(
            label.id,
            STARS if by_stars else label.who,
            sentiment,
            None if topics is None else tuple(topics),
        )
        key = label.mention or label.id
        before = self.last.get(key)
        # Stars speak once of a review, and not after a person has.
        if before is not None and (before.id == said.id or by_stars):
            return "repeat"
        self._remember(key, said.after(before), config.remembered_mentions)
        if before is not None and before.who not in (STARS, said.who) and before.contradicts(said):
            self.contradictions.append(
                Contradiction(
                    label.mention, label.text[:280], before.who, str(before), said.who, str(said)
                )
            )
            del self.contradictions[:-CONTRADICTIONS_MOST]
            return "contradiction"
        if not self.room(said.who, config):
            return "capped"
        # Stars are noisy: they are never what a promotion is measured by.
        if (
            sentiment is not None
            and not by_stars
            # By the text: whoever says the same of it again must not teach what is the test.
            and zlib.crc32(label.text.encode("utf-8", "surrogatepass")) % config.held_out_every == 0
        ):
            return "test"
        self.by_person[said.who] = self.by_person.get(said.who, 0) + 1
        return "learn"

    def room(self, who: str, config: LessonConfig) -> bool:
        """Whether a further label of this person would be learned."""
        mine = self.by_person.get(who, 0)
        return mine < config.free_labels or mine < config.person_share_ratio * (
            sum(self.by_person.values()) + 1
        )

    def _remember(self, key: str, said: Said, most: int) -> None:
        self.last.pop(key, None)  # the newest stand last
        self.last[key] = said
        if len(self.last) > most:
            del self.last[next(iter(self.last))]
