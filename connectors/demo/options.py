"""What the demo was asked for, and the settings that follow from it."""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from connectors.sources.simulated import scenario
from connectors.sources.tabular.guess import guess
from streams.config import parse_values
from streams.service import CannotStart
from streams.settings import RootSettings


@dataclass(frozen=True)
class Options:
    """Flags of `siaga demo`."""

    seed: int = 1
    quiet_week: bool = False
    headless: bool = False
    until_alert: bool = False
    timeout_s: float = 0.0
    """0: no limit."""
    data: Path | None = None
    brand_column: str | None = None
    port: int | None = None
    language: str = "id"


def settings_for(options: Options, data_dir: Path) -> RootSettings:
    """Settings of a demo whose log is in `data_dir`.

    Raises
    ------
    CannotStart
        If the person's file cannot be used.
    """
    packaged = files("connectors.sources.simulated").joinpath("demo.toml").read_text("utf-8")
    values = tomllib.loads(packaged)
    values["data_dir"] = str(data_dir)
    values["language"] = options.language
    values["log"] = {"kind": "embedded", "partitions": 4}
    # Nobody looks at the page or the metrics of a headless run: any free port will do.
    free = {"port": 0} if options.headless else {}
    values["metrics"] = dict(free)
    values["page"] = dict(free) if options.port is None else {"port": options.port}
    if options.data is not None:
        values |= _own_data(options.data, options.brand_column)
    else:
        source: dict[str, Any] = values["sources"]["demo"]
        source["seed"] = options.seed
        if options.quiet_week:
            source |= {"quiet": True, "weeks": 1}
        if options.headless or options.quiet_week:
            source["crisis_speed"] = 0
    return parse_values(values, Path("demo.toml"))


def onset_of(options: Options) -> datetime | None:
    """When the crisis of the scenario begins; None if there is none or nobody knows."""
    if options.data is not None or options.quiet_week:
        return None
    return scenario(options.seed).onset


def _own_data(path: Path, brand_column: str | None) -> dict[str, Any]:
    if not path.is_file():
        raise CannotStart(f"{path}: no such file; give a CSV or JSON lines file of texts")
    found = guess(path, brand_column)
    brands = {name: {"title": title, "names": [title]} for name, title in found.brands.items()}
    source = {"type": "file", "path": str(path.resolve()), **found.source}
    return {"brands": brands, "sources": {"file": source}}
