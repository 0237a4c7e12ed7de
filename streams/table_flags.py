"""Flags of commands that read a person's table: which column is what, and how its times read."""

from collections.abc import Collection, Iterable
from typing import Annotated

import typer

TextColumn = Annotated[str, typer.Option(help="Column of the text.")]
TimeColumn = Annotated[str, typer.Option(help="Column of the time.")]
MoreColumns = Annotated[
    list[str] | None,
    typer.Option("--map", help="Further columns, as field=column; repeat it."),
]
TimeZone = Annotated[str, typer.Option(help="Zone of times that name none.")]
TimeFormat = Annotated[str, typer.Option(help="auto, epoch, or a strptime format.")]
TableFormat = Annotated[str, typer.Option("--format", help="auto, csv or jsonl.")]


def columns(
    mapped: Iterable[str] | None, *, fields: Collection[str] = (), **named: str
) -> dict[str, str]:
    """Columns by field, from `field=column` texts and the flags of their own.

    Parameters
    ----------
    fields
        Those that there are; () if others judge them.

    Raises
    ------
    typer.BadParameter
        If a text has no "=" or names no field.
    """
    found = {field: column for field, column in named.items() if column}
    for text in mapped or ():
        field, equals, column = text.partition("=")
        if not equals or not column or (fields and field not in fields):
            among = f" with one of {', '.join(fields)}" if fields else ""
            raise typer.BadParameter(f"--map {text!r}: write field=column{among}")
        found[field] = column
    return found
