"""Minutes in event time: mentions fill them, the watermark closes them; then they never change."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from streams.pipeline.authors import distinct, note
from streams.pipeline.series import Part, Watched
from streams.records import Counts, Engagement, Scored

MINUTE_S = 60

REPOST_AUDIENCE = 100.0
"""Views assumed for one repost of unknown audience; the order of magnitude of a median account's
followers (Pew Research 2019: 25 for the median US user, 387 for the most active tenth). It scales
the reach signal of a source without views; the detectors are relative, so its value is not felt."""


def spread_of(engagement: Engagement) -> float:
    """People whom a mention has reached by being passed on: views, else an estimate by reposts.

    A large account alone is no spread: a grumble that nobody passes on is not going viral.

    Examples
    --------
    >>> spread_of(Engagement(reposts=2, followers=1_000_000))
    201.0
    """
    passed_on = 1.0 + REPOST_AUDIENCE * engagement.reposts + engagement.likes + engagement.replies
    return float(max(engagement.views, passed_on))


def reach_of(engagement: Engagement) -> float:
    """People who may have seen a mention: its spread, and its author's followers once it moves.

    Examples
    --------
    >>> reach_of(Engagement(views=5000, reposts=2))
    5000.0
    >>> reach_of(Engagement(reposts=2, followers=99))
    300.0
    """
    spread = spread_of(engagement)
    return spread if spread <= 1.0 else max(float(engagement.views), spread + engagement.followers)


class OpenMinute(msgspec.Struct):
    """A minute that still fills. Mutable: its owner uses it linearly."""

    mentions: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    negative_mass: float = 0.0
    authors: bytearray = msgspec.field(default_factory=bytearray)
    reach: float = 0.0
    top_reach: float = 0.0
    own: int = 0
    security: int = 0
    by_channel: dict[str, int] = msgspec.field(default_factory=dict)
    by_topic: dict[str, int] = msgspec.field(default_factory=dict)
    parts: dict[str, Part] = msgspec.field(default_factory=dict)
    """Of topics and channels that are watched apart."""

    def add(self, scored: Scored, watched: Watched) -> None:
        """Count one on-time mention."""
        mention = scored.mention
        if mention.own:
            self.own += 1
            return
        self.mentions += 1
        sentiment = scored.sentiment
        if sentiment == "negative":
            self.negative += 1
        elif sentiment == "neutral":
            self.neutral += 1
        else:
            self.positive += 1
        self.negative_mass += scored.probabilities[0]
        self.reach += reach_of(mention.engagement)
        self.spread(scored)
        self.by_channel[mention.source] = self.by_channel.get(mention.source, 0) + 1
        watched.add(self.parts, scored)
        if sentiment != "positive":
            for topic in scored.topics:
                self.by_topic[topic] = self.by_topic.get(topic, 0) + 1
        if sentiment == "negative" and "security" in scored.flags:
            self.security += 1
        if mention.author:
            note(self.authors, mention.author)

    def spread(self, scored: Scored) -> None:
        """Note how far a negative mention has come."""
        if scored.sentiment == "negative":
            self.top_reach = max(self.top_reach, spread_of(scored.mention.engagement))

    def counts(self) -> Counts:
        """The minute as a value."""
        return Counts(
            mentions=self.mentions,
            negative=self.negative,
            neutral=self.neutral,
            positive=self.positive,
            negative_mass=round(self.negative_mass, 6),
            authors=self._voices(),
            reach=self.reach,
            top_reach=self.top_reach,
            own=self.own,
            by_channel=self.by_channel.copy(),
            by_topic=self.by_topic.copy(),
        )

    def _voices(self) -> int:
        """Distinct authors; most minutes hold one mention, which needs no estimate."""
        if self.mentions > 1:
            return min(distinct(self.authors), self.mentions)
        return self.mentions if self.authors else 0


class Together(NamedTuple):
    """What open minutes hold of what raises a level."""

    negative: float
    security: int
    top_reach: float


def together(minutes: Iterable[OpenMinute]) -> Together:
    """Sum up open minutes.

    Examples
    --------
    >>> together([OpenMinute(negative_mass=0.5, top_reach=9.0), OpenMinute(negative_mass=0.25)])
    Together(negative=0.75, security=0, top_reach=9.0)
    """
    negative, security, top_reach = 0.0, 0, 0.0
    for minute in minutes:
        negative += minute.negative_mass
        security += minute.security
        top_reach = max(top_reach, minute.top_reach)
    return Together(negative, security, top_reach)


def minute_of(time_s: float) -> int:
    """Start of the minute that holds a time, in epoch seconds."""
    return int(time_s // MINUTE_S) * MINUTE_S
