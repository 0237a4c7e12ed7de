"""`siaga feedback ...`: what the team teaches."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from streams.lesson_commands import WhoOption, name_of, read_book, record
from streams.shell import ConfigOption, with_log

if TYPE_CHECKING:
    from detectors.language.understanding import Language
    from streams.log.port import Log
    from streams.records import Label
    from streams.settings import RootSettings

feedback = typer.Typer(no_args_is_help=True, help="Corrections that the models learn from.")

SentimentOption = Annotated[str, typer.Option(help="negative, neutral or positive.")]


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
    from streams.config import load
    from streams.label_files import Mistake, Row, label_of

    settings = load(config)
    row = Row(
        text=text, mention=mention, sentiment=sentiment, topics=topics or None, who=name_of(who)
    )
    try:
        label = label_of(row, "this correction", settings.taxonomy.taxonomy.names)
    except Mistake as e:
        _refuse(e)
    if label is not None:  # a correction without a rating always says something
        record(settings, _with_old(settings, [label]))
    typer.echo("1 correction recorded; the shadow model learns from it.")


@feedback.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines (.jsonl) or CSV with a header.")],
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Take corrections from a file; all or none. Mere ratings become noisy labels.

    Example: siaga feedback import corrections.csv --who ani
    """
    from streams.config import load
    from streams.label_files import Mistake, label_of, rows

    settings = load(config)
    names = settings.taxonomy.taxonomy.names
    labels: list[Label] = []
    silent = 0
    try:
        for number, row in enumerate(rows(file), 1):
            row.who = row.who or name_of(who)
            # The same file sent twice holds the same labels.
            row.at = row.at or datetime.fromtimestamp(file.stat().st_mtime, UTC)
            label = label_of(row, f"{file}, record {number}", names)
            if label is None:
                silent += 1
            else:
                labels.append(label)
    except Mistake as e:
        _refuse(e)
    record(settings, _with_old(settings, labels))
    stars = sum(label.kind == "rating" for label in labels)
    typer.echo(f"{len(labels) - stars:,} corrections recorded.")
    if stars or silent:
        typer.echo(f"{stars:,} ratings recorded; {silent:,} of three stars say nothing.")


def _with_old(settings: "RootSettings", labels: "list[Label]") -> "list[Label]":
    """The labels with what the model in use says of their texts, where they do not tell it."""
    reader: Language = read_book(settings).active
    found = []
    for label in labels:
        if label.was_sentiment is not None or label.kind != "label":
            found.append(label)
            continue
        old = reader.understand(label.text)
        found.append(
            msgspec.structs.replace(label, was_sentiment=old.sentiment, was_topics=old.topics)
        )
    return found


@feedback.command(name="list")
def list_(
    last: Annotated[int, typer.Option(help="How many, newest last.")] = 20,
    config: ConfigOption = None,
) -> None:
    """Show the latest corrections, and where people contradict each other.

    Example: siaga feedback list
    """
    from streams.config import load

    settings = load(config)
    told = with_log(settings, _labels)
    labels = [label for label in told if label.kind != "rating"]
    for label in labels[-last:]:
        what = _change(label) if label.kind == "label" else f"{label.kind} {label.version}".strip()
        typer.echo(f"{label.at:%Y-%m-%d %H:%M}  {label.who:12}  {what:28}  {label.text[:70]!r}")
    corrections = sum(label.kind == "label" for label in labels)
    typer.echo(f"{corrections:,} corrections in all; {len(told) - len(labels):,} ratings.")
    for c in read_book(settings).admission.contradictions:
        typer.echo(
            f"contradiction on {c.mention}: {c.first_who} says {c.first}, "
            f"{c.second_who} says {c.second} (not learned): {c.text[:70]!r}"
        )


def _change(label: "Label") -> str:
    """Old and new of a correction, as far as it speaks of them."""
    parts = []
    if label.sentiment:
        parts.append(_step(label.was_sentiment or "", label.sentiment))
    if label.topics is not None:
        parts.append(f"[{_step(', '.join(label.was_topics or ()), ', '.join(label.topics))}]")
    return " ".join(parts)


def _step(old: str, new: str) -> str:
    return new if old in ("", new) else f"{old} -> {new}"


@feedback.command()
def export(
    file: Annotated[Path, typer.Argument(help="JSON lines to write; - for standard output.")],
    config: ConfigOption = None,
) -> None:
    """Write all corrections as JSON lines that `siaga feedback import` reads.

    Example: siaga feedback export corrections.jsonl
    """
    from streams.config import load
    from streams.label_files import row_of

    told = with_log(load(config), _labels)
    lines = [msgspec.json.encode(row_of(label)) for label in told if label.kind == "label"]
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
    from streams.config import load

    settings = load(config)
    told = with_log(settings, _labels)
    done = {label.mention for label in told if label.kind == "label"}
    mentions = with_log(settings, lambda log: _scored_texts(log, recent))
    fresh = [(identity, text) for identity, text in mentions if identity not in done]
    for s in choose(read_book(settings).shadow, fresh, most):
        row = {
            "mention": s.id,
            "text": s.text,
            "sentiment": s.sentiment,
            "uncertainty": round(s.uncertainty, 3),
            "copies": s.copies,
        }
        typer.echo(msgspec.json.encode(row).decode())


def _refuse(mistake: Exception) -> NoReturn:
    typer.echo(str(mistake), err=True)
    raise typer.Exit(2)


async def _labels(log: "Log") -> "list[Label]":
    from streams import codec
    from streams.topics import FEEDBACK

    if FEEDBACK not in await log.topics():
        return []
    found: list[Label] = []
    async for chunk in log.read(FEEDBACK):
        for kept in chunk:
            with suppress(msgspec.DecodeError):  # as `fold`, which tells of it
                found.append(codec.label.decode(kept.value or b""))
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
        for kept in chunk:
            if kept.value is not None:
                batch = codec.scored.decode(kept.value)
                found.extend((s.mention.id, s.mention.text) for s in batch.mentions)
    return found
