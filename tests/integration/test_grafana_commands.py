"""`siaga grafana` at the terminal, against the real Grafana."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from services import Grafana, Prometheus

pytestmark = pytest.mark.services

Siaga = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def siaga(grafana: Grafana, prometheus: Prometheus, tmp_path: Path) -> Siaga:
    """Run a command with a configuration that names the session's services."""
    (tmp_path / "siaga.toml").write_text(
        'language = "id"\n[grafana]\nname = "cli"\ntitle = "CLI"\n'
        f'url = "{grafana.address}"\nprometheus_url = "{prometheus.address}"\n'
    )

    def run(*arguments: str, password: str = grafana.password) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", "grafana", *arguments],
            cwd=tmp_path,
            env={**os.environ, "SIAGA_GRAFANA_PASSWORD": password},
            capture_output=True,
            text=True,
        )

    return run


def test_apply_diff_and_destroy_say_what_they_did(siaga: Siaga) -> None:
    before = siaga("diff")
    assert before.returncode == 1
    assert "create  rule cli-level" in before.stdout

    first = siaga("apply")
    assert first.returncode == 0, first.stderr
    assert "Nobody is told yet" in first.stdout
    assert "rules healthy" in first.stdout.splitlines()[-1]
    assert siaga("apply").stdout.splitlines()[-1].startswith("0 changed")
    assert siaga("diff").returncode == 0

    assert siaga("destroy", "--yes").returncode == 0
    assert siaga("destroy", "--yes").stdout.startswith("0 removed")


def test_incidents_of_an_empty_log_are_marked_without_ado(siaga: Siaga) -> None:
    assert siaga("annotate", "--once").stdout.startswith("0 marked")


def test_a_wrong_password_and_a_wrong_address_are_sentences(siaga: Siaga, tmp_path: Path) -> None:
    refused = siaga("apply", password="salah")  # noqa: S106 (a wrong one on purpose)
    assert refused.returncode == 1
    assert "check the token or the password" in refused.stderr
    assert "Traceback" not in refused.stderr

    (tmp_path / "siaga.toml").write_text('[grafana]\nurl = "http://127.0.0.1:9"\n')
    away = siaga("diff")
    assert away.returncode == 1
    assert "does not answer" in away.stderr
    assert "Traceback" not in away.stderr
