"""`[sources.NAME]`: each by the model of its type, each mistake by key and line."""

from pathlib import Path

import pytest

from connectors.settings import Sources
from connectors.sources.file import FileSettings
from streams.config import ConfigError, parse

HEAD = '[sources.posts]\ntype = "file"\npath = "a.csv"\n'


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("siaga.toml"))
    return list(caught.value.problems)


def test_a_source_gets_the_settings_of_its_type() -> None:
    sources = parse(HEAD + "speed = 60\n").section(Sources)
    assert sources.by_name() == {"posts": FileSettings(path=Path("a.csv"), speed=60)}


def test_an_unknown_type_names_the_nearest() -> None:
    [told] = problems('[sources.posts]\ntype = "fiel"\n')
    assert told.startswith("siaga.toml:2: sources.posts.type: ")
    assert 'did you mean "file"?' in told


def test_an_unknown_key_names_line_and_nearest() -> None:
    [told] = problems(HEAD + "foolow = true\n")
    assert told.startswith("siaga.toml:4: sources.posts.foolow: unknown key")
    assert 'did you mean "follow"?' in told


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("speed = -1", "siaga.toml:4: sources.posts.speed"),
        ('columns = { txt = "a" }', "siaga.toml:4: sources.posts.columns.txt"),
        ('fast_until = "2025-01-01T00:00:00"', "siaga.toml:4: sources.posts.fast_until"),
        ('encoding = "utf-16"', "siaga.toml:4: sources.posts.encoding"),
        ('run = "Not A Label"', "siaga.toml:4: sources.posts.run"),
    ],
)
def test_a_wrong_value_keeps_its_place(line: str, expected: str) -> None:
    assert problems(HEAD + line + "\n")[0].startswith(expected)


def test_a_missing_path_a_missing_type_and_a_bad_name_are_told() -> None:
    assert "path" in problems('[sources.posts]\ntype = "file"\n')[0]
    assert "needs a type" in problems("[sources.posts]\n")[0]
    assert "sources" in problems('[sources."Bad Name"]\ntype = "file"\npath = "a"\n')[0]
    assert "sources.posts" in problems("[sources]\nposts = 3\n")[0]


def test_no_sources_are_no_mistake() -> None:
    assert parse("").section(Sources).by_name() == {}
