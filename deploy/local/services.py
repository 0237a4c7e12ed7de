"""Real Kafka, Prometheus and Grafana on this machine, without Docker.

    python deploy/local/services.py start [kafka] [prometheus] [grafana]
    python deploy/local/services.py stop
    python deploy/local/services.py status

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
from typing import Protocol

from local_kafka import Kafka, KafkaOptions, Listener
from local_process import Failed, Missing, Process

__all__ = ["DEFAULT_FOLDER", "DEFAULT_PORTS", "EPHEMERAL", "Failed", "Kafka", "KafkaOptions",
           "Listener", "Missing", "Services", "load", "start"]  # fmt: skip

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "build" / "services"
DEFAULT_PORTS: Mapping[str, int] = {"kafka": 9092, "prometheus": 9090, "grafana": 3000}
EPHEMERAL: Mapping[str, int] = {}
"""No port is asked for: free ones are chosen, beside whatever else runs."""

STATE = "services.json"


class Server(Protocol):
    """What the three have in common."""

    process: Process | None

    @property
    def address(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def healthy(self) -> bool: ...


@dataclass
class Services:
    """The services that were started in a folder; those that were not asked for are None."""

    folder: Path
    kafka: Kafka | None = None

    def running(self) -> dict[str, Server]:
        """Those that were started, by name."""
        found: dict[str, Server | None] = {"kafka": self.kafka}
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
        state: dict[str, object] = {}
        for name, server in self.running().items():
            process = server.process
            state[name] = {
                "address": server.address,
                "process": process.as_json() if process and process.alive() else None,
                **_more(server),
            }
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(state, indent=2) + "\n"
        partial = self.folder / f"{STATE}.partial"
        partial.touch(mode=0o600)  # Grafana's password is in it
        partial.write_text(text)
        partial.replace(self.folder / STATE)


def _more(server: Server) -> dict[str, object]:
    if isinstance(server, Kafka):
        return {"ports": server.ports}
    raise TypeError(type(server).__name__)


def load(folder: Path = DEFAULT_FOLDER) -> Services:
    """The services of a folder as its `services.json` has them; none if there is no such file."""
    services = Services(folder)
    state = folder / STATE
    if not state.exists():
        return services
    for name, known in json.loads(state.read_text()).items():
        process = Process(**known["process"]) if known["process"] else None
        if name == "kafka":
            services.kafka = Kafka(folder / "kafka", known["ports"], process)
    return services


def start(
    names: Iterable[str],
    folder: Path = DEFAULT_FOLDER,
    *,
    ports: Mapping[str, int] = DEFAULT_PORTS,
    kafka: KafkaOptions | None = None,
) -> Services:
    """Start services in a folder of their own, installing them first; what runs is left alone.

    Parameters
    ----------
    names
        Of `kafka`, `prometheus`, `grafana`.
    folder
        Holds their data, logs and `services.json`.
    ports
        Wanted port by name; a taken or absent one is replaced by a free one.
    kafka
        Further listeners, users and properties of the broker.

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
            if name == "kafka":
                if services.kafka is None or not _alive(services.kafka):
                    before = services.kafka.ports if services.kafka else {}
                    wanted = {"PLAINTEXT": ports.get("kafka", 0), **before}
                    services.kafka = Kafka.prepare(folder / "kafka", wanted=wanted, options=kafka)
                services.kafka.start()
            else:
                raise Missing(f"a service called {name!r}; there are {', '.join(DEFAULT_PORTS)}")
    finally:
        services.save()
    return services


def _alive(server: Server) -> bool:
    return server.process is not None and server.process.alive()


def main(argv: list[str] | None = None) -> int:
    """Command line of `make services` and `make services-stop`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("command", choices=("start", "stop", "status"))
    parser.add_argument("names", nargs="*", default=[], help="kafka, prometheus, grafana; all")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="data, logs and state")
    asked = parser.parse_args(argv)
    if asked.command == "start":
        try:
            start(asked.names or DEFAULT_PORTS, asked.folder)
        except Missing as e:
            print(f"services: this machine lacks {e}", file=sys.stderr)
            return 1
        except Failed as e:
            print(f"services: {e}", file=sys.stderr)
            return 1
    services = load(asked.folder)
    if asked.command == "stop":
        services.stop()
    for name, server in services.running().items():
        told = "healthy" if server.healthy() else "stopped"
        print(f"{name:<11} {server.address:<28} {told}")
    print(f"{'logs':<11} {asked.folder / 'logs'}")
    print(f"{'state':<11} {asked.folder / STATE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
