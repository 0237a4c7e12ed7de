"""`siaga model ...`: which language model is in use, and changing it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.lesson_commands import WhoOption, name_of, read_book, record
from streams.shell import ConfigOption

model = typer.Typer(no_args_is_help=True, help="Which language model is in use, and changing it.")


@model.command()
def status(config: ConfigOption = None) -> None:
    """Show the model in use, what its shadow learned, and whether a promotion would pass.

    Example: siaga model status
    """
    from streams.config import load

    book = read_book(load(config))
    gate = book.gate()
    typer.echo(f"in use: {book.active.version}   kept: {', '.join(book.versions)}")
    typer.echo(
        f"corrections: {book.labels:,}; learned {book.learned:,} (of them stars since the last "
        f"promotion {book.starred:,}), kept to test with {book.held_out:,}, over a person's cap "
        f"{book.capped:,}, contradictory {len(book.admission.contradictions):,}"
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
    _decide("promote", "", who, config)


@model.command()
def rollback(
    version: Annotated[str, typer.Argument(help="Version to return to.")] = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Return to an earlier model (the one before); what was learned since is forgotten.

    Example: siaga model rollback
    """
    _decide("rollback", version, who, config)


def _decide(
    kind: Literal["promote", "rollback"], version: str, who: str, config: Path | None
) -> None:
    """Ask for a decision, fold the log as the workers do, and tell what came of it."""
    from streams.config import load
    from streams.lessons import make_label

    settings = load(config)
    label = make_label(who=name_of(who), at=datetime.now(UTC), kind=kind, version=version)
    record(settings, [label])
    decision = next(d for d in reversed(read_book(settings).decisions) if d.at == label.at)
    if not decision.done:
        typer.echo(f"refused: {decision.reason}", err=True)
        raise typer.Exit(1)
    typer.echo(f"in use: {decision.version} ({decision.reason})")
