"""What commands share: where the configuration is, and the log for a moment."""

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


def with_log(settings: "RootSettings", work: "Callable[[Log], Awaitable[T]]") -> T:
    """Open the log, do something with it, and close it."""
    import asyncio

    from streams.log.open import open_log

    async def run() -> T:
        log = open_log(settings)
        try:
            return await work(log)
        finally:
            await log.close()

    return asyncio.run(run())
