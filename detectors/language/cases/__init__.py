"""Our own hard cases: learned from when the weights are trained, and the gate of a promotion."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

from detectors.language.understanding import Sentiment


class Case(NamedTuple):
    """A text with what a careful reader says of it."""

    sentiment: Sentiment
    topics: tuple[str, ...]
    text: str


@cache
def hard_cases() -> tuple[Case, ...]:
    """The cases of `hard.tsv`."""
    return read(files("detectors.language.cases").joinpath("hard.tsv").read_text(encoding="utf-8"))


def read(table: str) -> tuple[Case, ...]:
    """Cases of a table: sentiment, topics (comma-separated) and text, by tabs; # comments."""
    cases = []
    for line in table.splitlines():
        if line and not line.startswith("# "):
            sentiment, topics, text = line.split("\t")
            cases.append(Case(sentiment, tuple(topics.split(",")), text))  # type: ignore[arg-type]  # our own file
    return tuple(cases)
