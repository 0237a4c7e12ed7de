"""A third party's package beside ours: installed into an environment, found, proven and used."""

import json
import subprocess
import sys
import sysconfig
import threading
import venv
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "siaga-connector-github-issues"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has Siaga, as this one has it, and the example's wheel."""
    folder = tmp_path_factory.mktemp("example")
    home = folder / "venv"
    venv.create(home)
    [packages] = home.glob("lib/python*/site-packages")
    ours = sysconfig.get_paths()["purelib"]
    # As if Siaga had been installed there: its dependencies take minutes without a cache.
    (packages / "siaga-of-the-tests.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    source = folder / "source"
    copytree(EXAMPLE, source, ignore=ignore_patterns("__pycache__", ".*"))
    found = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(found), "install", "--quiet"]
    run([*pip, "--no-deps", "--no-build-isolation", "--no-index", str(source)], folder)
    return found


def run(command: list[str], folder: Path, *, status: int = 0) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def server() -> Iterator[str]:
    """One page of one repository, over real HTTP."""
    issue = {
        "number": 7,
        "title": "Checkout fails",
        "created_at": "2025-01-31T10:00:00Z",
        "updated_at": "2025-01-31T10:00:00Z",
        "user": {"login": "siti"},
    }

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps([issue]).encode()
            self.send_response(200 if self.path.startswith("/repos/acme/shop/issues?") else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


def test_its_own_suite_passes_against_the_installed_package(python: Path, tmp_path: Path) -> None:
    test = tmp_path / "test_installed.py"
    test.write_text((EXAMPLE / "test_siaga_github_issues.py").read_text())
    told = run([str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)], tmp_path)
    assert " passed" in told
    assert "skipped" not in told


def test_siaga_lists_and_checks_a_source_of_its_type(
    python: Path, tmp_path: Path, server: str
) -> None:
    config = tmp_path / "siaga.toml"
    config.write_text(
        '[brands.acme]\nnames = ["Acme"]\n[sources.issues]\ntype = "github_issues"\n'
        f'repository = "acme/shop"\nbrand = "acme"\nurl = "{server}"\nallow_private = true\n'
    )
    siaga = [str(python), "-m", "streams.cli", "connector"]
    [row] = json.loads(run([*siaga, "list", "--json"], tmp_path))
    assert (row["name"], row["type"], row["state"]) == ("issues", "github_issues", "new")
    told = run([*siaga, "check", "issues"], tmp_path)
    assert "Checkout fails" in told
    assert "1 items, 1 mentions, 0 dead letters" in told


def test_without_the_package_the_type_is_unknown_and_said_so(tmp_path: Path) -> None:
    config = tmp_path / "siaga.toml"
    config.write_text('[sources.issues]\ntype = "github_issues"\nrepository = "a/b"\n')
    told = run([sys.executable, "-m", "streams.cli", "config", "check"], tmp_path, status=1)
    assert "siaga.toml:2: sources.issues.type" in told
    assert 'unknown type "github_issues"' in told
