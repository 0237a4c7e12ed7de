"""A real Prometheus with promtool: Debian's package, unpacked into the cache, run on loopback."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_process import (
    LOOPBACK,
    Missing,
    Process,
    answers,
    cache_dir,
    choose_port,
    installing,
    run,
    wait_until,
)
from local_versions import PROMETHEUS


@dataclass(frozen=True)
class PrometheusOptions:
    """What a test wants to be different."""

    scrape_interval_s: int = 5


def install() -> Path:
    """Return the folder that holds `prometheus` and `promtool`, fetched on first use (19 MB).

    Raises
    ------
    Missing
        Without apt and without both programs on the PATH.
    """
    folder = cache_dir() / f"prometheus-{PROMETHEUS}"
    if folder.exists():
        return folder / "usr" / "bin"
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return _on_path()
    with installing(folder) as scratch:
        if scratch is not None:
            _fetch(scratch)
    return folder / "usr" / "bin"


def _on_path() -> Path:
    programs = [shutil.which(name) for name in ("prometheus", "promtool")]
    if programs[0] is None or programs[1] is None:
        raise Missing("apt-get (Debian), which fetches Prometheus, or prometheus on the PATH")
    return Path(programs[0]).parent


def _fetch(scratch: Path) -> None:
    # Not installed: the package would start a system service of its own
    download = ["apt-get", "download", "-q", f"prometheus={PROMETHEUS}.*"]
    what = f"Prometheus {PROMETHEUS}"
    try:
        run(download, what=what, cwd=scratch)
    except Missing:
        if os.geteuid() != 0:
            raise
        # A fresh container has no package lists
        run(["apt-get", "update", "-q"], what=what, cwd=scratch)
        run(download, what=what, cwd=scratch)
    package = next(scratch.glob("prometheus_*.deb"))
    run(["dpkg", "-x", str(package), str(scratch)], what=what, cwd=scratch)
    package.unlink()


class Prometheus:
    """One Prometheus with its own data. Targets may change while it runs."""

    def __init__(self, folder: Path, port: int, process: Process | None = None) -> None:
        self.folder = folder
        self.port = port
        self.process = process

    @property
    def address(self) -> str:
        """Base URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        """What Prometheus said."""
        return self.folder.parent / "logs" / "prometheus.log"

    @classmethod
    def prepare(
        cls, folder: Path, *, wanted: int = 0, options: PrometheusOptions | None = None
    ) -> "Prometheus":
        """Write its configuration; data and targets that are there already are kept."""
        chosen = options or PrometheusOptions()
        (folder / "targets").mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yml").write_text(_configuration(folder, chosen))
        return cls(folder, choose_port(wanted))

    def start(self, *, timeout_s: float = 60) -> None:
        """Start it, or leave it alone if it runs, and wait until it is ready."""
        if self.process is None or not self.process.alive():
            command = [
                str(install() / "prometheus"),
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                "--storage.tsdb.retention.time=15d",
                f"--web.listen-address={LOOPBACK}:{self.port}",
                "--log.level=warn",
            ]
            self.process = Process.spawn(command, log=self.log, cwd=self.folder)
        wait_until(
            self.healthy, timeout_s=timeout_s, what="Prometheus", process=self.process, log=self.log
        )

    def healthy(self) -> bool:
        """Whether it takes queries."""
        return answers(f"{self.address}/-/ready")

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            self.process.stop()

    def set_targets(
        self, name: str, addresses: Sequence[str], *, labels: Mapping[str, str] | None = None
    ) -> None:
        """Scrape these `host:port` (`/metrics`, job `siaga`); replaces what `name` had before."""
        groups = [{"targets": list(addresses), "labels": dict(labels or {})}] if addresses else []
        partial = self.folder / f"{name}.partial"
        partial.write_text(json.dumps(groups))
        # One rename: Prometheus watches the folder and must not read half a file
        partial.replace(self.folder / "targets" / f"{name}.json")

    def targets(self) -> list[str]:
        """Names of the target files that there are."""
        return sorted(path.stem for path in (self.folder / "targets").glob("*.json"))


def _configuration(folder: Path, options: PrometheusOptions) -> str:
    interval = options.scrape_interval_s
    return f"""\
global:
  scrape_interval: {interval}s
  scrape_timeout: {interval}s
  evaluation_interval: {interval}s
scrape_configs:
  # Add a worker while it runs: write its host:port into a JSON file in targets/
  - job_name: siaga
    file_sd_configs:
      - files: ["{folder / "targets"}/*.json"]
        refresh_interval: 5s
"""
