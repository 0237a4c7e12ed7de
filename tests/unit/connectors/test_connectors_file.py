"""The file source: every row is an item or a dead letter, resumable anywhere, at any pace."""

import asyncio
import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from connectors.contract import BadItem, Context, Fatal, Item, Page
from connectors.sources.file import FileConnector, FileSettings

T0 = datetime(2025, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2025, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def connector(path: Path, clock: Clock | None = None, **values: Any) -> FileConnector:
    context = Context(name="f", now=clock or Clock())
    return FileConnector(FileSettings(path=path, **values), context)


def read(path: Path, cursor: str | None = None, **values: Any) -> list[Item | BadItem]:
    """Read to the end, a new connector a page: each cursor must suffice by itself."""

    async def run() -> list[Item | BadItem]:
        found: list[Item | BadItem] = []
        at = cursor
        while True:
            source = connector(path, **values)
            page = await source.fetch(at)
            await source.close()
            found += page.items
            at = page.cursor
            if page.ended:
                again = await source.fetch(at)
                assert (again.items, again.cursor, again.ended) == ((), at, True)
                return found

    return asyncio.run(run())


def one_page(source: FileConnector, cursor: str | None) -> Page:
    return asyncio.run(source.fetch(cursor))


def write_csv(path: Path, rows: list[str], header: str = "id,time,text") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def stamp(n: float) -> str:
    return (T0 + timedelta(seconds=n)).isoformat()


def texts(items: list[Item | BadItem]) -> list[str]:
    return [i.text if isinstance(i, Item) else i.reason for i in items]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_resuming_at_any_page_loses_and_repeats_nothing(tmp_path: Path, size: int) -> None:
    rows = [f'{n},{stamp(n)},"baris ""{n}""\nlanjut"' for n in range(20)]
    found = read(write_csv(tmp_path / "a.csv", rows), page_items=size)
    assert texts(found) == [f'baris "{n}"\nlanjut' for n in range(20)]


def test_a_stray_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = [f"{n},{stamp(n)},baris {n}" for n in range(6)]
    rows[2] = f'2,{stamp(2)},"tak tertutup'
    found = read(write_csv(tmp_path / "a.csv", rows))
    assert texts(found) == ["baris 0", "baris 1", "broken_row", "baris 3", "baris 4", "baris 5"]
    bad = found[2]
    assert isinstance(bad, BadItem)
    assert bad.origin == "a.csv:4"
    assert b"tak tertutup" in bad.original


def test_two_stray_quotes_do_not_swallow_what_is_between(tmp_path: Path) -> None:
    rows = [f"{n},{stamp(n)},baris {n}" for n in range(9)]
    rows[2], rows[6] = f'2,{stamp(2)},"buka', f'6,{stamp(6)},"buka lagi'
    found = read(write_csv(tmp_path / "a.csv", rows))
    good = [t for t in texts(found) if t.startswith("baris")]
    assert good == [f"baris {n}" for n in (0, 1, 3, 4, 5, 7, 8)]
    assert len(found) == 9


def test_ten_thousand_bad_rows_in_a_row_are_ten_thousand_dead_letters(tmp_path: Path) -> None:
    rows = [f"0,{stamp(0)},awal", *["rusak,sekali"] * 10_000, f"1,{stamp(1)},akhir"]
    found = read(write_csv(tmp_path / "a.csv", rows))
    assert texts(found) == ["awal", *["broken_row"] * 10_000, "akhir"]
    assert len({i.origin for i in found if isinstance(i, BadItem)}) == 10_000


def test_broken_json_lines_are_dead_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = {"id": 1, "time": stamp(0), "text": "baik"}
    lines = [
        json.dumps(good).encode(),
        b'{"id": 2, "time": ',
        b"[1, 2]",
        b'"text"',
        b"[" * 100_000,
        b'{"id": 3, "time": "%s", "text": "\xff\xfe rusak"}' % stamp(1).encode(),
        b'{"id": 4, "time": "%s", "text": "pasangan \\ud83d hilang"}' % stamp(1).encode(),
        b'{"id": 5, "text": "tanpa waktu"}',
        b"",
        b"\x00\x01",
        json.dumps({**good, "id": 6}).encode(),
    ]
    path.write_bytes(b"\n".join(lines))
    found = texts(read(path, order="as_is"))
    assert found[0] == found[-1] == "baik"
    assert len(found) == 10  # all lines but the empty one
    assert found.count("missing_field") == 1
    assert "\ufffd\ufffd rusak" in found


def test_invalid_utf8_reaches_the_door(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,time,text\n1," + stamp(0).encode() + b",kop\xffi\x00\n")
    [item] = read(path)
    assert isinstance(item, Item)
    assert item.text == "kop\udcffi\x00"


def test_five_megabytes_in_one_field_are_read(tmp_path: Path) -> None:
    rows = [f"1,{stamp(0)},{'x' * 5_000_000}", f"2,{stamp(1)},kecil"]
    assert [len(t) for t in texts(read(write_csv(tmp_path / "a.csv", rows)))] == [5_000_000, 5]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_an_endless_row_is_given_up_and_reading_goes_on(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        rows = [f"1,{stamp(0)},{'x' * 9_000_000}", f"2,{stamp(1)},kecil"]
        write_csv(path, rows)
    else:
        good = json.dumps({"id": 1, "time": stamp(0), "text": "kecil"})
        path.write_text(good + "\n" + '{"text": "' + "x" * 9_000_000 + '"}\n' + good + "\n")
    found = texts(read(path))
    assert found[-1] == "kecil"
    assert "broken_row" in found


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_compressed_files_are_read_and_resumed(tmp_path: Path, pack: str) -> None:
    raw = write_csv(tmp_path / "raw", [f"{n},{stamp(n)},baris {n}" for n in range(50)]).read_bytes()
    packed = gzip.compress(raw) if pack == "gzip" else zstandard.compress(raw)
    path = tmp_path / "a.csv.packed"
    path.write_bytes(packed)
    assert texts(read(path, page_items=7)) == [f"baris {n}" for n in range(50)]


def test_a_damaged_archive_gives_what_was_readable_and_then_says_so(tmp_path: Path) -> None:
    lines = [f"{n},{stamp(n)},{random.Random(n).random()}" for n in range(20_000)]
    raw = write_csv(tmp_path / "raw", lines).read_bytes()
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(raw)[:-2000])

    source, found = connector(path, order="as_is"), []

    async def run() -> None:
        at = None
        while True:
            page = await source.fetch(at)
            found.extend(page.items)
            at = page.cursor

    with pytest.raises(Fatal, match="damaged"):
        asyncio.run(run())
    asyncio.run(source.close())
    assert len(found) > 10_000


def test_a_file_that_goes_back_in_time_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    rows = [f"{n},{stamp(-n)},baris {n}" for n in range(30)]
    rows.insert(5, "rusak")
    found = read(write_csv(tmp_path / "a.csv", rows), page_items=4)
    good = [t for t in texts(found) if t != "broken_row"]
    assert good == [f"baris {n}" for n in reversed(range(30))]
    assert len(found) == 31


def test_one_absurd_time_does_not_move_the_clock(tmp_path: Path) -> None:
    rows = [f"1,{stamp(0)},a", "2,2099-01-01T00:00:00Z,b", "3,0,c", f"4,{stamp(5)},d"]
    source = connector(write_csv(tmp_path / "a.csv", rows))
    page = one_page(source, None)
    assert texts(list(page.items)) == ["a", "b", "c", "d"]
    assert page.watermark == page.clock == T0 + timedelta(seconds=5)


def test_a_page_spans_no_more_than_its_minutes(tmp_path: Path) -> None:
    rows = [f"{n},{stamp(600 * n)},x" for n in range(12)]
    source = connector(write_csv(tmp_path / "a.csv", rows), page_minutes=30)
    page = one_page(source, None)
    assert len(page.items) == 4
    assert page.more


def test_at_a_speed_rows_come_when_the_clock_reaches_them(tmp_path: Path) -> None:
    rows = [f"{n},{stamp(60 * n)},{n}" for n in range(5)]
    clock = Clock()
    source = connector(write_csv(tmp_path / "a.csv", rows), clock, speed=60)
    page = one_page(source, None)
    assert (texts(list(page.items)), page.more) == (["0"], False)
    clock.now += timedelta(seconds=0.9)
    page = one_page(source, page.cursor)
    assert page.items == ()
    clock.now += timedelta(seconds=1.2)
    page = one_page(source, page.cursor)
    assert texts(list(page.items)) == ["1", "2"]
    assert page.clock == T0 + timedelta(seconds=126)
    assert page.watermark == page.clock


def test_fast_until_a_time_and_paced_from_there(tmp_path: Path) -> None:
    rows = [f"{n},{stamp(60 * n)},{n}" for n in range(6)]
    clock = Clock()
    source = connector(
        write_csv(tmp_path / "a.csv", rows),
        clock,
        speed=1,
        fast_until=T0 + timedelta(minutes=2, seconds=30),
    )
    page = one_page(source, None)
    assert texts(list(page.items)) == ["0", "1", "2"]
    clock.now += timedelta(seconds=31)
    assert texts(list(one_page(source, page.cursor).items)) == ["3"]


def test_follow_waits_for_whole_lines_and_survives_rotation(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [f"1,{stamp(0)},satu"])
    source = connector(path, follow=True, run="live")
    page = one_page(source, None)
    assert (texts(list(page.items)), page.more, page.clock) == (["satu"], False, None)
    with path.open("a") as f:
        f.write(f"2,{stamp(1)},du")
    page = one_page(source, page.cursor)
    assert page.items == ()
    with path.open("a") as f:
        f.write("a\n")
    page = one_page(source, page.cursor)
    assert texts(list(page.items)) == ["dua"]
    path.rename(tmp_path / "a.csv.1")
    assert one_page(source, page.cursor).items == ()
    write_csv(path, [f"3,{stamp(2)},tiga"])
    found: list[Item | BadItem] = []
    for _ in range(3):
        page = one_page(source, page.cursor)
        found += page.items
    assert texts(found) == ["tiga"]


def test_another_file_under_the_same_name_is_read_from_its_start(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [f"{n},{stamp(n)},lama" for n in range(9)])
    cursor = one_page(connector(path, page_items=5), None).cursor
    write_csv(path, [f"1,{stamp(0)},baru"], header="id,time,isi")
    assert texts(read(path, cursor)) == ["baru"]


def test_columns_are_guessed_mapped_or_named_as_missing(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [f"{stamp(0)};halo;5"], header="Tanggal;Ulasan;Stars")
    [item] = read(path)
    assert isinstance(item, Item)
    assert (item.text, item.rating) == ("halo", 5.0)
    with pytest.raises(Fatal, match=r'no column "nope" \(for author\).*Tanggal, Ulasan'):
        read(path, columns={"author": "nope"})
    with pytest.raises(Fatal, match="a column for time"):
        read(write_csv(tmp_path / "b.csv", ["x"], header="text"))


def test_the_age_of_an_account_is_read_where_a_column_tells(tmp_path: Path) -> None:
    rows = [f"{n},{stamp(n)},halo,{since}" for n, since in enumerate(("2024-12-02", "", "dulu"))]
    path = write_csv(tmp_path / "a.csv", rows, "id,time,text,account_created_at")
    days = [i.engagement.account_days for i in read(path) if isinstance(i, Item)]
    assert days == [30, 0, 0]


def test_nested_json_is_mapped_by_dotted_names(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = {"created_at": 1_735_689_600_000, "body": {"text": "halo"}, "user": {"name": "siti"}}
    path.write_text(json.dumps(row) + "\n")
    [item] = read(path, columns={"text": "body.text", "author": "user.name"})
    assert isinstance(item, Item)
    assert (item.text, item.author, item.published_at) == ("halo", "siti", T0)


@pytest.mark.parametrize(
    ("written", "zone", "expected"),
    [
        ("2025-01-01 07:00", "Asia/Jakarta", T0),
        ("2025-01-01T00:00:00Z", None, T0),
        ("1735689600", None, T0),
        ("1735689600.0", None, T0),
        ("1735689600000", None, T0),
        ("Wed Jan 01 00:00:00 +0000 2025", None, T0),
        ("Wed, 01 Jan 2025 00:00:00 GMT", None, T0),
    ],
)
def test_usual_forms_of_time_are_read(
    tmp_path: Path, written: str, zone: str | None, expected: datetime
) -> None:
    path = write_csv(tmp_path / "a.csv", [f'1,"{written}",x'])
    [item] = read(path, time_zone=zone)
    assert isinstance(item, Item)
    assert item.published_at == expected


@pytest.mark.parametrize(
    "written", ["besok", "2025-13-01", "9" * 18, "-9e99", "nan", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_is_a_dead_letter_or_too_old(tmp_path: Path, written: str) -> None:
    [item] = read(write_csv(tmp_path / "a.csv", [f"1,{written},x"]))
    assert isinstance(item, BadItem) or item.published_at.year < 2000


def test_empty_missing_utf16_and_array_files_say_what_to_do(tmp_path: Path) -> None:
    assert read(write_csv(tmp_path / "only-header.csv", [])) == []
    (tmp_path / "empty.csv").write_bytes(b"")
    assert read(tmp_path / "empty.csv") == []
    with pytest.raises(Fatal, match="no such file"):
        read(tmp_path / "none.csv")
    (tmp_path / "wide.csv").write_text("id,time,text\n", encoding="utf-16")
    with pytest.raises(Fatal, match="UTF-8"):
        read(tmp_path / "wide.csv")
    (tmp_path / "a.json").write_text('[{"text": "x"}]')
    with pytest.raises(Fatal, match="one object a line"):
        read(tmp_path / "a.json")


@given(st.binary(max_size=400), st.sampled_from(["csv", "jsonl"]), st.integers(1, 5))
@hypothesis_settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
def test_any_bytes_are_items_dead_letters_or_a_clean_refusal(
    tmp_path: Path, noise: bytes, form: str, size: int
) -> None:
    path = tmp_path / "fuzz"
    head = b"id,time,text\n" if form == "csv" else b""
    good = (
        b"7,2025-01-01T00:00:00Z,akhir\n"
        if form == "csv"
        else (b'{"id":7,"time":"2025-01-01T00:00:00Z","text":"akhir"}\n')
    )
    path.write_bytes(head + noise + b"\n" + good)
    try:
        found = read(path, format=form, page_items=size)
    except Fatal:
        return
    if form == "jsonl" or b'"' not in noise:
        assert "akhir" in texts(found) or b"\r" in noise
