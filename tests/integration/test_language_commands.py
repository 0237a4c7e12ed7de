"""The language commands on a real embedded log, and two workers that read one feedback log."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from services import Kafka
from typer.testing import CliRunner

from detectors.language.lessons import LessonBook
from streams import codec
from streams.cli import build
from streams.config import load, parse
from streams.lessons import fold, make_label, open_book, save_book, send, snapshot_path
from streams.log.open import open_log
from streams.log.port import Entry, Log
from streams.records import Mention, Scored, ScoredBatch
from streams.settings import RootSettings
from streams.topics import FEEDBACK, SCORED, TOPICS

NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str, text: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(build(), arguments, input=text, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_classify_answers_each_line_and_names_the_wrong_ones(here: Path) -> None:
    lines = '{"id":7,"text":"paket belum sampai, kecewa"}\n\nnonsense\n{"id":"b","text":"mantap"}\n'
    result = CliRunner().invoke(build(), ["classify"], input=lines)
    assert result.exit_code == 1
    answers = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [a["id"] for a in answers] == [7, "b"]
    assert answers[0]["sentiment"] == "negative"
    assert answers[0]["topics"] == ["delivery"]
    assert "kecewa" in answers[0]["highlights"]
    assert sum(answers[0]["probabilities"]) == pytest.approx(1.0, abs=1e-3)
    assert "line 3" in result.stderr


def test_many_lines_are_shared_by_processes_and_answered_in_their_order(here: Path) -> None:
    texts = ("paket belum sampai, kecewa", "mantap, cepat sekali", "jam buka berapa ya?")
    lines = [json.dumps({"id": n, "text": f"{texts[n % 3]} {n}"}) for n in range(9_000)]
    lines[5_000] = "nonsense"
    Path("lines.jsonl").write_text("\n".join(lines))
    told = {}
    for jobs in ("1", "3"):
        with Path("lines.jsonl").open("rb") as body:
            done = subprocess.run(
                [sys.executable, "-m", "streams.cli", "classify", "--jobs", jobs],
                stdin=body, capture_output=True, check=False,
            )  # fmt: skip
        assert (done.returncode, b"line 5001:" in done.stderr) == (1, True)
        told[jobs] = done.stdout
    assert told["1"] == told["3"]
    ids = [json.loads(line)["id"] for line in told["3"].splitlines()]
    assert ids == [n for n in range(9_000) if n != 5_000]


def test_correction_travels_from_command_to_promotion_and_back(here: Path) -> None:
    for number in range(12):
        _run(
            *("feedback", "add", "--who", f"ani{number % 2}", "--mention", f"m:{number}"),
            *("--text", f"wadidaw pesanan {number}", "--sentiment", "negative"),
        )
    assert "12 corrections in all" in _run("feedback", "list")
    status = _run("model", "status")
    assert "corrections: 12" in status
    assert "a promotion would pass" in status
    assert "in use: 2026" in _run("model", "promote", "--who", "ani")
    book = LessonBook()
    asyncio.run(_fold(book))
    assert book.active.understand("wadidaw").sentiment == "negative"
    assert "+" in book.active.version
    _run("model", "rollback")
    assert f"in use: {book.base} " in _run("model", "status")
    _run("model", "rollback", "no-such-version", code=1)


async def _fold(book: LessonBook) -> None:
    log = open_log(load())
    await fold(log, book)
    await log.close()


def test_export_is_what_import_reads(here: Path) -> None:
    table = here / "labels.csv"
    table.write_text("text,sentiment,topics,who\nrusak,negative,item,budi\nbagus,positive,,cici\n")
    assert "2 corrections" in _run("feedback", "import", str(table))
    out = here / "labels.jsonl"
    _run("feedback", "export", str(out))
    assert "2 corrections" in _run("feedback", "import", str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["text"], r["sentiment"], r["who"]) for r in rows] == [
        ("rusak", "negative", "budi"),
        ("bagus", "positive", "cici"),
    ]


def test_what_was_exported_teaches_nothing_when_it_is_imported_again(here: Path) -> None:
    table = here / "labels.csv"
    table.write_text("text,sentiment,who\nwadidaw,negative,budi\nmleyot,positive,cici\n")
    _run("feedback", "import", str(table))
    out = here / "labels.jsonl"
    _run("feedback", "export", str(out))
    before = _run("model", "status")
    for again, corrections in ((out, 4), (table, 6)):
        _run("feedback", "import", str(again))
        status = _run("model", "status")
        assert status.replace(f"corrections: {corrections}", "corrections: 2") == before


def test_correction_keeps_what_the_model_said_before(here: Path) -> None:
    text = ("--text", "mantap, paket sampai cepat")
    _run("feedback", "add", *text, "--sentiment", "negative", "--topics", "delivery,item")
    assert "positive -> negative [delivery, praise -> delivery, item]" in _run("feedback", "list")
    out = here / "labels.jsonl"
    _run("feedback", "export", str(out))
    row = json.loads(out.read_text())
    assert (row["was_sentiment"], row["was_topics"]) == ("positive", ["delivery", "praise"])


def test_ratings_are_imported_as_noisy_labels_beside_corrections(here: Path) -> None:
    table = here / "reviews.csv"
    table.write_text(
        "text,rating,sentiment\nwadidaw sekali,1,\nbiasa,3,\nkiyowo sekali,5,\nmleyot,5,negative\n"
    )
    told = _run("feedback", "import", str(table), "--who", "ani")
    assert "1 corrections recorded." in told
    assert "2 ratings recorded; 1 of three stars say nothing." in told
    assert "stars since the last promotion 2" in _run("model", "status")
    assert "1 corrections in all; 2 ratings." in _run("feedback", "list")


def test_thresholds_of_the_configuration_decide(here: Path) -> None:
    (here / "siaga.toml").write_text("[lessons]\nfree_labels = 3\nperson_share_ratio = 0.0\n")
    for number in range(12):
        _run("feedback", "add", "--text", f"wadidaw {number}", "--sentiment", "negative")
    assert "learned 3 " in _run("model", "status")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"text":"a","sentiment":"angry"}', "unknown sentiment"),
        ('{"text":"a","topics":["weather"]}', "unknown topics"),
        ('{"text":"a"}', "give a sentiment"),
        ('{"text":" ","sentiment":"negative"}', "empty"),
        ('{"sentiment":"negative"}', "text"),
        ('{"text":"a","rating":9}', "not between 1 and 5"),
        ('{"text":"a","rating":1,"at":"2026-01-01T10:00:00"}', "timezone"),
    ],
)
def test_wrong_record_refuses_the_whole_file(here: Path, body: str, problem: str) -> None:
    file = here / "x.jsonl"
    file.write_text('{"text":"ok","sentiment":"positive"}\n' + body + "\n")
    assert problem in _run("feedback", "import", str(file), code=2)
    assert "0 corrections" in _run("feedback", "list")


def test_suggestions_leave_out_what_is_labelled(here: Path) -> None:
    texts = ["hmm lumayan sih tapi ya gitu", "mantap puas banget", "entahlah kurang tahu juga"]
    asyncio.run(_score(texts))
    _run("feedback", "add", "--mention", "s:0", "--text", texts[0], "--sentiment", "neutral")
    rows = [json.loads(line) for line in _run("feedback", "suggest", "-n", "5").splitlines()]
    assert {r["mention"] for r in rows} == {"s:1", "s:2"}
    assert rows[0]["mention"] == "s:2"


async def _score(texts: list[str]) -> None:
    log = open_log(load())
    await log.ensure(TOPICS)
    scored = tuple(
        Scored(
            mention=Mention(id=f"s:{i}", source="s", published_at=NOW, collected_at=NOW, text=t),
            sentiment="neutral",
            probabilities=(0.3, 0.4, 0.3),
        )
        for i, t in enumerate(texts)
    )
    await log.append([Entry(SCORED, b"b", codec.encode(ScoredBatch("x", "b", scored)))])
    await log.close()


async def _two_workers(log: Log, settings: RootSettings) -> None:
    """One reads as it comes and restarts in between, the other reads all at the end."""
    words = ("wadidaw", "mleyot", "kiyowo")
    records = [
        make_label(
            who=f"p{i % 3}",
            at=NOW + timedelta(seconds=i),
            mention=f"m:{i}",
            text=f"{words[i % 3]} nomor {i}",
            sentiment=("negative", "positive", "neutral")[i % 3],
            topics=("delivery",) if i % 4 == 0 else None,
            kind="promote" if i in (20, 45) else "rollback" if i == 33 else "label",
        )
        for i in range(60)
    ]
    path = snapshot_path(settings)
    first = open_book(settings)
    for at in range(0, 60, 12):
        await send(log, records[at : at + 12])
        await fold(log, first, path=path)
        first = open_book(settings)
    await log.append([Entry(FEEDBACK, b"?", b"not a label", 0)])
    second = LessonBook()
    await fold(log, first)
    await fold(log, second)
    assert first.next_offset == second.next_offset == 61
    assert first.digest() == second.digest()
    assert second.active.version != second.base


def test_two_workers_hold_the_same_bits(tmp_path: Path) -> None:
    settings = parse(f'data_dir = "{tmp_path}"')

    async def run() -> None:
        log = open_log(settings)
        await _two_workers(log, settings)
        await log.close()

    asyncio.run(run())


@pytest.mark.kafka
def test_two_workers_hold_the_same_bits_on_kafka(kafka: Kafka, tmp_path: Path) -> None:
    settings = parse(
        f'data_dir = "{tmp_path}"\n[log]\nkind = "kafka"\n'
        f'bootstrap = ["{kafka.address}"]\nprefix = "language-lessons."'
    )

    async def run() -> None:
        log = open_log(settings)
        await _two_workers(log, settings)
        await log.close()

    asyncio.run(run())


def test_damaged_snapshot_is_read_from_the_log_again(tmp_path: Path) -> None:
    settings = parse(f'data_dir = "{tmp_path}"')
    path = snapshot_path(settings)
    save_book(LessonBook(), path)
    assert open_book(settings).next_offset == 0
    path.write_bytes(path.read_bytes()[:40])
    assert open_book(settings).digest() == LessonBook().digest()
