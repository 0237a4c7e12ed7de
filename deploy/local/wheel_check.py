"""Builds the wheel, installs it into an empty environment and sees an alert with it.

The page, dashboards, weights and scenario must be inside the wheel: the demo runs in a folder
outside the checkout, so nothing can come from there.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Return 0 if an alert was seen."""
    with tempfile.TemporaryDirectory(prefix="siaga-wheel-") as folder:
        here = Path(folder)
        run([sys.executable, "-m", "build", "--wheel", "--outdir", str(here), str(ROOT)], here)
        (wheel,) = here.glob("*.whl")
        print(f"wheel: {wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB")
        home = here / "empty"
        venv.create(home, with_pip=True)
        run([str(home / "bin/pip"), "install", "--quiet", str(wheel)], here)
        done = run(
            [str(home / "bin/siaga"), "demo", "--headless", "--until-alert", "--timeout", "300"],
            here,
        )
        summary = json.loads(done.splitlines()[-1])
        print(f"wheel: alert seen by the installed package: {summary}")
        return 0


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder and return what it printed; its failure is ours."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
        raise SystemExit(f"wheel check failed: {' '.join(command[:3])} ... ({done.returncode})")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
