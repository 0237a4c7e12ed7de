"""`siaga connector list` and `reset`: what the log knows of each source.

The service is another process, perhaps on another machine: it writes its counts beside its cursor,
at most 15 s old while it runs, and they go on over restarts (its metrics begin at 0 again).
"""

import json
from datetime import UTC, datetime
from typing import Any

import typer

from connectors.assemble import build
from connectors.contract import Fatal, Retryable, Seekable, SourceSettings
from connectors.ingest import cursors
from connectors.ingest.bookmark import STATUS_EVERY_S
from connectors.ingest.cursors import Saved
from connectors.settings import Sources
from connectors.shell.terminal import ago, harmless
from streams.log.port import Log
from streams.service import CannotStart
from streams.settings import RootSettings
from streams.shell import with_log
from streams.topics import TOPICS

AT_REST = ("off", "ended", "removed", "new")
"""States of a source that no process runs: nothing writes over a new cursor then."""


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
        "fetched": saved.fetched if saved else 0,
        "matched": saved.matched if saved else 0,
        "published": saved.mentions if saved else 0,
        "duplicates": saved.duplicates if saved else 0,
        "dead_letters": saved.dead_letters if saved else 0,
        "failures": saved.failures if saved else 0,
        "quota_left": saved.quota_left if saved else None,
    }


def _age(then: datetime | None, now: datetime) -> float | None:
    return max(0.0, (now - then).total_seconds()) if then else None


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Two narrow tables: one of thirteen columns cannot be read on a terminal of eighty.
    states = Table(box=None, pad_edge=False)
    for title in ("source", "type", "run", "state", "last success", "lag", "saved"):
        states.add_column(title)
    counts = Table(box=None, pad_edge=False)
    counts.add_column("source")
    for title in ("fetched", "matched", "published", "duplicates", "dead", "quota left"):
        counts.add_column(title, justify="right")
    for r in rows:
        cells = [r["name"], r["type"], r["run"], r["state"]]
        ages = (r["last_success_age_s"], r["lag_s"], r["cursor_age_s"])
        cells += ["–" if age is None else ago(age) for age in ages]
        states.add_row(*map(Text, cells))
        names = ("fetched", "matched", "published", "duplicates", "dead_letters")
        numbers = [f"{r[name]:,}" for name in names]
        left = "–" if r["quota_left"] is None else f"{r['quota_left']:,.0f}"
        counts.add_row(*map(Text, (r["name"], *numbers, left)))
    console = Console()
    console.print(states)
    console.print()
    console.print(counts)
    for r in rows:
        if r["detail"]:
            console.print(Text(f"{r['name']}: {harmless(r['detail'])}"))


def reset(settings: RootSettings, name: str, to: datetime | None) -> None:
    """Write another cursor, or none, for a source.

    Raises
    ------
    CannotStart
        If the source is unknown, still runs, or cannot start from a time.
    """
    source = source_of(settings, name)
    now = datetime.now(UTC)

    async def write(log: Log) -> None:
        await log.ensure(TOPICS)
        saved = (await cursors.load(log)).get((name, source.run))
        if saved is not None and saved.state not in AT_REST:
            age_s = (now - saved.saved_at).total_seconds()
            if age_s < 2 * STATUS_EVERY_S:
                raise CannotStart(
                    f"{name} runs (its last word is {age_s:.0f} s old) and would write over the "
                    "new place: set enabled = false in its table, reset it, set it back"
                )
        record = cursors.forget(name, source.run)
        if to is not None:
            cursor = _cursor_at(settings, name, source, to.replace(tzinfo=to.tzinfo or UTC))
            record = cursors.entry(Saved(source=name, run=source.run, cursor=cursor, saved_at=now))
        await log.append([record])

    with_log(settings, write)
    where = f"from {to:%Y-%m-%d %H:%M} UTC" if to else "from its start"
    typer.echo(f"{name} goes on {where} when it is started next.")


def _cursor_at(
    settings: RootSettings, name: str, source: SourceSettings, time: datetime
) -> str | None:
    try:
        connector = build(name, source, settings)
        if isinstance(connector, Seekable):
            return connector.cursor_at(time)
    except (Fatal, Retryable) as e:
        raise CannotStart(f"{name}: {e}") from e
    why = getattr(connector, "cannot_seek", "it keeps no place that belongs to a time")
    raise CannotStart(f"a {source.type} source cannot start from a time: {why}")
