"""The backtest tells what the live services tell of many brands and of announced events."""

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from streams.backtest.result import Result as Replayed
from streams.cli import build
from streams.outbreak.watch import Watch
from streams.pipeline.judge import outbreak_record

START = datetime(2026, 3, 2, tzinfo=UTC)
ONSET = START + timedelta(days=2, hours=3)
BRANDS = ("Toko Satu", "Kurir Dua", "Dompet Tiga", "Lapak Empat")
ANGRY = ("transfer gagal terus, kecewa!", "uang hilang, parah sekali", "pembayaran error, kecewa")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four brands over two days and a bit; a bank fails and three of them are blamed."""
    rng = random.Random(9)
    path = tmp_path_factory.mktemp("together") / "posts.csv"
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(("id", "created_at", "merek", "author", "text"))
        n = 0
        for minute in range(int(2.3 * 1440)):
            at = START + timedelta(minutes=minute)
            for brand in BRANDS:
                texts = ["jam buka berapa ya?"] * (rng.random() < 0.25)
                if brand != BRANDS[3] and timedelta() <= at - ONSET < timedelta(minutes=40):
                    texts += [f"{rng.choice(ANGRY)} {k}" for k in range(rng.randint(3, 7))]
                for text in texts:
                    n += 1
                    writer.writerow((n, at.isoformat(), brand, f"u{rng.randrange(900)}", text))
    return path


def backtest(history: Path, name: str, *flags: str) -> tuple[Result, dict[str, Any]]:
    out = history.parent / f"{name}.json"
    ran = CliRunner().invoke(
        build(),
        ["backtest", "mentions", str(history), "--brand-column", "merek", "--json", str(out),
         "--report", str(history.parent / f"{name}.html"), *flags],
    )  # fmt: skip
    return ran, json.loads(out.read_text()) if ran.exit_code == 0 else {}


def test_brands_that_fail_together_are_one_outbreak(history: Path) -> None:
    ran, told = backtest(history, "plain")
    assert ran.exit_code == 0, ran.output
    [parent] = told["outbreaks"]
    assert parent["brands"] == ["dompet-tiga", "kurir-dua", "toko-satu"]
    opened = datetime.fromisoformat(parent["opened_at"])
    assert ONSET <= opened <= ONSET + timedelta(minutes=30)
    assert parent["closed_at"] is not None
    assert set(parent["children"]) <= {i["incident"] for i in told["incidents"]}
    assert "many brands at once" in ran.output
    page = (history.parent / "plain.html").read_text("utf-8")
    assert "Banyak merek sekaligus" in page
    _, alone = backtest(history, "alone", "--jobs", "1")
    assert alone["outbreaks"] == told["outbreaks"]


def test_what_is_folded_apart_is_what_the_service_folds(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.backtest import replay

    minutes = []
    note = replay.Replay._note

    def noted(self: replay.Replay, outcome: Any) -> None:
        minutes.extend(outcome.minutes)
        note(self, outcome)

    monkeypatch.setattr(replay.Replay, "_note", noted)
    found: list[Replayed] = []
    result = replay.Replay.result
    monkeypatch.setattr(replay.Replay, "result", lambda self: found.append(r := result(self)) or r)
    backtest(history, "service", "--jobs", "1")
    watch, last = Watch(), {}
    for minute in sorted(minutes, key=lambda m: (m.start, m.id)):
        if parent := watch.take(minute):
            record = outbreak_record(parent, titles={}, time_zone="Asia/Jakarta")
            last[record.id] = record
    [ours] = found[0].outbreaks
    [theirs] = last.values()
    assert (ours.id, ours.opened_at, ours.closed_at) == (
        theirs.id,
        theirs.opened_at,
        theirs.closed_at,
    )
    assert (ours.children, ours.topics, ours.sequence) == (
        theirs.children,
        theirs.topics,
        theirs.sequence,
    )


def event(brand: str) -> dict[str, str]:
    end = ONSET + timedelta(hours=2)
    return {
        "id": "5a1e", "brand": brand, "start": (ONSET - timedelta(hours=1)).isoformat(),
        "end": end.isoformat(), "who": "ani", "at": START.isoformat(), "note": "Pesta Diskon",
    }  # fmt: skip


def test_an_announced_event_is_known_to_the_minutes_it_covers(history: Path) -> None:
    events = history.parent / "events.json"
    events.write_text(json.dumps([event("toko-satu")]))
    ran, told = backtest(history, "events", "--events", str(events))
    assert ran.exit_code == 0, ran.output
    assert [e["note"] for e in told["events"]] == ["Pesta Diskon"]
    flagged = {i["brand"] for i in told["incidents"] if "announced" in i["flags"]}
    assert flagged <= {"toko-satu"}
    _, plain = backtest(history, "plain")

    def opened(made: dict[str, Any], brand: str) -> list[str]:
        return [i["opened_at"] for i in made["incidents"] if i["brand"] == brand]

    assert opened(told, "kurir-dua") == opened(plain, "kurir-dua")
    assert opened(told, "toko-satu") != opened(plain, "toko-satu")
    assert "Pesta Diskon" in (history.parent / "events.html").read_text("utf-8")


def test_events_of_unknown_brands_and_broken_files_are_refused(history: Path) -> None:
    events = history.parent / "bad.json"
    for text, problem in (
        (json.dumps([event("warung")]), "the history has: dompet-tiga"),
        ("{", "siaga event list --json"),
    ):
        events.write_text(text)
        ran, _ = backtest(history, "bad", "--events", str(events))
        assert ran.exit_code == 2
        assert problem in ran.output
