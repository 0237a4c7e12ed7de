"""`make bench-detection`: labelled series, injected crises, calibration and ablation, in one run.

Everything is seeded; `--seed` draws other weeks and crises. The tables of docs/detection.md are
this program's output. Reads ../shared (labelled counts, airline tweets) where it is there.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from crises import DAY, KINDS, START_S, WEEK, Weeks, from_counts, from_tweets, synthetic
from rivals import CHEAP
from trial import (
    PageRule,
    Runs,
    any_signal,
    cases,
    product,
    run_bank,
    run_rival,
    run_trees,
    summary,
    without,
)

from detectors.anomaly.bank import BankConfig, Features
from detectors.anomaly.volume import Volume
from streams.backtest.counts import RECOMMENDED_THRESHOLD, config_for, read_rows, score_rows

BUDGET = 0.25
TICKERS = ("AAPL", "CRM", "GOOG", "IBM", "PFE")
BRANDS = ("Delta", "Southwest", "US Airways", "United", "Virgin America")
RATES = (1.0, 5.0, 25.0, 100.0)
OURS = "Siaga"


TABLES: list[dict[str, object]] = []
RESULTS = Path("build/bench/detection.json")


def say(text: str = "") -> None:
    print(text, flush=True)


def table(header: list[str], rows: list[list[str]]) -> None:
    TABLES.append({"header": header, "rows": rows})
    say("| " + " | ".join(header) + " |")
    say("|" + "|".join(" --- " for _ in header) + "|")
    for row in rows:
        say("| " + " | ".join(row) + " |")
    say()


# 1. Labelled series


def scored_counts(source: Path, out: Path, *, gate: bool = True) -> float:
    """Write scores as `siaga backtest counts` does; return rows a second."""
    begin = time.perf_counter()
    n = 0
    with source.open(encoding="utf-8") as lines, out.open("w", encoding="utf-8") as sink:
        writer = csv.writer(sink)
        writer.writerow(("timestamp", "value", "anomaly_score"))
        for row in score_rows(read_rows(lines), gate=gate):
            writer.writerow((row.timestamp, row.text, f"{row.score:.6g}"))
            n += 1
    return n / (time.perf_counter() - begin)


def labelled(shared: Path) -> None:
    """Each series at the threshold chosen on the other four, and all at the frozen one."""
    say("## Labelled series (5-minute counts of tweets)\n")
    judge = shared / "tools" / "score_realtweets.py"
    with tempfile.TemporaryDirectory() as folder:
        speeds = [
            scored_counts(shared / "data/nab" / name, Path(folder) / name)
            for name in (f"Twitter_volume_{t}.csv" for t in TICKERS)
        ]

        def ask(*arguments: str) -> dict[str, object]:
            done = subprocess.run(
                [sys.executable, str(judge), folder, "--json", *arguments],
                check=True,
                capture_output=True,
                text=True,
            )
            return dict(json.loads(done.stdout))

        rows, raw, found, prompt, false, weeks = [], 0.0, 0, 0, 0, 0.0
        for t in TICKERS:
            others = ",".join(x for x in TICKERS if x != t)
            one = ask("--files", t, "--tune-on", others)
            file = one["files"][0]  # type: ignore[index] # JSON
            frozen = ask("--files", t, "--threshold", str(RECOMMENDED_THRESHOLD))
            rows.append(
                [
                    t,
                    f"{one['threshold']:.2f}",
                    f"{file['normalised']:.1f}",
                    f"{file['detected']}/{file['windows']}",
                    str(file["prompt"]),
                    f"{file['false_per_brand_week']:.2f}",
                    f"{frozen['total']['normalised']:.1f}",  # type: ignore[index] # JSON
                ]
            )
            raw += file["raw"]
            found += file["detected"]
            prompt += file["prompt"]
            false += file["false"]
            weeks += file["false"] / file["false_per_brand_week"] if file["false"] else 7.0
        everything = ask("--threshold", str(RECOMMENDED_THRESHOLD))["total"]
        rows.append(
            [
                "all, leave one out",
                "",
                f"{100 * (raw + 16) / 33:.1f}",
                f"{found}/16",
                str(prompt),
                f"{false / weeks:.2f}",
                f"{everything['normalised']:.1f}",  # type: ignore[index] # JSON
            ]
        )
        best = ask()
    table(
        [
            "series",
            "threshold",
            "score",
            "found",
            "prompt",
            "false/week",
            f"score at {RECOMMENDED_THRESHOLD}",
        ],
        rows,
    )
    total = best["total"]
    say(
        f"At one threshold of their own ({best['threshold']:.2f}): score "
        f"{total['normalised']:.1f}, prompt {total['prompt']}/16, "  # type: ignore[index] # JSON
        f"{total['false_per_brand_week']:.2f} false a brand-week. "  # type: ignore[index] # JSON
        f"Frozen at {RECOMMENDED_THRESHOLD}: {everything['normalised']:.1f}, "  # type: ignore[index] # JSON
        f"prompt {everything['prompt']}/16, "  # type: ignore[index] # JSON
        f"{everything['false_per_brand_week']:.2f} false. "  # type: ignore[index] # JSON
        f"{min(speeds):,.0f} rows/s.\n"
    )


# 2. Injected crises


def brands(seed: int, shared: Path | None, *, small: bool = False) -> list[tuple[Weeks, int]]:
    """Brand weeks with the number of minutes that are only for learning."""
    out = []
    for k in range(1 if small else 2):
        for i, rate in enumerate(RATES):
            out.append((synthetic(seed + 10 * k + i, rate, 4 if small else 5), 2 * WEEK))
    if shared is not None:
        windows = json.loads((shared / "data/nab/combined_windows.json").read_text())
        for t in TICKERS[::2] if small else TICKERS:
            spans = windows[f"realTweets/Twitter_volume_{t}.csv"]
            spans = [(a[:19], b[:19]) for a, b in spans]
            path = shared / "data/nab" / f"Twitter_volume_{t}.csv"
            out.append((from_counts(path, spans, seed), 2 * WEEK))
        tweets = shared / "data/airline/tweets.csv"
        out += [(from_tweets(tweets, b, seed), 4 * DAY) for b in (() if small else BRANDS)]
    return out


def injected(seed: int, shared: Path | None) -> None:
    """Detected, median and p90 minutes, for each detector at the same false-page budget."""
    say(f"## Injected crises, seed {seed}, {BUDGET} false pages a brand-week\n")
    ours, loud = Runs(), Runs()
    runs = {OURS: ours, **{name: Runs() for name in CHEAP}, "River HalfSpaceTrees": Runs()}
    for weeks, train in brands(seed, shared):
        todo = cases(weeks, train, 2, seed + 1)
        config = BankConfig()
        run_bank(weeks, todo, train, config, {"ours": (product, ours), "any": (any_signal, loud)})
        for name, rival in CHEAP.items():
            run_rival(rival, weeks, todo, train, runs[name])
        run_trees(weeks, todo, train, runs["River HalfSpaceTrees"])
        print(".", end="", file=sys.stderr, flush=True)
    runs["Siaga, any signal"] = loud
    thresholds = {name: r.threshold(BUDGET) for name, r in runs.items()}
    header = ["crisis", *(f"{n} ({thresholds[n]:.1f})" for n in runs)]
    rows = []
    for kind in KINDS:
        cells = [kind.name]
        for name, r in runs.items():
            line = summary(r, thresholds[name], lambda c, k=kind.name: c.kind.name == k)
            cells.append(
                f"{line.detected:.0%} {line.median:.0f}/{line.p90:.0f}"
                if kind.pages
                else f"{line.detected:.0%} paged"
            )
        rows.append(cells)
    cells, quiet = ["all crises"], ["false pages a brand-week"]
    asked = ["crises with >= 3 x volume or >= 20 points"]
    for name, r in runs.items():
        line = summary(r, thresholds[name], lambda c: c.kind.pages)
        cells.append(f"{line.detected:.0%} {line.median:.0f}/{line.p90:.0f}")
        line = summary(r, thresholds[name], lambda c: c.kind.pages and c.kind.name != "viral post")
        asked.append(f"{line.detected:.1%} {line.median:.0f}/{line.p90:.0f}")
        quiet.append(f"{r.false_pages(thresholds[name]) / r.brand_weeks:.2f}")
    say("\nCells: detected, median/p90 minutes from onset (not detected = its whole length).\n")
    table(header, [*rows, cells, asked, quiet])
    say(f"{ours.brand_weeks:.0f} clean brand-weeks, {len(ours.crises)} crises.\n")


# 3. Calibration


def rates(counts: np.ndarray, config: BankConfig, skip: int) -> list[str]:
    detector = Volume(config)
    scores = np.array(
        [
            detector.take(Features(x), start_s=START_S + config.step_s * i)
            for i, x in enumerate(counts.tolist())
        ]
    )[skip:]
    return [f"{(scores >= s).mean() * 10**s:.2f}" for s in (1, 2, 3)]


def calibration(seed: int, shared: Path | None) -> None:
    """Rate of scores >= s, as a multiple of 10^-s (1 is exact)."""
    say("## Calibration: rate of score >= s times 10^s\n")
    rng = np.random.default_rng(seed)
    n = 8 * WEEK
    day = np.exp(1.1 * np.cos(2 * np.pi * np.arange(n) / DAY))
    rows = []
    for rate in (0.05, 1.0, 20.0, 200.0):
        streams: dict[str, np.ndarray] = {
            "Poisson": rng.poisson(rate, n),
            "negative binomial": rng.negative_binomial(4, 4 / (4 + rate), n),
            "daily rhythm x 9": rng.poisson(rate * day / day.mean()),
        }
        for name, counts in streams.items():
            rows.append(
                [f"{name}, {rate:g}/min", *rates(counts.astype(float), BankConfig(), 2 * DAY)]
            )
    if shared is not None:
        for t in TICKERS:
            path = shared / "data/nab" / f"Twitter_volume_{t}.csv"
            with path.open(encoding="utf-8") as f:
                values = np.array([float(r["value"]) for r in csv.DictReader(f)])
            blocks = values[: len(values) // 12 * 12].reshape(-1, 12)
            shuffled = blocks[rng.permutation(len(blocks))].ravel()
            rows.append([f"{t}, hours shuffled", *rates(shuffled, config_for(300), 750)])
    table(["stream", "s = 1", "s = 2", "s = 3"], rows)


# 4. Ablation


def ablation(seed: int, shared: Path | None, *, small: bool) -> None:
    """Parts removed in turn, on half of the brands or on all."""
    which = "half of the brands" if small else "all brands"
    say(f"## Ablation ({which}; all crises but the viral post)\n")
    base = BankConfig()
    never = 1e9
    variants: dict[str, tuple[BankConfig, PageRule]] = {
        "everything": (base, product),
        "any signal pages": (base, any_signal),
        "no daily rhythm": (replace(base, rhythm_prior_days=never), product),
        "nothing carried over": (replace(base, carry_s=0), product),
        "single minutes only": (replace(base, scales_s=(60,)), product),
        "share up to an hour only": (replace(base, share_scales_s=(300, 900, 3600)), product),
        "no slow burn": (base, without("slow_burn")),
        "no share": (base, without("negative_share")),
    }
    baselines = brands(seed, shared, small=small)
    rows = []
    by_config: dict[BankConfig, dict[str, tuple[PageRule, Runs]]] = {}
    for name, (config, rule) in variants.items():
        by_config.setdefault(config, {})[name] = (rule, Runs())
    for config, rules in by_config.items():
        for weeks, train in baselines:
            run_bank(weeks, cases(weeks, train, 1, seed + 2), train, config, rules)
        print(".", end="", file=sys.stderr, flush=True)
    for name, (config, _) in variants.items():
        runs = by_config[config][name][1]
        threshold = runs.threshold(BUDGET)
        line = summary(runs, threshold, lambda c: c.kind.pages and c.kind.name != "viral post")
        calm = summary(runs, threshold, lambda c: not c.kind.pages)
        rows.append(
            [
                name,
                f"{threshold:.2f}",
                f"{line.detected:.1%}",
                f"{line.median:.0f}/{line.p90:.0f}",
                f"{calm.detected:.0%}",
            ]
        )
    say()
    table(["variant", "threshold", "detected", "median/p90", "outages, campaigns paged"], rows)


def main() -> None:
    here = Path(__file__).resolve()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--shared", type=Path, default=here.parents[3] / "shared")
    parser.add_argument("--only", default="labelled,injected,calibration,ablation")
    parser.add_argument("--ablate-all", action="store_true", help="all brands: slower")
    a = parser.parse_args()
    shared = a.shared if (a.shared / "data").is_dir() else None
    parts = a.only.split(",")
    if shared is None:
        say(f"{a.shared} is not there: synthetic brands only, no labelled series.\n")
    elif "labelled" in parts:
        labelled(shared)
    if "calibration" in parts:
        calibration(a.seed, shared)
    if "injected" in parts:
        injected(a.seed, shared)
    if "ablation" in parts:
        ablation(a.seed, shared, small=not a.ablate_all)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"seed": a.seed, "tables": TABLES}, indent=1))


if __name__ == "__main__":
    main()
