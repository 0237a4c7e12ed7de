"""`siaga connector list` and `reset`: what the log knows of each source."""

import json
from datetime import UTC, datetime
from typing import Any

import typer

from connectors.assemble import build
from connectors.contract import Seekable, SourceSettings
from connectors.ingest import cursors
from connectors.ingest.cursors import Saved
from connectors.settings import Sources
from connectors.shell.terminal import ago, harmless, with_log
from streams.log.port import Log
from streams.service import CannotStart
from streams.settings import RootSettings
from streams.topics import TOPICS


def source_of(settings: RootSettings, name: str) -> SourceSettings:
    """Return a configured source.

    Raises
    ------
    CannotStart
        If there is none of that name; the message lists those that there are.
    """
    sources = settings.section(Sources).by_name()
    if name not in sources:
        there = ", ".join(sources) or "none yet"
        raise CannotStart(f"no source {name!r} in the configuration; there are: {there}")
    return sources[name]


def show_sources(settings: RootSettings, *, as_json: bool) -> None:
    """Print each configured source and what the log knows of it."""
    saved = with_log(settings, cursors.load)
    now = datetime.now(UTC)
    rows = [
        _row(name, source, saved.get((name, source.run)), now)
        for name, source in settings.section(Sources).by_name().items()
    ]
    configured = {(r["name"], r["run"]) for r in rows}
    rows += [
        _row(key[0], None, value, now) for key, value in saved.items() if key not in configured
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        typer.echo("No sources yet: add a [sources.NAME] table to siaga.toml.")
        return
    _table(rows)


def _row(
    name: str, source: SourceSettings | None, saved: Saved | None, now: datetime
) -> dict[str, Any]:
    state = saved.state if saved else "new"
    if source is not None and not source.enabled:
        state = "off"
    lag = None
    if saved and saved.watermark:
        lag = max(0.0, ((saved.clock or saved.saved_at) - saved.watermark).total_seconds())
    return {
        "name": name,
        "type": source.type if source else "",
        "run": source.run if source else (saved.run if saved else ""),
        "state": state,
        "detail": saved.detail if saved else "",
        "last_success": saved.last_success.isoformat() if saved and saved.last_success else None,
        "last_success_age_s": _age(saved.last_success if saved else None, now),
        "lag_s": lag,
        "cursor_age_s": _age(saved.saved_at if saved else None, now),
        "mentions": saved.mentions if saved else 0,
        "dead_letters": saved.dead_letters if saved else 0,
    }


def _age(then: datetime | None, now: datetime) -> float | None:
    return max(0.0, (now - then).total_seconds()) if then else None


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("source", "type", "run", "state", "last success", "lag", "cursor"):
        table.add_column(title)
    table.add_column("mentions", justify="right")
    table.add_column("dead", justify="right")
    for r in rows:
        cells = [r["name"], r["type"], r["run"], r["state"]]
        ages = (r["last_success_age_s"], r["lag_s"], r["cursor_age_s"])
        cells += ["–" if age is None else ago(age) for age in ages]
        cells += [f"{r['mentions']:,}", f"{r['dead_letters']:,}"]
        table.add_row(*map(Text, cells))
    console = Console()
    console.print(table)
    for r in rows:
        if r["detail"]:
            console.print(Text(f"{r['name']}: {harmless(r['detail'])}"))


def reset(settings: RootSettings, name: str, to: datetime | None) -> None:
    """Write another cursor, or none, for a source.

    Raises
    ------
    CannotStart
        If the source is unknown, or cannot start from a time.
    """
    source = source_of(settings, name)
    record = cursors.forget(name, source.run)
    if to is not None:
        time = to.replace(tzinfo=to.tzinfo or UTC)
        connector = build(name, source, settings)
        if not isinstance(connector, Seekable):
            raise CannotStart(
                f"a {source.type} source cannot start from a time; reset it without --to"
            )
        record = cursors.entry(
            Saved(
                source=name,
                run=source.run,
                cursor=connector.cursor_at(time),
                saved_at=datetime.now(UTC),
            )
        )

    async def write(log: Log) -> None:
        await log.ensure(TOPICS)
        await log.append([record])

    with_log(settings, write)
    where = f"from {to:%Y-%m-%d %H:%M} UTC" if to else "from its start"
    typer.echo(f"{name} goes on {where} when it is started next (restart it if it runs).")
