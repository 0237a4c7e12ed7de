"""What the commands of this package share: configuration, the log, and how they fail."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from streams.log.port import Log
    from streams.settings import RootSettings

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file.", show_default="siaga.toml"),
]


def settings_of(config: Path | None) -> "RootSettings":
    """The settings of that file, or of the one that is found."""
    from streams.config import load

    return load(config)


def with_log(settings: "RootSettings", work: "Callable[[Log], Awaitable[T]]") -> T:
    """Do something with the log, and close it."""
    from streams.log.open import open_log

    async def run() -> T:
        log = open_log(settings)
        try:
            return await work(log)
        finally:
            await log.close()

    return asyncio.run(run())


def fail(message: str) -> typer.Exit:
    """Say what is wrong; to be raised."""
    typer.echo(f"siaga: {message}", err=True)
    return typer.Exit(1)
