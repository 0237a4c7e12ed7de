"""A real Grafana 10.0: built from its Go module, as nothing else of it comes by a package registry.

The build's web pages stay empty (they need a JavaScript build); its API, alert evaluation,
notifications and provisioning are complete, and those are what the tests use.
"""

import json
import re
import secrets
import shutil
from configparser import ConfigParser
from pathlib import Path

from local_process import (
    LOOPBACK,
    Failed,
    Missing,
    Process,
    answers,
    cache_dir,
    choose_port,
    installing,
    run,
    wait_until,
)
from local_versions import GRAFANA, GRAFANA_MODULE, GRAFANA_MODULE_VERSION, WIRE

USER = "admin"


def install() -> Path:
    """Return the folder with the binary and its home, built on first use (some 5 CPU-minutes).

    Raises
    ------
    Missing
        Without Go, or without a module proxy, while the build is not cached.
    """
    folder = cache_dir() / f"grafana-{GRAFANA}"
    if not folder.exists():
        if shutil.which("go") is None:
            raise Missing(
                "Go 1.20 or later, which builds Grafana (tests without it: all but Grafana's)"
            )
        with installing(folder) as scratch:
            if scratch is not None:
                _build(scratch)
    return folder


def _build(scratch: Path) -> None:
    work, module_cache = scratch / "work", scratch / "modules"
    work.mkdir()
    go_flags = "-mod=mod -buildvcs=false -modcacherw"
    # A module cache of its own: wire writes into it, and it goes when the build is done
    env = {
        "GOMODCACHE": str(module_cache),
        "GOBIN": str(scratch / "bin"),
        "GOFLAGS": go_flags,
        # Without it Go trusts its index of the cache and does not see what wire wrote
        "GODEBUG": "goindex=0",
        "CGO_ENABLED": "1",
    }
    what = f"building Grafana {GRAFANA}"
    told = run(
        ["go", "mod", "download", "-json", f"{GRAFANA_MODULE}@{GRAFANA_MODULE_VERSION}"],
        what=what, cwd=work, env=env,
    )  # fmt: skip
    source = Path(json.loads(told)["Dir"])
    # `replace` lines count only in the main module, so ours repeats Grafana's
    replaced = _replacements((source / "go.mod").read_text())
    (work / "go.mod").write_text(
        "module siaga.local/grafana\n\ngo 1.19\n\n"
        f"require {GRAFANA_MODULE} {GRAFANA_MODULE_VERSION}\n\n" + "\n".join(replaced) + "\n"
    )
    shutil.copy(source / "go.sum", work / "go.sum")
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    run([*nice, "go", "install", f"github.com/google/wire/cmd/wire@{WIRE}"],
        what=what, cwd=work, env=env)  # fmt: skip
    wire = str(scratch / "bin" / "wire")
    run([*nice, wire, "gen", "-tags", "oss", f"{GRAFANA_MODULE}/pkg/server"],
        what=what, cwd=work, env=env)  # fmt: skip
    run(
        [*nice, "go", "build", "-tags", "oss", "-ldflags", f"-s -w -X main.version={GRAFANA}",
         "-o", str(scratch / "grafana"), f"{GRAFANA_MODULE}/pkg/cmd/grafana"],
        what=what, cwd=work, env=env,
    )  # fmt: skip
    for part in ("conf", "public"):
        shutil.copytree(source / part, scratch / "home" / part)
    for spent in (work, module_cache, scratch / "bin"):
        shutil.rmtree(spent)


def _replacements(go_mod: str) -> list[str]:
    single = re.findall(r"^replace\s+[^(\n]+$", go_mod, re.MULTILINE)
    blocks = re.findall(r"^replace\s*\(\n(.*?)^\)", go_mod, re.MULTILINE | re.DOTALL)
    inner = [line.strip() for block in blocks for line in block.splitlines() if "=>" in line]
    return [line.split("//")[0].strip() for line in single] + [f"replace {line}" for line in inner]


class Grafana:
    """One Grafana with its own SQLite file. `user` and `password` are its administrator's."""

    user = USER

    def __init__(
        self, folder: Path, port: int, password: str, process: Process | None = None
    ) -> None:
        self.folder = folder
        self.port = port
        self.password = password
        self.process = process

    @property
    def address(self) -> str:
        """Base URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def smtp_port(self) -> int:
        """Where it sends e-mail on the loopback, if anybody listens there."""
        ini = ConfigParser(interpolation=None)
        # Its first lines stand in no section
        ini.read_string("[top]\n" + (self.folder / "grafana.ini").read_text())
        return int(ini["smtp"]["host"].rpartition(":")[2])

    @property
    def log(self) -> Path:
        """What Grafana said."""
        return self.folder.parent / "logs" / "grafana.log"

    @classmethod
    def prepare(cls, folder: Path, *, wanted: int = 0, password: str = "") -> "Grafana":
        """Write its configuration; the database that is there already is kept."""
        folder.mkdir(parents=True, exist_ok=True)
        grafana = cls(folder, choose_port(wanted), password or secrets.token_urlsafe(18))
        for part in ("datasources", "dashboards", "alerting", "plugins", "notifiers"):
            (folder / "data" / "provisioning" / part).mkdir(parents=True, exist_ok=True)
        ini = folder / "grafana.ini"
        ini.touch(mode=0o600)
        ini.write_text(_ini(grafana))
        return grafana

    def start(self, *, timeout_s: float = 120) -> None:
        """Start it, or leave it alone if it runs, and wait until its database is ready."""
        try:
            self._start(timeout_s)
        except Failed as e:
            # Two of its parts race to make the first organisation of an empty database; it ends
            # when one loses, and the organisation is there at the second start
            if "failed to create default organization" not in str(e):
                raise
            self._start(timeout_s)

    def _start(self, timeout_s: float) -> None:
        if self.process is None or not self.process.alive():
            built = install()
            command = [str(built / "grafana"), "server", "--homepath", str(built / "home"),
                       "--config", str(self.folder / "grafana.ini")]  # fmt: skip
            self.process = Process.spawn(command, log=self.log, cwd=self.folder)
        wait_until(
            self.healthy, timeout_s=timeout_s, what="Grafana", process=self.process, log=self.log
        )

    def healthy(self) -> bool:
        """Whether its API answers and takes the administrator's password."""
        return answers(f"{self.address}/api/org", user=self.user, password=self.password)

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            self.process.stop()


def _ini(grafana: Grafana) -> str:
    data = grafana.folder / "data"
    return f"""\
app_mode = production
[paths]
data = {data}
logs = {data / "log"}
plugins = {data / "plugins"}
provisioning = {data / "provisioning"}
[server]
http_addr = {LOOPBACK}
http_port = {grafana.port}
root_url = {grafana.address}/
[security]
admin_user = {grafana.user}
admin_password = {grafana.password}
disable_gravatar = true
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
feedback_links_enabled = false
[users]
allow_sign_up = false
[database]
wal = true
[log]
mode = console
level = info
[alerting]
enabled = false
[unified_alerting]
enabled = true
# The smallest there is; group intervals are multiples of it
min_interval = 10s
# One Grafana: no gossip
ha_listen_address =
# With the default of 60 s a new contact point waits a minute
alertmanager_config_poll_interval = 5s
[smtp]
enabled = true
host = {LOOPBACK}:{choose_port(0)}
from_address = grafana@siaga.local
startTLS_policy = NoStartTLS
[unified_alerting.screenshots]
capture = false
[news]
news_feed_enabled = false
[plugins]
plugin_admin_enabled = false
"""
