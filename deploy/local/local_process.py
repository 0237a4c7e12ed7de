"""Processes and ports: start detached, know ours again by pid and start time, end only those."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this interpreter, kept so that an ended one is reaped and not taken for alive."""


class Missing(Exception):
    """This machine cannot run a service; the message names what it lacks."""


class Failed(Exception):
    """A service did not come up or go down; the message says which, and where its log is."""


def cache_dir() -> Path:
    """Where downloads and builds are kept, outside every checkout: $SIAGA_CACHE."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "siaga"
    return Path(os.environ.get("SIAGA_CACHE") or default)


@contextlib.contextmanager
def installing(folder: Path) -> Iterator[Path | None]:
    """Yield a scratch folder that becomes `folder` on success; None if `folder` is there already.

    A lock lets several checkouts ask at once and only one do the work; the rename at the end means
    that a broken download never counts as installed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            yield None
            return
        scratch = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        yield scratch
        scratch.rename(folder)


def run(
    command: Sequence[str], *, what: str, cwd: Path, env: Mapping[str, str] | None = None
) -> str:
    """Run a step of an installation and return its output.

    Raises
    ------
    Missing
        If it fails, with the last lines of what it said: a machine without the registry, say.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise Missing(f"{what}: `{' '.join(command[:3])} ...` failed:\n{tail}")
    return done.stdout


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port(wanted: int = 0, *, taken: Sequence[int] = ()) -> int:
    """`wanted` if it is free, else a free one.

    Drawn below 32768: the kernel gives ports above it to outgoing connections, which could take the
    port in the moment between this look and the server's own bind.
    """
    if wanted and wanted not in taken and port_is_free(wanted):
        return wanted
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(20_000, 32_000)
        if port not in taken and port_is_free(port):
            return port


def answers(url: str, *, user: str = "", password: str = "") -> bool:
    """Whether a GET of a loopback address, perhaps with a login, is answered by 200."""
    request = urllib.request.Request(url)  # noqa: S310 (http on loopback)
    if user:
        login = b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(request, timeout=3) as reply:  # noqa: S310 (as above)
            return bool(reply.status == 200)
    except OSError:  # refused, timed out, or an HTTP error
        return False


@dataclass(frozen=True)
class Process:
    """A running process of ours. A pid alone is not enough: the system gives it to others later."""

    pid: int
    started: str

    @classmethod
    def spawn(
        cls, command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None
    ) -> "Process":
        """Start a command in its own session (Ctrl-C in our terminal does not reach it)."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children[child.pid] = child
        return cls(child.pid, _start_time(child.pid) or "")

    def alive(self) -> bool:
        """Whether that very process still runs (an ended, unreaped one does not)."""
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            return False
        return bool(self.started) and _start_time(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Send a signal, if and only if the process is still ours."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, as a crash would, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        wait_until(lambda: not self.alive(), timeout_s=10, what=f"process {self.pid} to die")

    def stop(self, *, grace_s: float = 10) -> None:
        """Ask it to end, wait, and insist."""
        self.signal(signal.SIGCONT)  # a paused process cannot hear
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.alive():
            self.kill()

    def as_json(self) -> dict[str, object]:
        """The two values by which it is known again."""
        return asdict(self)


def _start_time(pid: int) -> str | None:
    """When a process started, in the system's own words; None if there is none (or a zombie)."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    # Not Linux: ps knows
    told = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    state, _, started = told.partition(" ")
    return None if not told or state.startswith("Z") else started.strip()


def wait_until(
    ready: Callable[[], bool],
    *,
    timeout_s: float,
    what: str,
    process: Process | None = None,
    log: Path | None = None,
) -> None:
    """Poll until ready.

    Raises
    ------
    Failed
        When the process ends first or the time is over; the message holds the end of its log.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process is not None and not process.alive():
            raise Failed(f"waited for {what}, but its process ended; {_tail(log)}")
        if time.monotonic() > deadline:
            raise Failed(f"waited {timeout_s:.0f} s for {what}; {_tail(log)}")
        time.sleep(0.1)


def _tail(log: Path | None) -> str:
    if log is None or not log.exists():
        return "no log"
    lines = log.read_text(errors="replace").splitlines()[-15:]
    return f"the end of {log}:\n" + "\n".join(lines)
