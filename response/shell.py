"""What the commands of this package share: configuration, and how they fail."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from streams.settings import RootSettings


def settings_of(config: Path | None) -> "RootSettings":
    """The settings of that file, or of the one that is found."""
    from streams.config import load

    return load(config)


def fail(message: str) -> typer.Exit:
    """Say what is wrong; to be raised."""
    typer.echo(f"siaga: {message}", err=True)
    return typer.Exit(1)
