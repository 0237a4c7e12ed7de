"""What a mention says: sentiment, topics, language, flags, by the model of this worker."""

from typing import Literal, Protocol

from streams.records import Mention, Scored, Sentiment


class Understood(Protocol):
    """What a reader returns (detectors.language.understanding.Understood)."""

    @property
    def sentiment(self) -> Sentiment: ...
    @property
    def probabilities(self) -> tuple[float, float, float]: ...
    @property
    def topics(self) -> tuple[str, ...]: ...
    @property
    def language(self) -> str: ...
    @property
    def flags(self) -> tuple[str, ...]: ...


class Reader(Protocol):
    """What understands texts (detectors.language.understanding.Language)."""

    @property
    def version(self) -> str: ...

    def understand(
        self, text: str, *, lang: str = "", rating: float | None = None, source: str = ""
    ) -> Understood: ...


def understand(
    reader: Reader, mention: Mention, fate: Literal["on_time", "late", "revision"]
) -> Scored:
    """The mention with its reading and the version of the model that read it."""
    read = reader.understand(
        mention.text, lang=mention.lang, rating=mention.rating, source=mention.source
    )
    return Scored(
        mention=mention,
        sentiment=read.sentiment,
        probabilities=read.probabilities,
        topics=read.topics,
        language=read.language,
        flags=read.flags,
        model=reader.version,
        fate=fate,
    )
