"""What a mention says: sentiment, topics, language and flags, in one pass over its tokens."""

import hashlib
import math
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from detectors.language.flags import flags
from detectors.language.linear import softmax
from detectors.language.locale import language
from detectors.language.packed import ONE
from detectors.language.reading import read_tokens
from detectors.language.scorer import MEMO_MOST, Scorer
from detectors.language.sentiment import SentimentClassifier
from detectors.language.shipped import shipped
from detectors.language.taxonomy import Taxonomy, default
from detectors.language.tokens import split
from detectors.language.topics import EVEN_POINTS, POINTS_MOST, STEEPNESS, TopicClassifier

Sentiment = Literal["negative", "neutral", "positive"]
SENTIMENTS: Final[tuple[Sentiment, ...]] = ("negative", "neutral", "positive")

RATING_LOG_ODDS: Final = {
    1: (2.5, 0.0, -2.5),
    2: (2.0, 0.0, -2.0),
    4: (-0.8, 0.0, 0.8),
    5: (-1.5, 0.0, 1.5),
}
"""What a review's stars add to the log-odds (negative, neutral, positive). People give five stars
by habit and one star in anger, hence the asymmetry; three stars say nothing."""


RATING_TRUST: Final = 0.3
"""Weight of a label that comes from stars: free, but one in ten contradicts its text (prdect)."""

WORDLESS_LENGTH: Final = 1.5
"""Below it a text has only the two features that every text has (together 1.41): no words."""
WORDLESS_NEUTRAL: Final = 2.0
"""Log-odds of neutral for a text without words: a picture or a link says nothing by itself."""

REPEATS_LENGTH: Final = 500
"""Characters of the longest text whose reading is remembered: longer ones do not come again."""

_POINTS_MOST: Final = round(POINTS_MOST * ONE)
WEIGHTS: Final = "sentiment.bin"
HIGHLIGHTS_MOST: Final = 5


class LanguageConfig(msgspec.Struct, frozen=True):
    """How mentions are understood.

    Attributes
    ----------
    taxonomy
        The closed set of topics; None for the one that ships.
    guess_threshold
        Least probability at which a complaint's best topic is named when none is likely
        (topics that are `strict` are never guessed).
    topic_threshold
        Least probability at which a topic is named.
    memo_tokens
        Distinct tokens kept compiled, about 1.3 kB each with their pairs.
    memo_texts
        Short texts whose reading is remembered, about 1 kB each; 0: none. In a crisis a post is
        passed on word for word, and short praise is always the same. (Of 14,485 airline tweets,
        collected without retweets, 0.3 % had been said before.)
    """

    taxonomy: Taxonomy | None = None
    guess_threshold: float = 0.12
    topic_threshold: float = 0.5
    memo_tokens: int = MEMO_MOST
    memo_texts: int = 4_096


class Understood(msgspec.Struct, frozen=True):
    """What was understood of one mention."""

    sentiment: Sentiment
    probabilities: tuple[float, float, float]
    """(negative, neutral, positive), summing to 1."""
    topics: tuple[str, ...]
    language: str
    """"id", "en", "jv", "su", "min", or "" when the words do not tell."""
    flags: tuple[str, ...]


class Learned(msgspec.Struct, frozen=True):
    """Rows of the tables that differ from what ships: the whole of a model's experience."""

    sentiment: bytes
    topics: bytes


class Language:
    """One per worker: the models, their memo and the taxonomy.

    Not thread-safe: learning clears the memo that predicting fills.
    """

    def __init__(self, config: LanguageConfig = LanguageConfig()) -> None:  # noqa: B008  # frozen
        self.config = config
        self.taxonomy = config.taxonomy or default()
        self.sentiment = SentimentClassifier(SENTIMENTS)
        self.topics = TopicClassifier(config.taxonomy)
        table, about = shipped(WEIGHTS)
        self.sentiment.adopt(table.copy())
        self.version = str(about["version"])
        """Carried by every scored mention; topics of one's own are part of it."""
        if self.taxonomy != default():
            self.version += f"~{self.taxonomy.digest()}"
        self.rebuild()

    def rebuild(self) -> None:
        """Call after a whole table was replaced."""
        rules = self.topics.rules
        self._names = tuple(t.name for t in self.taxonomy.topics)
        self._outputs = 3 + self.topics.table.outputs
        self._scorer = Scorer(
            (self.sentiment.table, self.topics.table),
            rules.points,
            rules.pairs,
            rules.fields,
            self.config.memo_tokens,
        )
        self._least_odds = _logit(self.config.topic_threshold)
        self._guess_odds = _logit(self.config.guess_threshold)
        self._known = lru_cache(self.config.memo_texts)(self._read)
        self._stale = False

    def understand(
        self,
        text: str,
        *,
        lang: str = "",
        rating: float | None = None,
        source: str = "",  # noqa: ARG002  # part of the contract, for models by source
    ) -> Understood:
        """Understand one text; never raises, whatever the text holds.

        Parameters
        ----------
        text
            Anything; the first 2,000 characters are read.
        lang
            The language that the source names, if it does.
        rating
            Stars of a review, 1..5: evidence for the sentiment.
        source
            Name of the source; not used yet.
        """
        if self._stale:
            self._freshen()
        read = self._known if len(text) <= REPEATS_LENGTH else self._read
        return read(text, lang, rating)

    def _read(self, text: str, lang: str, rating: float | None) -> Understood:
        return self._understood(text, split(text), lang, rating)

    def _freshen(self) -> None:
        """Forget what was computed from weights that have changed."""
        self._scorer.forget()
        self._known.cache_clear()
        self._stale = False

    def explain(
        self,
        text: str,
        *,
        lang: str = "",
        rating: float | None = None,
        source: str = "",  # noqa: ARG002  # as in `understand`
    ) -> tuple[Understood, tuple[str, ...]]:
        """As `understand`, with up to five tokens that spoke most for the sentiment given."""
        if self._stale:
            self._freshen()
        raws = split(text)
        each: list[int] = []
        read = self._understood(text, raws, lang, rating, each)
        leads = self._scorer.leads(raws, each, SENTIMENTS.index(read.sentiment))
        strongest = sorted(leads, key=leads.__getitem__, reverse=True)
        return read, tuple(strongest[:HIGHLIGHTS_MOST])

    def _understood(
        self,
        text: str,
        raws: Sequence[str],
        lang: str,
        rating: float | None,
        each: list[int] | None = None,
    ) -> Understood:
        sums, length = self._scorer.sums_of(raws, each)
        scale = ONE * length
        scores = [sums[0] / scale, sums[1] / scale, sums[2] / scale]
        if length < WORDLESS_LENGTH:
            scores = [0.0, WORDLESS_NEUTRAL, 0.0]
        if rating is not None and 0 < rating < 6:  # false for NaN too
            shift = RATING_LOG_ODDS.get(round(rating))
            if shift:
                scores = [a + b for a, b in zip(scores, shift, strict=True)]
        negative, neutral, positive = softmax(scores)
        if negative >= positive:
            sentiment: Sentiment = "negative" if negative >= neutral else "neutral"
        else:
            sentiment = "positive" if positive >= neutral else "neutral"
        topics = self._topics(sums, scale, sentiment)
        return Understood(
            sentiment,
            (negative, neutral, positive),
            topics,
            language(raws, lang),
            flags(text, raws, topics),
        )

    def _topics(self, sums: Sequence[int], scale: float, sentiment: Sentiment) -> tuple[str, ...]:
        # `prior_log_odds`, without a call for each topic.
        odds = [
            learned / scale
            + STEEPNESS * ((points / ONE if points < _POINTS_MOST else POINTS_MOST) - EVEN_POINTS)
            for learned, points in zip(sums[3 : self._outputs], sums[self._outputs :], strict=False)
        ]
        best = max(odds, default=-math.inf)
        if best >= self._least_odds:
            found = [n for n, o in zip(self._names, odds, strict=False) if o >= self._least_odds]
        elif sentiment == "negative" and best >= self._guess_odds:
            topic = self.taxonomy.topics[odds.index(best)]
            found = [] if topic.strict else [topic.name]
        else:
            found = []
        if sentiment == "positive" and self.taxonomy.praise:
            found.append(self.taxonomy.praise)
        if not found and self.taxonomy.other:
            found.append(self.taxonomy.other)
        return tuple(found)

    def highlights(self, text: str) -> tuple[str, ...]:
        """Up to five tokens of the text that spoke most for its sentiment, strongest first."""
        return self.explain(text)[1]

    def learn(
        self,
        text: str,
        sentiment: Sentiment | None = None,
        topics: Collection[str] | None = None,
        trust: float = 1.0,
    ) -> None:
        """One step from one label; a topic of the taxonomy that is not named is denied.

        Parameters
        ----------
        trust
            0..1: weight of the sentiment label; `RATING_TRUST` for one that stars gave.

        Raises
        ------
        ValueError
            If the sentiment or a topic is not one of the closed sets.
        """
        if sentiment is not None and sentiment not in SENTIMENTS:
            msg = f"unknown sentiment {sentiment!r}; use one of {', '.join(SENTIMENTS)}"
            raise ValueError(msg)
        if topics is not None and (unknown := set(topics) - set(self.taxonomy.names)):
            msg = f"unknown topics {sorted(unknown)}; known: {', '.join(self.taxonomy.names)}"
            raise ValueError(msg)
        raws = split(text)
        places, values = read_tokens(raws)
        if sentiment is not None:
            self.sentiment.learn_read(places, values, sentiment, trust)
        if topics is not None:
            truth = {name: name in topics for name in self._names}
            self.topics.learn_read(places, values, self.topics.prior_of(raws), truth)
        self._stale = True

    def learn_rating(self, text: str, rating: float) -> None:
        """Take a review's stars as a noisy label; three stars, and no number, teach nothing."""
        sentiment = sentiment_of(rating)
        if sentiment is not None:
            self.learn(text, sentiment, trust=RATING_TRUST)

    def copy(self, version: str = "") -> "Language":
        """An independent copy, under its own version if one is given."""
        return self.restored(self.config, self.learned(), version or self.version)

    def learned(self) -> Learned:
        """What was learned since shipping: the rows that differ, exactly."""
        base, _ = shipped(WEIGHTS)
        return Learned(self.sentiment.table.difference(base), self.topics.table.difference(None))

    @classmethod
    def restored(cls, config: LanguageConfig, learned: Learned, version: str) -> "Language":
        """A model from the shipped weights and what was learned since."""
        model = cls(config)
        model.sentiment.table.put(learned.sentiment)
        model.topics.table.put(learned.topics)
        model.version = version
        model.stale()
        return model

    def stale(self) -> None:
        """Call after a table was changed from outside."""
        self._stale = True
        self.sentiment.stale()
        self.topics.stale()

    def digest(self) -> str:
        """Fingerprint of all weights, bit by bit: equal on workers that learned the same."""
        mark = hashlib.sha256()
        for table in (self.sentiment.table, self.topics.table):
            mark.update(table.weights.tobytes())
            mark.update(table.variance.tobytes())
        return mark.hexdigest()[:16]


def sentiment_of(rating: float) -> Sentiment | None:
    """What stars (1..5) say: 1 and 2 negative, 4 and 5 positive, 3 and no number nothing."""
    if 1 <= rating <= 2:
        return "negative"
    return "positive" if 4 <= rating <= 5 else None


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))
