"""Known input for a chaos round and what must come of it, counted without product code.

Two files: `main` is published by `siaga connect` in the order of its rows (repeats, rows out of
order, late ones, bad ones), `side` by `siaga replay`. Two brands of `main` have a crisis.
"""

import csv
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

BRANDS = ("angin", "bukit", "cahaya", "dermaga", "embun", "fajar", "gunung", "hutan")
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
LATENESS_S = 120
CRISES_RATIO = 0.3
"""Of all rows: six times what the smaller brand is used to, or it would be no crisis."""
COLUMNS = ("id", "created_at", "author", "text", "brand")

CALM = (
    "pesanan {n} sudah sampai, terima kasih {b}",
    "jam buka {b} hari minggu apa ya, nomor {n}",
    "mantap, layanan {b} cepat sekali, nilai {n}",
    "ada yang tahu promo {b} minggu {n}?",
    "lagi antre di {b}, urutan {n}",
    "{b} bagus, puas belanja ke-{n}",
    "barang nomor {n} dari {b} belum dikirim",
    "kecewa, {b} lambat menjawab tiket {n}",
)
ANGRY = (
    "{b} error terus, saldo hilang! tiket {n}",
    "parah, {b} tidak bisa dibuka sejak pagi, sudah {n} kali coba",
    "tolong {b}, uang saya belum kembali, aduan {n}",
    "kecewa berat, {b} menipu, jangan beli lagi ({n})",
)


@dataclass
class Expected:
    """What the rows of one run must lead to."""

    minutes: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Distinct mentions by brand and event minute (epoch s)."""
    dead: set[str] = field(default_factory=set)
    """Ids of the rows that must become dead letters."""

    def by_brand(self) -> dict[str, int]:
        """Distinct mentions by brand."""
        total: Counter[str] = Counter()
        for (brand, _), count in self.minutes.items():
            total[brand] += count
        return dict(total)


def write(path: Path, *, seed: int, rows: int, hours: float, crises: bool) -> Expected:
    """Write a CSV file and return what must come of it."""
    rng = random.Random(seed)
    expected = Expected()
    seen: set[str] = set()
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for row in _in_order(rng, rows, hours, crises=crises):
            out.writerow(row)
            name, stamp, _, text, brand = row
            if not stamp.endswith("Z") or not text or brand not in BRANDS:
                expected.dead.add(name)
            elif name not in seen:
                seen.add(name)
                at = datetime.fromisoformat(stamp).timestamp()
                expected.minutes[brand, int(at // 60) * 60] += 1
    return expected


def _in_order(
    rng: random.Random, rows: int, hours: float, *, crises: bool
) -> Iterator[tuple[str, ...]]:
    """Rows in the order of the file: by time, but some displaced, repeated or bad."""
    span_s = hours * 3600
    placed: list[tuple[float, int, tuple[str, ...]]] = []
    for n in range(rows):
        brand = rng.choices(BRANDS, weights=range(len(BRANDS), 0, -1))[0]
        at_s = rng.random() * span_s
        angry = False
        if crises and rng.random() < CRISES_RATIO:
            # Two crises of 20 minutes: at two thirds and at three quarters of the time.
            brand, begin = rng.choice(((BRANDS[1], 0.66), (BRANDS[6], 0.75)))
            at_s, angry = begin * span_s + rng.random() * 1200, True
        text = rng.choice(ANGRY if angry else CALM).format(b=brand, n=n)
        stamp = (START + timedelta(seconds=round(at_s, 3))).isoformat().replace("+00:00", "Z")
        row = (f"m{n}", stamp, f"orang{rng.randrange(rows // 5 + 1)}", text, brand)
        fate = rng.random()
        place_s = at_s
        if fate < 0.05:
            place_s += rng.random() * LATENESS_S * 0.5  # out of order, in time
        elif fate < 0.06:
            place_s += rng.uniform(900, 2400)  # late
        elif fate < 0.062:
            row = (*row[:3], "", brand)
        elif fate < 0.064:
            row = (row[0], stamp.removesuffix("Z"), *row[2:])
        elif fate < 0.066:
            row = (*row[:4], "merek-lain")
        placed.append((place_s, n, row))
        if fate > 0.97:
            placed.append((place_s + rng.random() * 1800, n, row))  # a repeat
    yield from (row for *_, row in sorted(placed))


def planted(rng: random.Random, n: int) -> tuple[bytes, int, int]:
    """A record for the mentions topic that another program might have written.

    Returns
    -------
    tuple
        The record, how many dead letters and how many mentions of run `planted` it makes.
    """
    stamp = START.isoformat().replace("+00:00", "Z")
    mention = {
        "id": f"planted:{n}",
        "source": "planted",
        "published_at": stamp,
        "collected_at": stamp,
        "text": f"halo {n}",
    }
    kind = rng.randrange(3)
    if kind == 0:
        return b"\x00 no record %d" % n, 1, 0
    brand = BRANDS[0] if kind == 1 else "hantu"
    mentions = [mention, {**mention, "published_at": "kemarin"}] if kind == 1 else [mention]
    record = {"type": "batch", "brand": brand, "run": "planted", "mentions": mentions}
    return json.dumps(record).encode(), 1, int(kind == 1)
