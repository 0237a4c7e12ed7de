"""Topics of one's own by `siaga.toml`: the same for the worker, classify and the team's lessons."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detectors.language.taxonomy import default
from streams.cli import build
from streams.config import ConfigError, load, parse
from streams.lessons import open_book, save_book, snapshot_path

AIRLINE = Path(__file__).parents[1] / "bench/airline_topics.toml"
OWN = """
[taxonomy.topics.parking]
title.id = "Parkir"
sure = ["parkir*"]
"""


def _run(*arguments: str, text: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(build(), arguments, input=text, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def airline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(AIRLINE, tmp_path / "topics.toml")
    (tmp_path / "siaga.toml").write_text('[taxonomy]\nfile = "topics.toml"\nextend = false\n')
    return tmp_path


def test_without_the_section_the_topics_that_ship_are_used() -> None:
    assert parse("").taxonomy.taxonomy == default()


def test_own_topic_joins_those_that_ship() -> None:
    taxonomy = parse(OWN).taxonomy.taxonomy
    assert taxonomy.names == (*default().names[:-2], "parking", "praise", "other")
    assert taxonomy.title("parking", "id") == "Parkir"
    assert parse(OWN + '[detection]\ntopics = ["parking"]').detection.topics == ("parking",)


def test_own_topic_takes_the_place_of_its_namesake() -> None:
    taxonomy = parse('[taxonomy.topics.delivery]\nsure = ["kereta"]').taxonomy.taxonomy
    assert taxonomy.names == default().names
    assert taxonomy.topics[default().names.index("delivery")].words["sure"] == ("kereta",)


def test_airline_file_serves_classify(airline: Path) -> None:
    line = '{"id":1,"text":"they lost my bag and the luggage claim desk is closed"}\n'
    answer = json.loads(_run("classify", text=line))
    assert answer["topics"][0] == "luggage"
    other = airline / "other.toml"
    other.write_text("")
    default_answer = json.loads(_run("classify", "-c", str(other), text=line))
    assert "luggage" not in default_answer["topics"]


def test_airline_file_serves_corrections_and_the_model_carries_it(airline: Path) -> None:
    text = ("--text", "zzyzx gate", "--sentiment", "negative")
    _run("feedback", "add", *text, "--topics", "late")
    refused = _run("feedback", "add", *text, "--topics", "delivery", code=2)
    assert "unknown topics ['delivery']" in refused
    assert "luggage" in refused
    digest = load().taxonomy.taxonomy.digest()
    assert f"~{digest}" in _run("model", "status")


def test_airline_file_serves_the_worker(airline: Path) -> None:
    from streams.pipeline.understand import understand
    from streams.records import Mention

    settings = load()
    book = open_book(settings)
    mention = Mention(
        id="s:1",
        source="s",
        published_at=_time(),
        collected_at=_time(),
        text="my flight was delayed for hours",
    )
    scored = understand(book.active, mention, "on_time")
    assert scored.topics == ("late",)
    assert scored.model == book.base
    assert "~" in scored.model


def _time() -> datetime:
    return datetime(2026, 11, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize("changed", [OWN, "[lessons]\nharm_ratio = 0.02\n"])
def test_snapshot_of_other_topics_or_thresholds_is_read_from_the_log_again(
    tmp_path: Path, changed: str
) -> None:
    folder = f'data_dir = "{tmp_path}"\n'
    settings = parse(folder)
    book = open_book(settings)
    book.skip(41)
    save_book(book, snapshot_path(settings))
    assert open_book(settings).next_offset == 42
    assert open_book(parse(folder + changed)).next_offset == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[taxonomy]\ntopics.parking.sures = ["a"]', "unknown key taxonomy.topics.parking.sures"),
        ('[taxonomy.topics.parking]\nsure = ["a b c"]', "taxonomy.topics.parking.sure.0"),
        ('[taxonomy.topics."p q"]\nsure = ["a"]', "taxonomy.topics.p q"),
        ('[taxonomy.topics.praise]\nsure = ["a"]', "'praise'"),
        ('[taxonomy]\nfile = "gone.toml"', "taxonomy.file"),
        ("[taxonomy]\nextend = false", "0 topics"),
        ('[detection]\ntopics = ["delivry"]', "unknown topic 'delivry'"),
    ],
)
def test_mistake_is_named_by_its_key(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert problem in str(caught.value)


def test_mistake_in_the_file_names_file_and_key(airline: Path) -> None:
    (airline / "topics.toml").write_text('[late]\nsure = "delayed"\n')
    with pytest.raises(ConfigError, match=r"topics\.toml: late\.sure: "):
        load()


def test_topics_are_few() -> None:
    many = "".join(f'[taxonomy.topics.t{n}]\nsure = ["a{n}"]\n' for n in range(25))
    with pytest.raises(ConfigError, match="give 1 to 24"):
        parse("[taxonomy]\nextend = false\n" + many)
