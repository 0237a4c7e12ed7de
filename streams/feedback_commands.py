"""`siaga feedback ...` and `siaga model ...`: what the team teaches, and which model is in use."""

import asyncio
import csv
import getpass
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

if TYPE_CHECKING:
    from detectors.language.lessons import LessonBook
    from streams.log.port import Log
    from streams.records import Label
    from streams.settings import RootSettings

feedback = typer.Typer(no_args_is_help=True, help="Corrections that the models learn from.")
model = typer.Typer(no_args_is_help=True, help="Which language model is in use, and changing it.")

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file.", show_default="siaga.toml"),
]
WhoOption = Annotated[str, typer.Option(help="Your name.", show_default="the login name")]
SentimentOption = Annotated[str, typer.Option(help="negative, neutral or positive.")]


class Row(msgspec.Struct, kw_only=True):
    """One correction in a file to import (JSON lines or CSV; other columns are ignored)."""

    text: str
    mention: str = ""
    sentiment: str = ""
    topics: str | tuple[str, ...] | None = None
    """Separated by commas in CSV."""
    who: str = ""
    at: datetime | None = None


@feedback.command()
def add(
    text: Annotated[str, typer.Option(help="The mention's text.")],
    mention: Annotated[str, typer.Option(help="The mention's id.")] = "",
    sentiment: SentimentOption = "",
    topics: Annotated[str, typer.Option(help="The right topics, comma-separated.")] = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Say what a mention really says.

    Example: siaga feedback add --text "paket hilang lagi" --sentiment negative --topics delivery
    """
    row = Row(text=text, mention=mention, sentiment=sentiment, topics=topics or None, who=who)
    names = _settings(config).taxonomy.taxonomy.names
    _send(config, [_label(row, "this correction", names)])
    typer.echo("1 correction recorded; the shadow model learns from it.")


@feedback.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines (.jsonl) or CSV with a header.")],
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Take corrections from a file; all or none.

    Example: siaga feedback import corrections.csv --who ani
    """
    labels = []
    names = _settings(config).taxonomy.taxonomy.names
    for number, row in enumerate(_rows(file), 1):
        row.who = row.who or who
        labels.append(_label(row, f"{file}, record {number}", names))
    _send(config, labels)
    typer.echo(f"{len(labels):,} corrections recorded.")


@feedback.command(name="list")
def list_(
    last: Annotated[int, typer.Option(help="How many, newest last.")] = 20,
    config: ConfigOption = None,
) -> None:
    """Show the latest corrections, and where people contradict each other.

    Example: siaga feedback list
    """
    labels = _with_log(config, _labels)
    for label in labels[-last:]:
        said: str = label.sentiment or ""
        if label.topics is not None:
            said += f" [{', '.join(label.topics)}]"
        what = said if label.kind == "label" else f"{label.kind} {label.version}".strip()
        typer.echo(f"{label.at:%Y-%m-%d %H:%M}  {label.who:12}  {what:28}  {label.text[:70]!r}")
    typer.echo(f"{len(labels):,} corrections in all.")
    book = _book(config)
    for c in book.contradictions:
        typer.echo(
            f"contradiction on {c.mention}: {c.first_who} says {c.first}, "
            f"{c.second_who} says {c.second} (not learned): {c.text[:70]!r}"
        )


@feedback.command()
def export(
    file: Annotated[Path, typer.Argument(help="JSON lines to write; - for standard output.")],
    config: ConfigOption = None,
) -> None:
    """Write all corrections as JSON lines that `siaga feedback import` reads.

    Example: siaga feedback export > corrections.jsonl
    """
    lines = []
    for label in _with_log(config, _labels):
        if label.kind == "label":
            row = Row(
                text=label.text,
                mention=label.mention,
                sentiment=str(label.sentiment or ""),
                topics=label.topics,
                who=label.who,
                at=label.at,
            )
            lines.append(msgspec.json.encode(row))
    body = b"".join(line + b"\n" for line in lines)
    if str(file) == "-":
        typer.echo(body.decode(), nl=False)
    else:
        file.write_bytes(body)
        typer.echo(f"{len(lines):,} corrections written to {file}.")


@feedback.command()
def suggest(
    most: Annotated[int, typer.Option("--most", "-n", help="How many.")] = 20,
    recent: Annotated[int, typer.Option(help="Latest scored records looked at.")] = 2_000,
    config: ConfigOption = None,
) -> None:
    """Name the mentions whose correction would teach most, as JSON lines to fill in and import.

    Example: siaga feedback suggest > to-label.jsonl
    """
    from detectors.language.suggest import suggest as choose

    book = _book(config)
    done = {label.mention for label in _with_log(config, _labels)}
    mentions = _with_log(config, lambda log: _scored_texts(log, recent))
    fresh = [(identity, text) for identity, text in mentions if identity not in done]
    for s in choose(book.shadow, fresh, most):
        row = {
            "mention": s.id,
            "text": s.text,
            "sentiment": s.sentiment,
            "uncertainty": round(s.uncertainty, 3),
            "copies": s.copies,
        }
        typer.echo(msgspec.json.encode(row).decode())


@model.command()
def status(config: ConfigOption = None) -> None:
    """Show the model in use, what its shadow learned, and whether a promotion would pass.

    Example: siaga model status
    """
    book = _book(config)
    gate = book.gate()
    typer.echo(f"in use: {book.active.version}   kept: {', '.join(book.versions)}")
    typer.echo(
        f"corrections: {book.labels:,}; learned {book.learned:,}, kept to test with "
        f"{book.held_out:,}, over a person's cap {book.capped:,}, "
        f"contradictory {len(book.contradictions):,}"
    )
    typer.echo(f"hard cases: in use {gate.hard_active:.3f}, shadow {gate.hard_shadow:.3f}")
    if gate.held_out_active is not None and gate.held_out_shadow is not None:
        typer.echo(
            f"held-out corrections ({gate.held_out}): in use {gate.held_out_active:.3f}, "
            f"shadow {gate.held_out_shadow:.3f}"
        )
    else:
        typer.echo(f"held-out corrections: {gate.held_out}, too few to judge by")
    typer.echo("a promotion would pass" if gate.passed else f"refused: {gate.reason}")
    for d in book.decisions:
        done = "done" if d.done else "refused"
        typer.echo(f"{d.at:%Y-%m-%d %H:%M}  {d.who}  {d.kind} {d.version}: {done} ({d.reason})")


@model.command()
def promote(who: WhoOption = "", config: ConfigOption = None) -> None:
    """Let the shadow model score mentions from now on; refused if it does harm.

    Example: siaga model promote
    """
    from streams.lessons import make_label

    before = len(_book(config).decisions)
    _send(config, [make_label(who=_who(who), at=datetime.now(UTC), kind="promote")])
    _tell(config, before)


@model.command()
def rollback(
    version: Annotated[str, typer.Argument(help="Version to return to.")] = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Return to an earlier model (the one before); what was learned since is forgotten.

    Example: siaga model rollback
    """
    from streams.lessons import make_label

    before = len(_book(config).decisions)
    label = make_label(who=_who(who), at=datetime.now(UTC), kind="rollback", version=version)
    _send(config, [label])
    _tell(config, before)


def _tell(config: Path | None, before: int) -> None:
    decision = _book(config).decisions[-1] if before >= 0 else None
    if decision is None or not decision.done:
        typer.echo(f"refused: {decision.reason if decision else 'nothing was decided'}", err=True)
        raise typer.Exit(1)
    typer.echo(f"in use: {decision.version} ({decision.reason})")


def _who(who: str) -> str:
    return who or getpass.getuser()


def _label(row: Row, where: str, names: Collection[str]) -> "Label":
    from detectors.language.understanding import SENTIMENTS
    from streams.lessons import make_label

    topics = row.topics.split(",") if isinstance(row.topics, str) else row.topics
    wanted = None if topics is None else tuple(t.strip() for t in topics if t.strip())
    if row.sentiment and row.sentiment not in SENTIMENTS:
        _refuse(f"{where}: unknown sentiment {row.sentiment!r}; use {', '.join(SENTIMENTS)}")
    unknown = set(wanted or ()) - set(names)
    if unknown:
        _refuse(f"{where}: unknown topics {sorted(unknown)}; use {', '.join(names)}")
    if not row.sentiment and not wanted:
        _refuse(f"{where}: give a sentiment, topics or both")
    if not row.text.strip():
        _refuse(f"{where}: the text is empty")
    return make_label(
        who=_who(row.who),
        at=row.at or datetime.now(UTC),
        mention=row.mention,
        text=row.text,
        sentiment=row.sentiment or None,  # type: ignore[arg-type]  # checked against SENTIMENTS
        topics=wanted,
    )


def _refuse(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(2)


def _rows(file: Path) -> list[Row]:
    try:
        if file.suffix == ".csv":
            with file.open(encoding="utf-8-sig", newline="") as f:
                return [msgspec.convert(_filled(r), Row, strict=False) for r in csv.DictReader(f)]
        lines = file.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Row) for line in lines if line.strip()]
    except (OSError, UnicodeDecodeError, msgspec.ValidationError, msgspec.DecodeError) as e:
        _refuse(f"{file}: {e}; each record needs a text and a sentiment or topics")
        raise


def _filled(record: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in record.items() if v}


def _send(config: Path | None, labels: "list[Label]") -> None:
    from streams.lessons import send

    _with_log(config, lambda log: send(log, labels))


def _book(config: Path | None) -> "LessonBook":
    from streams.lessons import fold, open_book, snapshot_path

    settings = _settings(config)
    path = snapshot_path(settings)
    book = open_book(path, settings.taxonomy.taxonomy)
    _with_log(config, lambda log: fold(log, book))
    return book


async def _labels(log: "Log") -> "list[Label]":
    from streams import codec
    from streams.topics import FEEDBACK

    if FEEDBACK not in await log.topics():
        return []
    found: list[Label] = []
    async for chunk in log.read(FEEDBACK):
        found.extend(codec.label.decode(r.value) for r in chunk if r.value is not None)
    return found


async def _scored_texts(log: "Log", recent: int) -> list[tuple[str, str]]:
    from streams import codec
    from streams.topics import SCORED

    ends = await log.ends(SCORED)
    starts = await log.starts(SCORED)
    each = max(1, recent // max(1, len(ends)))
    start = {p: max(starts.get(p, 0), end - each) for p, end in ends.items()}
    found: list[tuple[str, str]] = []
    if not ends:
        return found
    async for chunk in log.read(SCORED, start=start):
        for record in chunk:
            if record.value is not None:
                batch = codec.scored.decode(record.value)
                found.extend((s.mention.id, s.mention.text) for s in batch.mentions)
    return found


def _settings(config: Path | None) -> "RootSettings":
    from streams.config import load

    return load(config)


def _with_log(config: Path | None, work: "Callable[[Log], Awaitable[T]]") -> T:
    from streams.log.open import open_log

    settings = _settings(config)

    async def run() -> T:
        log = open_log(settings)
        try:
            return await work(log)
        finally:
            await log.close()

    return asyncio.run(run())
