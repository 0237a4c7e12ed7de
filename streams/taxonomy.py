"""`[taxonomy]` of `siaga.toml`: what complaints can be about, as data.

The same topics serve the worker, `siaga classify`, the lessons of the team and the page. A file
has one table a topic, as `[taxonomy.topics.NAME]` has here (and as the taxonomy that ships).
"""

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from detectors.language.taxonomy import POINTS, Taxonomy, default, parse
from streams.section import Section

MOST_TOPICS = 24
"""Topics are values of metrics' labels, and each costs a weight a feature: few."""

TopicName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Phrase = Annotated[str, Field(pattern=r"^\S{1,60}( \S{1,60})?$")]
"""One or two words; a trailing * matches any ending."""
Phrases = Annotated[tuple[Phrase, ...], Field(max_length=500)]


class TopicSettings(Section):
    """One topic: its titles and the words that speak for it (3, 2, 1 points) or against it (-2)."""

    title: dict[Literal["id", "en"], str] = Field(default_factory=dict)
    sure: Phrases = ()
    likely: Phrases = ()
    hint: Phrases = ()
    against: Phrases = ()
    strict: bool = False
    """Never a mere guess: named only when its words reach 3 points."""


_tables: TypeAdapter[dict[TopicName, TopicSettings]] = TypeAdapter(dict[TopicName, TopicSettings])


class TaxonomySettings(Section):
    """Topics of your own, added to those that ship or instead of them."""

    extend: bool = True
    """False: only the topics named here and in `file`."""
    file: Path | None = None
    """A TOML file with a table for each topic."""
    topics: dict[TopicName, TopicSettings] = Field(default_factory=dict)
    """A topic named as one that ships, or as one of the file, takes its place."""
    praise: TopicName | Literal[""] = "praise"
    """Topic of positive mentions; "" for none."""
    other: TopicName | Literal[""] = "other"
    """Topic of what no other topic fits; "" for none."""

    @field_validator("file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            _read(path)
        return path

    @model_validator(mode="after")
    def _fits(self) -> "TaxonomySettings":
        count = len(self.taxonomy.topics)
        if not 1 <= count <= MOST_TOPICS:
            msg = f"{count} topics; give 1 to {MOST_TOPICS} in [taxonomy.topics.NAME] or in a file"
            raise ValueError(msg)
        return self

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The closed set of topics that all of Siaga uses; the file is read once."""
        tables = {**(_read(self.file) if self.file else {}), **self.topics}
        own = parse(
            {name: _table(topic) for name, topic in tables.items()},
            praise=self.praise,
            other=self.other,
        )
        if not self.extend:
            return own
        topics = {t.name: t for t in default().topics if t.name not in (self.praise, self.other)}
        topics |= {t.name: t for t in own.topics}
        return Taxonomy(tuple(topics.values()), self.praise, self.other)


def _table(topic: TopicSettings) -> dict[str, Any]:
    return topic.model_dump(include={"title", "strict", *POINTS})


def _read(path: Path) -> dict[str, TopicSettings]:
    """The topics of a file.

    Raises
    ------
    ValueError
        If it cannot be read or holds a mistake; the message names the file and the key.
    """
    try:
        return _tables.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as e:
        msg = f"{path} cannot be read: {e}"
        raise ValueError(msg) from e
    except tomllib.TOMLDecodeError as e:
        msg = f"{path} is not valid TOML: {e}"
        raise ValueError(msg) from e
    except ValidationError as e:
        where = [".".join(str(p) for p in m["loc"] if p != "[key]") for m in e.errors()]
        told = "; ".join(f"{w}: {m['msg']}" for w, m in zip(where, e.errors(), strict=True))
        msg = f"{path}: {told}"
        raise ValueError(msg) from e
