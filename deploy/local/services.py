"""Real Kafka, Prometheus and Grafana on this machine, without Docker.

    python deploy/local/services.py start [kafka] [prometheus] [grafana]
    python deploy/local/services.py stop
    python deploy/local/services.py status
    eval "$(python deploy/local/services.py env)"      # Grafana's password, for `siaga grafana`

Tests and benchmarks import it: `start(["kafka"], folder, ports=EPHEMERAL)` gives a private set with
its own data. Only the standard library is used, so it runs before `make setup` too.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from local_grafana import Grafana
from local_kafka import Kafka, KafkaOptions, Listener
from local_process import LOOPBACK, Failed, Missing, Process
from local_prometheus import Prometheus, PrometheusOptions

__all__ = [
    "DEFAULT_FOLDER", "DEFAULT_PORTS", "EPHEMERAL", "Failed", "Grafana", "Kafka", "KafkaOptions",
    "Listener", "Missing", "Prometheus", "PrometheusOptions", "Services", "load", "start",
]  # fmt: skip

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "build" / "services"
DEFAULT_PORTS: Mapping[str, int] = {"kafka": 9092, "prometheus": 9090, "grafana": 3000}
EPHEMERAL: Mapping[str, int] = {}
"""No port is asked for: free ones are chosen, beside whatever else runs."""

DEFAULT_METRICS = f"{LOOPBACK}:9108"
"""Where `siaga` serves `/metrics` unless configured otherwise; scraped from the start."""

STATE = "services.json"


class Server(Protocol):
    """What the three have in common."""

    process: Process | None

    @property
    def address(self) -> str: ...
    @property
    def log(self) -> Path: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def healthy(self) -> bool: ...


@dataclass
class Services:
    """The services that were started in a folder; those that were not asked for are None."""

    folder: Path
    kafka: Kafka | None = None
    prometheus: Prometheus | None = None
    grafana: Grafana | None = None

    def running(self) -> dict[str, Server]:
        """Those that were started, by name."""
        found: dict[str, Server | None] = {
            "kafka": self.kafka, "prometheus": self.prometheus, "grafana": self.grafana,
        }  # fmt: skip
        return {name: server for name, server in found.items() if server is not None}

    def stop(self) -> None:
        """End them by pid, last started first; data and logs stay."""
        for server in reversed(self.running().values()):
            server.stop()
        self.save()

    def destroy(self) -> None:
        """Stop, and forget their data (the end of a test)."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self) -> None:
        """Write addresses, ports and processes to `services.json`."""
        state = {name: _as_json(server) for name, server in self.running().items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{STATE}.partial"
        partial.touch(mode=0o600)  # Grafana's password is in it
        partial.write_text(json.dumps(state, indent=2) + "\n")
        partial.replace(self.folder / STATE)


def _as_json(server: Server) -> dict[str, Any]:
    process = server.process
    known: dict[str, Any] = {
        "address": server.address,
        "log": str(server.log),
        "process": process.as_json() if process and process.alive() else None,
    }
    if isinstance(server, Kafka):
        known["ports"] = server.ports
    if isinstance(server, Prometheus | Grafana):
        known["port"] = server.port
    if isinstance(server, Grafana):
        known |= {"user": server.user, "password": server.password}
    return known


def load(folder: Path = DEFAULT_FOLDER) -> Services:
    """The services of a folder as its `services.json` has them; none if there is no such file."""
    services = Services(folder)
    state = folder / STATE
    if not state.exists():
        return services
    for name, known in json.loads(state.read_text()).items():
        process = Process(**known["process"]) if known["process"] else None
        if name == "kafka":
            services.kafka = Kafka(folder / name, known["ports"], process)
        elif name == "prometheus":
            services.prometheus = Prometheus(folder / name, known["port"], process)
        elif name == "grafana":
            services.grafana = Grafana(folder / name, known["port"], known["password"], process)
    return services


def start(
    names: Iterable[str],
    folder: Path = DEFAULT_FOLDER,
    *,
    ports: Mapping[str, int] = DEFAULT_PORTS,
    kafka: KafkaOptions | None = None,
    prometheus: PrometheusOptions | None = None,
) -> Services:
    """Start services in a folder of their own, installing them first; what runs is left alone.

    Parameters
    ----------
    names
        Of `kafka`, `prometheus`, `grafana`.
    folder
        Holds their data, logs and `services.json`.
    ports
        Wanted port by name; a taken or absent one is replaced by a free one. A service that was
        here before gets the port that it had.
    kafka, prometheus
        What is different from the defaults: listeners, users, properties; the scrape interval.

    Raises
    ------
    Missing
        If this machine lacks what one of them needs.
    Failed
        If one does not come up.
    """
    folder = folder.resolve()
    services = load(folder)
    try:
        for name in names:
            server = services.running().get(name)
            if server is None or server.process is None or not server.process.alive():
                _prepare(services, name, ports.get(name, 0), kafka, prometheus)
            services.running()[name].start()
    finally:
        services.save()
    return services


def _prepare(
    services: Services,
    name: str,
    port: int,
    kafka: KafkaOptions | None,
    prometheus: PrometheusOptions | None,
) -> None:
    folder = services.folder / name
    if name == "kafka":
        before = services.kafka.ports if services.kafka else {}
        wanted = {"PLAINTEXT": port, **before}
        services.kafka = Kafka.prepare(folder, wanted=wanted, options=kafka)
    elif name == "prometheus":
        known = services.prometheus
        services.prometheus = Prometheus.prepare(
            folder, wanted=known.port if known else port, options=prometheus
        )
    elif name == "grafana":
        old = services.grafana
        services.grafana = Grafana.prepare(
            folder, wanted=old.port if old else port, password=old.password if old else ""
        )
    else:
        raise Missing(f"a service called {name!r}; there are {', '.join(DEFAULT_PORTS)}")


def main(argv: list[str] | None = None) -> int:
    """Command line of `make services` and `make services-stop`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("command", choices=("start", "stop", "status", "env"))
    parser.add_argument("names", nargs="*", default=[], help="kafka, prometheus, grafana; all")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="data, logs and state")
    asked = parser.parse_args(argv)
    code = 0
    if asked.command == "start":
        for name in asked.names or DEFAULT_PORTS:
            print(f"services: {name} ...", flush=True)
            try:
                start([name], asked.folder)
            except Missing as e:
                print(f"services: no {name}: this machine lacks {e}", file=sys.stderr)
                code = 1
            except Failed as e:
                print(f"services: {e}", file=sys.stderr)
                code = 1
    services = load(asked.folder)
    if asked.command == "env":
        if services.grafana is not None:
            print(f"export SIAGA_GRAFANA_PASSWORD={services.grafana.password}")
        return code
    if asked.command == "stop":
        services.stop()
    elif services.prometheus is not None and not services.prometheus.targets():
        services.prometheus.set_targets("siaga", [DEFAULT_METRICS])
    for name, server in services.running().items():
        print(f"{name:<11} {server.address:<28} {'healthy' if server.healthy() else 'stopped'}")
    print(f"{'logs':<11} {asked.folder / 'logs'}")
    print(f"{'state':<11} {asked.folder / STATE} (with Grafana's password)")
    return code


if __name__ == "__main__":
    sys.exit(main())
