"""`make services` ends only what it started, keeps what runs, and names what a machine lacks."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import local_process
import pytest
import services as local
from local_kafka import install as install_kafka
from local_process import Missing, Process, choose_port, installing
from services import Grafana, Prometheus

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sleeper(tmp_path: Path) -> Process:
    """A process of ours that would live for a minute."""
    return Process.spawn(["sleep", "60"], log=tmp_path / "logs" / "sleep.log", cwd=tmp_path)


def test_a_process_is_known_again_by_pid_and_start_time(sleeper: Process) -> None:
    again = Process(**json.loads(json.dumps(sleeper.as_json())))
    assert again.alive()
    again.stop()
    assert not sleeper.alive()


def test_a_process_that_got_an_old_pid_of_ours_is_left_alone(sleeper: Process) -> None:
    stranger = Process(sleeper.pid, "1")
    assert not stranger.alive()
    stranger.stop()
    stranger.kill()
    assert sleeper.alive()
    sleeper.kill()
    assert not sleeper.alive()


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = choose_port(port)
        assert other != port
        assert local_process.port_is_free(other)
    assert choose_port(port) == port


def test_a_broken_download_never_counts_as_installed(tmp_path: Path) -> None:
    folder = tmp_path / "thing-1.0"

    def break_off() -> None:
        with installing(folder) as scratch:
            assert scratch is not None
            (scratch / "half").touch()
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        break_off()
    assert not folder.exists()
    with installing(folder) as scratch:
        assert scratch is not None
        assert list(scratch.iterdir()) == []
    with installing(folder) as scratch:
        assert scratch is None


def test_a_machine_without_java_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Missing, match="Java 17 or later"):
        install_kafka()


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_tests_name_a_missing_service_in_one_line_and_fail_only_in_ci(ci: str, code: int) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/integration/test_services_kafka.py"],
        cwd=ROOT,
        env={**os.environ, "PATH": "/nonexistent", "CI": ci},
        capture_output=True,
        text=True,
    )
    assert run.returncode == code, run.stdout
    [line] = [line for line in run.stdout.splitlines() if line.startswith("Not run on this")]
    assert "kafka (Java 17 or later, for Kafka (found none))" in line


@pytest.mark.services
def test_targets_may_be_added_while_prometheus_runs(prometheus: Prometheus) -> None:
    prometheus.set_targets("itself", [f"127.0.0.1:{prometheus.port}"])

    def scraped() -> bool:
        query = {"query": f'up{{instance="127.0.0.1:{prometheus.port}"}}'}
        reply = httpx.get(f"{prometheus.address}/api/v1/query", params=query).json()
        return bool(reply["data"]["result"])

    local_process.wait_until(scraped, timeout_s=30, what="a scrape")
    prometheus.set_targets("itself", [])


@pytest.mark.services
def test_started_twice_they_stay_and_stopped_they_come_back_at_the_same_address(
    tmp_path: Path, grafana: Grafana
) -> None:
    folder = tmp_path / "set"
    names = ["prometheus", "grafana"]
    first = local.start(names, folder, ports=local.EPHEMERAL)
    try:
        second = local.start(names, folder, ports=local.EPHEMERAL)
        assert _processes(second) == _processes(first)
        assert oct((folder / "services.json").stat().st_mode)[-3:] == "600"
        local.load(folder).stop()
        assert not any(server.healthy() for server in first.running().values())
        assert grafana.healthy()  # another set
        third = local.start(names, folder)
        assert _addresses(third) == _addresses(first)
        assert all(server.healthy() for server in third.running().values())
        assert _processes(third) != _processes(first)
    finally:
        local.load(folder).destroy()


def _processes(services: local.Services) -> dict[str, Process | None]:
    return {name: server.process for name, server in services.running().items()}


def _addresses(services: local.Services) -> dict[str, str]:
    return {name: server.address for name, server in services.running().items()}
