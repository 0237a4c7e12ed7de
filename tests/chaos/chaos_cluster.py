"""The processes of a chaos round: workers, `siaga connect`, `siaga replay`, on a broker."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from chain import SIAGA, free_port, samples
from chaos_input import BRANDS, LATENESS_S

WORKERS = 3


@dataclass
class Slot:
    """A place for one process, which may die and come back under the same name."""

    name: str
    folder: Path
    arguments: tuple[str, ...]
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.alive():
            return
        self.starts += 1
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SIAGA, *self.arguments], cwd=self.folder, stdout=log, stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and reap."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait; kill -9 after 20 s."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        if self.process is not None:
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def owned(self) -> set[int]:
        """Partitions that a worker has now, by its metrics."""
        found = samples(self.port, "siaga_partition_clock_timestamp_seconds") if self.port else {}
        return {int(dict(labels)["partition"]) for labels in found}


@dataclass
class Cluster:
    """All processes of a round, in a folder of its own, apart on the broker by a prefix."""

    workers: list[Slot]
    connect: Slot
    replay: Slot
    slots: list[Slot] = field(init=False)

    def __post_init__(self) -> None:
        self.slots = [*self.workers, self.connect, self.replay]

    @classmethod
    def prepare(
        cls, folder: Path, *, address: str, prefix: str, partitions: int, data: Path
    ) -> "Cluster":
        """Write a configuration for each process."""
        workers = []
        for n in range(WORKERS):
            port = free_port()
            home = folder / f"worker-{n}"
            home.mkdir(parents=True)
            (home / "siaga.toml").write_text(_config(address, prefix, partitions, port))
            workers.append(Slot(f"worker-{n}", home, ("worker",), port))
        home = folder / "sources"
        home.mkdir()
        (home / "siaga.toml").write_text(
            _config(address, prefix, partitions, free_port())
            + f"""
[sources.main]
type = "file"
run = "main"
path = "{data / "main.csv"}"
order = "as_is"
"""
        )
        return cls(
            workers,
            Slot("connect", home, ("connect",)),
            Slot("replay", home, ("replay", str(data / "side.csv"), "--run", "side")),
        )

    def stop(self) -> None:
        """End all that still run."""
        for slot in self.slots:
            slot.send(signal.SIGCONT)
            slot.send(signal.SIGTERM)
        for slot in self.slots:
            slot.stop()

    def metrics_by_brand(self, name: str = "siaga_mentions_total") -> dict[str, int]:
        """Sum of a metric over the workers, by brand."""
        total: dict[str, int] = {}
        for slot in self.workers:
            if not slot.alive():
                continue
            for labels, value in samples(slot.port, name).items():
                brand = dict(labels)["brand"]
                total[brand] = total.get(brand, 0) + int(value)
        return total

    def wait_drained(self, wanted: dict[str, int], *, stuck_s: float) -> dict[str, int]:
        """Wait for the metrics to say what they must, or to say nothing new for a while."""
        best, since = 0, time.monotonic()
        while True:
            found = self.metrics_by_brand()
            if found == wanted or time.monotonic() - since > stuck_s:
                return found
            if sum(found.values()) > best:
                best, since = sum(found.values()), time.monotonic()
            time.sleep(0.5)


def _config(address: str, prefix: str, partitions: int, port: int) -> str:
    tables = "\n".join(f'[brands.{name}]\nnames = ["{name}"]' for name in BRANDS)
    return f"""
time_zone = "Asia/Jakarta"
shown_run = "main"
{tables}
[log]
kind = "kafka"
bootstrap = ["{address}"]
prefix = "{prefix}"
partitions = {partitions}
[metrics]
port = {port}
[worker]
allowed_lateness_s = {LATENESS_S}
"""
