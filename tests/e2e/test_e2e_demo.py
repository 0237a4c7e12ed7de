"""`siaga demo` and `siaga run` as a new user meets them: one process, no broker."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
from chain import SIAGA, free_port, siaga, siaga_once, wait_for

CSV = """id,created_at,brand,author,text
{rows}
"""


def demo(*arguments: str, timeout_s: float = 300) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [SIAGA, "demo", *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
    )


def test_headless_demo_ends_at_the_first_alert_with_a_json_line() -> None:
    done = demo("--headless", "--until-alert", "--timeout", "240", "--seed", "20")
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["severity"] in ("ALERT", "CRISIS")
    assert summary["observed"] > summary["expected"]
    assert 0 <= summary["seconds_since_onset"] <= 6 * 3600
    assert {"brand", "signal", "event_time"} <= set(summary)
    for word in ("Tokoraya", "[simulasi]"):
        assert word in done.stderr


def test_demo_without_an_alert_in_time_fails_with_the_reason() -> None:
    done = demo("--headless", "--until-alert", "--timeout", "2")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["reason"] == "no alert within 2 s"


def test_a_persons_own_file_is_replayed(tmp_path: Path) -> None:
    rows = "\n".join(
        f"{n},2026-03-0{1 + n // 240}T{n % 24:02}:{n % 60:02}:00+07:00,Kopi Senja,u{n},enak sekali"
        for n in range(480)
    )
    file = tmp_path / "mine.csv"
    file.write_text(CSV.format(rows=rows))
    done = demo("--headless", "--timeout", "120", "--data", str(file))
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1])["mentions"] == 480


def test_a_file_that_cannot_be_used_gives_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("a,b\n1,2\n")
    done = demo("--headless", "--data", str(file))
    assert done.returncode == 1
    assert "lacks a column for text" in done.stderr
    assert "its columns are: a, b" in done.stderr
    assert "Traceback" not in done.stderr


CONFIG = """
[brands.tokoraya]
names = ["Tokoraya"]
[sources.sim]
type = "simulated"
weeks = 1
speed = 3600
[metrics]
port = {metrics}
[page]
port = {page}
"""


def test_ctrl_c_ends_all_of_it_within_five_seconds_and_a_second_start_works(tmp_path: Path) -> None:
    metrics, page = free_port(), free_port()
    (tmp_path / "siaga.toml").write_text(CONFIG.format(metrics=metrics, page=page))
    totals = []
    for _ in range(2):
        with siaga(tmp_path, "run", name="run") as process:
            wait_for("the page", lambda: _ok(page), timeout_s=60, running=[process])
            totals.append(
                wait_for("mentions", lambda: _mentions(metrics), timeout_s=60, running=[process])
            )
            # Readers work while the service runs, from another process.
            assert "siaga.mentions.v1" in siaga_once(tmp_path, "topics")
            siaga_once(tmp_path, "incident", "list")
            siaga_once(tmp_path, "dead-letters", "list")
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0, (tmp_path / "run.log").read_text()[-3000:]
            assert time.monotonic() - began < 5
    assert totals[1] >= totals[0], "a restart went back"
    assert "Traceback" not in (tmp_path / "run.log").read_text()


def test_a_taken_port_gives_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for section in ("metrics", "page"):
            ports = {"metrics": 0, "page": 0, section: port}
            (tmp_path / "siaga.toml").write_text(CONFIG.format(**ports))
            done = subprocess.run(
                [SIAGA, "run"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                env=dict(os.environ),
                check=False,
            )
            assert done.returncode == 1
            assert str(port) in done.stderr
            assert "Traceback" not in done.stderr


def _ok(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _mentions(port: int) -> float:
    from chain import samples

    return sum(samples(port, "siaga_mentions_total").values())
