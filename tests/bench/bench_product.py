"""`make bench-product`: the whole product, as shipped, on histories with injected crises.

Each history is one brand in a CSV file of mentions (histories.py); `siaga backtest mentions` reads
them all and says when it would have paged. Detected: a page (ALERT or higher) from the onset to the
crisis' end. False: any other page, from the brand's first minute on. `--seed` draws other brands,
`--sizes` some of them, `--airlines` adds real tweets where ../shared is there. An incident that
pages once more (its level had fallen, or it was reopened) is told again.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from crises import DAY, KINDS
from histories import History, Mentions, at, from_tweets, invented, retold
from measured import ROOT

ALERT = 2
AFTERMATH = 720
"""Minutes after a crisis in which a page is neither found nor false: it is still talked of."""
SIAGA = Path(sys.executable).with_name("siaga")
DAYS = {0.1: 14, 1.0: 8, 10.0: 4, 50.0: 2}
"""History by mentions a minute; the crisis is in its last day."""
CLEAN = {0.1: 8, 1.0: 6, 10.0: 3, 50.0: 1}
"""Brands without a crisis."""
CLEAN_DAYS = {0.1: 28, 1.0: 14, 10.0: 7, 50.0: 5}
LARGE = 50.0
"""From this size on only the weakest crisis of each kind: histories are long to read."""
AIRLINES = ("Delta", "Southwest", "US Airways", "United", "Virgin America")
AIRLINE_DAYS = 8
NO_CRISIS = "none"


@dataclass(frozen=True)
class Found:
    """What the product made of one history."""

    history: History
    pages: tuple[tuple[float, str], ...]
    """(minute, signal) of each rise to ALERT or above."""

    @property
    def end(self) -> int:
        return self.history.onset + (self.history.kind.minutes if self.history.kind else 0)

    @property
    def minutes(self) -> float | None:
        """From the onset to the first page within the crisis."""
        if self.history.kind is None:
            return None
        within = [m for m, _ in self.pages if self.history.onset <= m <= self.end]
        return min(within) - self.history.onset if within else None

    @property
    def false(self) -> tuple[tuple[float, str], ...]:
        if self.history.kind is None:
            return self.pages
        start, end = self.history.onset, self.end + AFTERMATH
        return tuple(page for page in self.pages if not start <= page[0] <= end)

    @property
    def clean_minutes(self) -> int:
        crisis = self.history.kind
        return self.history.days * DAY - (crisis.minutes + AFTERMATH if crisis else 0)


def plan(size: float, seed: int) -> Iterator[History]:
    """Every kind and size once, each in a brand of its own, and brands without any."""
    rng = random.Random(f"{seed}/{size}")
    days = DAYS[size]
    for kind in KINDS:
        for n, much in enumerate(kind.sizes[: 1 if size >= LARGE else None]):
            onset = (days - 1) * DAY + rng.randrange(DAY - kind.minutes)
            name = f"{kind.name.replace(' ', '')}{n}"
            yield History(name, size, days, rng.randrange(1 << 30), kind, much, onset)
    for n in range(CLEAN[size]):
        yield History(f"calm{n}", size, CLEAN_DAYS[size], rng.randrange(1 << 30))


def airlines(seed: int) -> Iterator[History]:
    """The same crises in real airlines' days, and these days as they were."""
    rng = random.Random(f"{seed}/airlines")
    for kind in KINDS:
        for n, much in enumerate(kind.sizes):
            for brand in rng.sample(AIRLINES, 2):
                onset = rng.randrange(4 * DAY, AIRLINE_DAYS * DAY - kind.minutes)
                name = f"{brand}{kind.name}{n}".lower().replace(" ", "")
                draw = rng.randrange(1 << 30)
                yield History(name, 0.0, AIRLINE_DAYS, draw, kind, much, onset)
    for brand in AIRLINES:
        yield History(brand.lower().replace(" ", ""), 0.0, AIRLINE_DAYS, 0)


def backtest(folder: Path, histories: Sequence[History]) -> tuple[list[Found], int]:
    """Run the product over the files of a folder; also how often an incident was told again."""
    events = [
        {
            "id": h.brand, "brand": h.brand, "who": "bench", "at": at(0).isoformat(),
            "start": at(h.onset).isoformat(), "end": at(h.onset + h.kind.minutes).isoformat(),
        }
        for h in histories
        if h.kind is not None and h.kind.name == "campaign"
    ]  # fmt: skip
    told, announced = folder / "told.json", folder / "events.json"
    announced.write_text(json.dumps(events))
    files = [str(folder / f"{h.brand}.csv") for h in histories]
    command = [str(SIAGA), "backtest", "mentions", *files, "--brand-column", "brand"]
    command += ["--events", str(announced), "--json", str(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"siaga backtest ended with {done.returncode}: {done.stderr[-2000:]}")
    pages: dict[str, dict[str, tuple[float, str]]] = {}
    result = json.loads(told.read_text())
    for entry in result["incidents"]:
        if entry["level"] >= ALERT:
            when = datetime.fromisoformat(entry["opened_at"])
            minute = (when - at(0)) / timedelta(minutes=1)
            of = pages.setdefault(entry["brand"], {})
            if minute < of.get(entry["incident"], (minute + 1, ""))[0]:
                of[entry["incident"]] = (minute, entry["signal"])
    found = [Found(h, tuple(sorted(pages.get(h.brand, {}).values()))) for h in histories]
    return found, result["pages"] - sum(len(f.pages) for f in found)


def airline_teller(shared: Path) -> Callable[[History], Mentions]:
    """Tell a history in the tweets of the airline that its name begins with."""
    tweets = from_tweets(shared / "data/airline/tweets.csv")
    by_name = {brand.lower().replace(" ", ""): rows for brand, rows in tweets.items()}
    return lambda h: retold(h, next(r for b, r in by_name.items() if h.brand.startswith(b)))


def played(
    name: str, histories: Sequence[History], tell: Callable[[History], Mentions]
) -> tuple[list[Found], int]:
    """Write the files, run the product, say how long it took."""
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder:
        count = sum(tell(h).save(Path(folder) / f"{h.brand}.csv") for h in histories)
        begin, before = time.monotonic(), os.times().children_user
        found, again = backtest(Path(folder), histories)
        took, spent = time.monotonic() - begin, os.times().children_user - before
    speed = count / max(spent, 0.01)
    print(
        f"{name}: {len(histories)} brands, {count:,} mentions in {took:.0f} s "
        f"({speed:,.0f} a CPU second)",
        file=sys.stderr,
        flush=True,
    )
    return found, again


def cell(found: Sequence[Found]) -> str:
    """Detected, and the median minutes (what is not detected counts as its whole length)."""
    if not found:
        return ""
    hits = sum(f.minutes is not None for f in found)
    if not all(f.history.kind and f.history.kind.pages for f in found):
        return f"{hits}/{len(found)} paged"
    times = [f.minutes if f.minutes is not None else f.end - f.history.onset for f in found]
    return f"{hits}/{len(found)} {statistics.median(times):.0f}"


def table(by_size: dict[str, list[Found]], again: dict[str, int]) -> None:
    """By kind and size, in the form of the tables of docs/detection.md."""
    everyone = [f for found in by_size.values() for f in found]
    columns = {**by_size, "all": everyone}
    print("\n| crisis | " + " | ".join(columns) + " |")
    print("|" + " --- |" * (len(columns) + 1))
    for kind in KINDS:
        cells = [cell([f for f in c if f.history.kind is kind]) for c in columns.values()]
        print(f"| {kind.name} | " + " | ".join(cells) + " |")
    paging = {
        name: [f for f in c if f.history.kind and f.history.kind.pages]
        for name, c in columns.items()
    }
    print("| all that should page | " + " | ".join(cell(c) for c in paging.values()) + " |")
    rates = []
    for found in columns.values():
        weeks = sum(f.clean_minutes for f in found) / (7 * DAY)
        rates.append(f"{sum(len(f.false) for f in found)} in {weeks:.0f} weeks")
    print("| false pages | " + " | ".join(rates) + " |")
    repeats = [*again.values(), sum(again.values())]
    print("| told again | " + " | ".join(map(str, repeats)) + " |\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--sizes", default=",".join(f"{s:g}" for s in DAYS))
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--airlines", action="store_true")
    parser.add_argument("--each", action="store_true", help="print every crisis and false page")
    a = parser.parse_args()
    by_size: dict[str, list[Found]] = {}
    again: dict[str, int] = {}
    plans = {f"{s}/min": list(plan(float(s), a.seed)) for s in a.sizes.split(",") if s}
    tell: dict[str, Callable[[History], Mentions]] = dict.fromkeys(plans, invented)
    if a.airlines:
        plans["airlines"] = list(airlines(a.seed))
        tell["airlines"] = airline_teller(a.shared)
    for name, histories in plans.items():
        by_size[name], again[name] = played(name, histories, tell[name])
        if a.each:
            for f in by_size[name]:
                kind = f.history.kind.name if f.history.kind else NO_CRISIS
                false = ", ".join(f"{m / DAY:.2f} d {signal}" for m, signal in f.false)
                print(f"{name} {kind} {f.history.size:g}: {f.minutes}  false: {false or '-'}")
    print(f"\nseed {a.seed}; cells: detected, median minutes from the onset")
    table(by_size, again)
    rows = [
        {
            "size": name, "kind": f.history.kind.name if f.history.kind else NO_CRISIS,
            "factor": f.history.size, "minutes": f.minutes, "false": f.false,
        }
        for name, found in by_size.items()
        for f in found
    ]  # fmt: skip
    results = ROOT / "build" / "bench" / "product.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({"seed": a.seed, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
