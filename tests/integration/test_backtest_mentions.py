"""`siaga backtest mentions` as a person runs it: JSON, gate, comparison, labels, report."""

import csv
import gzip
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result as Ran
from typer.testing import CliRunner

from streams.backtest.history import CannotRead, Request, Tally, open_history
from streams.backtest.report import Story, levels_of, render
from streams.backtest.result import BrandResult, Case, Result
from streams.backtest.told import delays_s, incidents
from streams.cli import build
from streams.records import Batch, Incident, LevelChange

START = datetime(2026, 3, 2, tzinfo=UTC)
ONSET = START + timedelta(days=2, hours=9)
CALM = ("mantap, cepat sekali", "jam buka toko berapa ya?", "beli lagi bulan depan", "keren")
ANGRY = ("paket saya belum sampai, kecewa!", "kurirnya hilang, kecewa berat", "parah, uang hilang")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two brands over two and a half days; one has a crisis on the third morning."""
    rng = random.Random(5)
    rows = []
    for n in range(int(2.5 * 24 * 60)):
        at = START + timedelta(minutes=n)
        for brand, share in (("Toko Satu", 0.5), ("Kurir Dua", 0.3)):
            if rng.random() < share:
                rows.append((at, brand, rng.choice(CALM)))
            if brand == "Toko Satu" and timedelta() <= at - ONSET < timedelta(minutes=45):
                rows += [(at, brand, f"{rng.choice(ANGRY)} {k}") for k in range(rng.randint(2, 6))]
    path = tmp_path_factory.mktemp("history") / "tweets.csv"
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(("id", "created_at", "merek_dagang", "author", "text"))
        for n, (at, brand, text) in enumerate(rows):
            second = timedelta(seconds=rng.random() * 0.9)
            writer.writerow((n, (at + second).isoformat(), brand, f"u{rng.randrange(900)}", text))
    return path


def backtest(history: Path, *flags: str) -> Ran:
    command = ["backtest", "mentions", str(history), "--brand-column", "merek_dagang", *flags]
    return CliRunner().invoke(build(), command)


@pytest.fixture(scope="module")
def told(history: Path) -> dict[str, Any]:
    """The JSON of a run with a report, a second configuration and labels."""
    folder = history.parent
    (folder / "deaf.toml").write_text("[severity]\nalert_excess = 100000\ncrisis_excess = 1e8\n")
    labels = folder / "labels.csv"
    end = ONSET + timedelta(hours=2)
    labels.write_text(f"brand,start,end\ntoko-satu,{ONSET.isoformat()},{end.isoformat()}\n")
    ran = backtest(
        history,
        "--json", str(folder / "out.json"),
        "--report", str(folder / "out.html"),
        "--against", str(folder / "deaf.toml"),
        "--labels", str(labels),
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    made: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return made


def test_the_crisis_is_listed_with_the_time_of_each_level(told: dict[str, Any]) -> None:
    alerts = [i for i in told["incidents"] if i["level"] == 2]
    assert [i["brand"] for i in alerts] == ["toko-satu"]
    alert = alerts[0]
    opened = datetime.fromisoformat(alert["opened_at"])
    assert alert["opened_at"].endswith("Z")
    assert ONSET <= opened <= ONSET + timedelta(minutes=20)
    watch = next(i for i in told["incidents"] if i["level"] == 1)
    assert datetime.fromisoformat(watch["opened_at"]) <= opened
    assert datetime.fromisoformat(alert["onset"]) <= opened
    assert alert["closed_at"] is not None
    assert alert["observed"] > alert["expected"]


def test_labels_judge_the_pages(told: dict[str, Any]) -> None:
    labels = told["labels"]
    assert (labels["found"], labels["missed"], labels["false_pages"]) == (1, 0, 0)
    assert 0 <= labels["median_seconds_from_label"] <= 1200
    assert told["against"]["labels"]["missed"] == 1


def test_the_difference_names_the_page_that_the_other_configuration_lacks(
    told: dict[str, Any],
) -> None:
    assert told["pages"] == 1
    assert told["against"]["pages"] == 0
    [pair] = told["against"]["difference"]
    assert pair["brand"] == "toko-satu"
    assert pair["second"] is None


def test_the_report_holds_the_evidence_and_asks_no_other_host(
    told: dict[str, Any], history: Path
) -> None:
    assert told["pages"] == 1
    page = (history.parent / "out.html").read_text("utf-8")
    assert page.count("<svg") == 3  # two brands, one incident
    assert "Toko Satu" in page
    assert "kecewa" in page
    assert "SIAGA" in page or "AWAS" in page
    assert "http" not in page
    assert "<script" not in page


def test_one_process_and_two_tell_the_same(told: dict[str, Any], history: Path) -> None:
    out = history.parent / "alone.json"
    ran = backtest(history, "--json", str(out), "--jobs", "1")
    assert ran.exit_code == 0, ran.output
    alone = json.loads(out.read_text())
    assert alone["incidents"] == told["incidents"]
    assert alone["mentions"] == told["mentions"]


@pytest.mark.parametrize(("most", "status"), [("0.1", 1), ("50", 0)])
def test_the_gate_closes_when_pages_are_too_many(history: Path, most: str, status: int) -> None:
    ran = backtest(history, "--max-pages-per-week", most)
    assert ran.exit_code == status, ran.output


def test_an_unreadable_history_is_named(tmp_path: Path) -> None:
    ran = CliRunner().invoke(build(), ["backtest", "mentions", str(tmp_path / "none.csv")])
    assert ran.exit_code == 2
    assert "none.csv: no such file" in ran.output
    (tmp_path / "some.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CannotRead, match="column"):
        open_history(Request(files=[tmp_path / "some.csv"]))


@pytest.mark.shared
def test_every_tweet_of_real_airlines_is_read(shared: Path) -> None:
    history = open_history(
        Request(files=[shared / "data/airline/tweets.csv"], columns={"brand": "airline"})
    )
    mentions = sum(len(r.mentions) for r in history.records if isinstance(r, Batch))
    assert mentions == history.tally.mentions == 14_485
    assert len(history.brands) == 6
    assert history.tally.done_ratio == pytest.approx(1.0)


def write(path: Path, rows: Sequence[tuple[object, ...]]) -> Path:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as sink:
        csv.writer(sink).writerows([("time", "brand", "text"), *rows])
    return path


def run_over(*files: Path) -> tuple[Ran, dict[str, Any]]:
    out = files[0].parent / "out.json"
    ran = CliRunner().invoke(
        build(), ["backtest", "mentions", *map(str, files), "--json", str(out)]
    )
    assert ran.exit_code == 0, ran.output
    made: dict[str, Any] = json.loads(out.read_text())
    return ran, made


def test_a_history_cut_into_files_tells_what_it_tells_in_one(history: Path, tmp_path: Path) -> None:
    with history.open(encoding="utf-8", newline="") as source:
        rows = [(r["created_at"], r["merek_dagang"], r["text"]) for r in csv.DictReader(source)]
    half = len(rows) // 2  # mid-day: the first file's end is no silence of a channel
    _, whole = run_over(write(tmp_path / "all.csv", rows))
    _, parts = run_over(
        write(tmp_path / "first.csv", rows[:half]), write(tmp_path / "second.csv.gz", rows[half:])
    )
    kept = ("brand", "level", "signal", "onset", "opened_at", "closed_at", "observed", "expected")
    assert [[i[k] for k in kept] for i in parts["incidents"]] == [
        [i[k] for k in kept] for i in whole["incidents"]
    ]


def test_rows_that_cannot_be_read_are_counted_by_reason(tmp_path: Path) -> None:
    good = (START.isoformat(), "kopi", "enak")
    odd = ("kemarin", "2206-03-02T00:00:00Z", "1970-01-01T00:00:00Z")
    rows = [good, *((time, "kopi", "enak") for time in odd), (START.isoformat(), "kopi", " "), good]
    ran, told = run_over(write(tmp_path / "some.csv", rows))
    assert (told["rows"], told["mentions"], told["dead"]) == (6, 2, 4)
    assert told["dead_reasons"] == {
        "broken_row": 1, "empty_text": 1, "time_too_new": 1, "time_too_old": 1,
    }  # fmt: skip
    assert "empty_text 1" in ran.output


def test_weeks_that_lie_ahead_of_the_clock_are_weeks(tmp_path: Path) -> None:
    start = datetime.now(UTC) + timedelta(days=30)
    rows = [((start + timedelta(days=n)).isoformat(), "kopi", "enak") for n in range(15)]
    _, told = run_over(write(tmp_path / "ahead.csv", rows))
    assert told["brand_weeks"] == pytest.approx(2.0, abs=0.01)


def test_every_brand_of_the_column_is_replayed(tmp_path: Path) -> None:
    rows = [(START.isoformat(), f"brand {n}", "enak") for n in range(250)]
    _, told = run_over(write(tmp_path / "many.csv", rows))
    assert (len(told["brands"]), told["dead"]) == (250, 0)


def told_at(minute: int, level: int, **values: Any) -> Incident:
    opened = START + timedelta(minutes=10)
    given: dict[str, Any] = {
        "signal": "negative", "onset": START, "observed": 20.0, "expected": 2.0, "score": 6.0,
        **values,
    }  # fmt: skip
    return Incident(
        id="backtest/kopi/1", brand="kopi", level=level, peak=max(level, 2), upper=5.0,
        opened_at=opened, updated_at=START + timedelta(minutes=minute),
        history=(LevelChange(2, opened), LevelChange(level, START + timedelta(minutes=minute))),
        **given,
    )  # fmt: skip


def test_a_slow_burn_that_goes_on_does_not_date_the_page_back() -> None:
    page = told_at(10, 2)
    case = Case(page)
    slow = {"signal": "slow_burn", "onset": START - timedelta(days=2), "observed": 0.3}
    for incident in (page, told_at(90, 1, **slow, expected=0.2, score=2.9)):
        case.note(incident)
        case.last = incident
    case.paged = page
    result = Result("one", [BrandResult("kopi", cases=[case])])
    for entry in incidents(result):
        assert (entry["signal"], entry["observed"], entry["score"]) == ("negative", 20.0, 6.0)
        assert entry["onset"] == START.isoformat().replace("+00:00", "Z")
    assert delays_s(result) == [600.0]


def test_a_report_draws_no_level_on_after_it_fell_and_names_topics_as_people_do() -> None:
    page = told_at(10, 2, topics={"delivery": 0.7, "other": 0.3}, sentences={"id": "x"})
    begun, closed = page.opened_at, START + timedelta(hours=6)
    changes = [(3, begun), (0, begun + timedelta(hours=1)), (1, closed - timedelta(minutes=9))]
    last = msgspec.structs.replace(
        page, level=0, closed_at=closed, history=(*(LevelChange(*c) for c in changes),)
    )
    case = Case(last, paged=page, pages=1)
    assert [(level, round(until - begin)) for level, begin, until in levels_of(case)] == [
        (3, 3600),
        (1, 540),
    ]
    case.note(page)
    result = Result("one", [BrandResult("kopi", cases=[case])])
    html = render(Story([result], Tally(), {"kopi": "Kopi"}))
    assert "Pengiriman" in html
    assert "delivery" not in html
    assert "Lainnya" in html


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--time-zone", "Mars/Base"), "no time zone"),
        (("--time-format", "%d"), "no row became a mention"),
        (("--report", "nowhere/out.html"), "no such folder"),
    ],
)
def test_a_mistake_in_the_flags_is_named_and_opens_no_gate(
    flags: tuple[str, str], told: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "some.csv", [(START.isoformat(), "kopi", "enak")])
    asked = ["backtest", "mentions", str(path), *flags, "--max-pages-per-week", "1"]
    ran = CliRunner().invoke(build(), asked)
    assert ran.exit_code == 2, ran.output
    assert told in ran.output
