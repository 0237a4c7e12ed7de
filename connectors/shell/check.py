"""`siaga connector check`: one page of a source, to the door and no further."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import cast

import typer

from connectors.assemble import build
from connectors.contract import Fatal, Page, Retryable, SourceSettings
from connectors.ingest.door import Door, Outcome
from connectors.ingest.match import Matcher
from connectors.shell.inspect import source_of
from connectors.shell.terminal import harmless
from streams.settings import RootSettings

LISTEN_S = 15.0
"""How long to wait for something from a source that pushes."""

SHOWN = 20


def check(settings: RootSettings, name: str) -> int:
    """Fetch one page and print what would be published; return the exit status."""
    source = source_of(settings, name)
    try:
        page = asyncio.run(_first_page(settings, name, source))
    except Fatal as e:
        typer.echo(f"{name}: {harmless(str(e))}", err=True)
        return 1
    except (Retryable, TimeoutError) as e:
        reason = harmless(str(e)) or f"no answer within {source.timeout_s:g} s"
        typer.echo(f"{name}: {reason} (it would be tried again)", err=True)
        return 1
    door = Door(name, Matcher(settings.brands), channel=source.channel, run=source.run)
    now = datetime.now(UTC)
    outcomes = [door.admit(item, now=now) for item in page.items]
    _show(name, outcomes)
    return 0


async def _first_page(settings: RootSettings, name: str, source: SourceSettings) -> Page:
    connector = build(name, source, settings)
    try:
        if hasattr(connector, "fetch"):
            async with asyncio.timeout(source.timeout_s):
                return await connector.fetch(None)
        stream = cast("AsyncGenerator[Page, None]", connector.stream(None))
        async with asyncio.timeout(LISTEN_S), aclosing(stream) as pages:
            async for page in pages:
                if page.items:
                    return page
        raise Retryable("connected, but nothing came")
    finally:
        await connector.close()


def _show(name: str, outcomes: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    mentions = [pair for o in outcomes for pair in o.mentions]
    dead = [o.dead for o in outcomes if o.dead]
    notes = Counter(note for o in outcomes for note in o.notes)
    console = Console()
    if mentions:
        table = Table(box=None, pad_edge=False)
        for title in ("brand", "published (UTC)", "author"):
            table.add_column(title, no_wrap=True, min_width=len(title))
        table.add_column("text", overflow="fold")
        for brand, m in mentions[:SHOWN]:
            when = f"{m.published_at:%Y-%m-%d %H:%M:%S}"
            cells = (brand, when, harmless(m.author, 24), harmless(m.text, 80))
            table.add_row(*map(Text, cells))
        console.print(table)
        if len(mentions) > SHOWN:
            console.print(Text(f"... and {len(mentions) - SHOWN} more"))
    for letter in dead[:SHOWN]:
        told = f"dead letter: {letter.reason}: {harmless(letter.detail, 160)} ({letter.origin})"
        console.print(Text(told))
    told = ", ".join(f"{n} {note}" for note, n in notes.items())
    console.print(
        Text(
            f"{name}: {len(outcomes)} items, {len(mentions)} mentions, {len(dead)} dead letters"
            + (f", {told}" if told else "")
            + ". Nothing was published."
        )
    )
