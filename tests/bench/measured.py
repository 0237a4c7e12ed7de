"""What the benchmarks of a running worker share: figures of a process, rows and tables."""

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CLOCK_TICK = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
TEXTS = (
    "paket belum sampai sudah seminggu, tolong dicek",
    "mantap, pengiriman cepat sekali",
    "jam buka besok berapa ya?",
    "terima kasih, respon admin ramah",
    "aplikasi error waktu bayar, kecewa",
)


def cpu_s(pid: int) -> float:
    """User and system seconds of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICK


def memory_mib(pid: int, *, peak: bool = False) -> float:
    """Resident memory of a process in MiB, now or at its highest."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(wanted))


def quantile(values: list[float], q: float) -> float:
    """The q-th quantile; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


class Rows:
    """Collects rows, prints each as it comes, writes `build/bench/NAME.json`."""

    def __init__(self, name: str) -> None:
        self.path = ROOT / "build" / "bench" / f"{name}.json"
        self.rows: list[dict[str, Any]] = []

    def add(
        self, case: str, metric: str, value: float, unit: str, *, goal: float | None = None
    ) -> None:
        """One figure; `goal` is the most that it should be."""
        ratio = round(value / goal, 3) if goal else None
        self.rows.append(
            {
                "case": case,
                "metric": metric,
                "value": round(value, 4),
                "unit": unit,
                "reference": goal,
                "ratio": ratio,
            }
        )
        told = f"  goal {goal:g}: {'met' if value <= goal else 'NOT met'}" if goal else ""
        print(f"{case:>24}  {metric:44} {value:12,.3f} {unit}{told}", flush=True)

    def write(self) -> None:
        """Replace the file of the last run."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n")


def load_now() -> str:
    """The machine's load, since figures of a busy one are worse."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
