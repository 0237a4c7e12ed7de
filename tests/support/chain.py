"""What the end-to-end tests share: our processes, a receiver of Grafana's webhooks, and waiting."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
SIAGA = str(Path(sys.executable).with_name("siaga"))


@dataclass
class Receiver:
    """Takes what Grafana posts, with the time at which it came."""

    address: str
    bodies: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def alerts(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """Alerts of a status ("firing", "resolved") with these labels, over all bodies."""
        return [
            alert
            for _, body in list(self.bodies)
            for alert in body.get("alerts", [])
            if alert["status"] == status
            and all(alert["labels"].get(name) == value for name, value in labels.items())
        ]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A webhook receiver on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            found.bodies.append((time.time(), json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Receiver(f"http://127.0.0.1:{server.server_port}/grafana")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def siaga(folder: Path, *arguments: str, name: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a `siaga` command in a folder while the block runs; SIGTERM ends it."""
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [SIAGA, *arguments], cwd=folder, stdout=log, stderr=log, env=dict(os.environ)
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def siaga_once(folder: Path, *arguments: str, timeout_s: float = 300, **env: str) -> str:
    """Run a `siaga` command to its end and return its output; fail with what it said."""
    done = subprocess.run(
        [SIAGA, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **env},
        check=False,
    )
    assert done.returncode == 0, f"siaga {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
    return done.stdout


def wait_for(
    what: str,
    found: Callable[[], T | None],
    *,
    timeout_s: float,
    running: "Sequence[subprocess.Popen[bytes]]" = (),
) -> T:
    """Poll until something true is found; fail naming what was waited for, or what died."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for process in running:
            assert process.poll() is None, f"{process.args!r} ended while waiting for {what}"
        value = found()
        if value:
            return value
        time.sleep(0.5)
    raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def samples(port: int, metric: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Values of a metric at a worker's `/metrics`, by labels."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    except httpx.TransportError:
        return {}
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == metric
    }


def mentions_by_brand(*ports: int) -> dict[str, int]:
    """Sum of `siaga_mentions_total` over workers, by brand."""
    total: dict[str, int] = {}
    for port in ports:
        for labels, value in samples(port, "siaga_mentions_total").items():
            brand = dict(labels)["brand"]
            total[brand] = total.get(brand, 0) + int(value)
    return total
