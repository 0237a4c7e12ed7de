"""`siaga dead-letters`: reads `siaga.dead.v1`; works while the service runs."""

import sys
from collections import Counter, deque

import msgspec
import typer

from connectors.shell.terminal import harmless
from streams import codec
from streams.log.decoded import decoded
from streams.log.port import Log
from streams.records import DeadLetter
from streams.settings import RootSettings
from streams.shell import with_log
from streams.topics import DEAD

PREVIEW_CHARS = 2000


async def _letters(log: Log) -> dict[str, DeadLetter]:
    """Return all dead letters by id: a repeat of the same bad input is one letter."""
    found: dict[str, DeadLetter] = {}
    async for records in log.read(DEAD):
        for record in records:
            letter = decoded(record, codec.dead_letter)
            if letter is not None:  # of a newer version: not ours to show
                found[letter.id] = letter
    return found


def show_list(
    settings: RootSettings, *, reason: str, origin: str, limit: int, as_json: bool
) -> None:
    """Print the newest letters and how many there are by reason."""
    letters = with_log(settings, _letters).values()
    wanted = [d for d in letters if reason in ("", d.reason) and d.origin.startswith(origin)]
    wanted.sort(key=lambda d: d.at)
    newest = deque(wanted, maxlen=limit)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(list(newest))).decode())
        return
    if not wanted:
        typer.echo("No dead letters.")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("id", "when (UTC)", "reason"):
        table.add_column(title, no_wrap=title != "id", overflow="fold")
    table.add_column("what to do", overflow="fold")
    for d in newest:
        cells = (d.id, f"{d.at:%Y-%m-%d %H:%M:%S}", d.reason, harmless(d.detail, 160))
        table.add_row(*(Text(harmless(c)) for c in cells))
    console = Console()
    console.print(table)
    by_reason = ", ".join(f"{r} {n:,}" for r, n in Counter(d.reason for d in wanted).most_common())
    console.print(Text(f"{len(wanted):,} in all: {by_reason}"))


def show_one(settings: RootSettings, wanted: str, *, raw: bool) -> int:
    """Print one letter with its original; return the exit status."""
    letters = with_log(settings, _letters)
    found = letters.get(wanted) or next(
        (d for d in reversed(letters.values()) if d.id.startswith(wanted)), None
    )
    if found is None:
        typer.echo(f"No dead letter begins with {harmless(wanted)!r}; see: siaga dead-letters list")
        return 1
    if raw:
        sys.stdout.buffer.write(found.original)
        return 0
    kept = "" if len(found.original) == found.length else f", of which {len(found.original)} kept"
    typer.echo(
        f"{harmless(found.id)}\n"
        f"  stage    {found.stage}\n"
        f"  reason   {found.reason}\n"
        f"  detail   {harmless(found.detail)}\n"
        f"  origin   {harmless(found.origin)}\n"
        f"  run      {found.run}\n"
        f"  at       {found.at:%Y-%m-%d %H:%M:%S} UTC\n"
        f"  length   {found.length} bytes{kept}\n"
        f"  sha256   {found.sha256}\n"
        f"  original (--raw for all bytes):\n"
    )
    text = found.original.decode("utf-8", "backslashreplace")
    typer.echo(harmless(text, PREVIEW_CHARS))
    return 0
