"""What the commands of corrections and of the model share: a short visit to the log."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from detectors.language.lessons import LessonBook
    from streams.log.port import Log
    from streams.records import Label
    from streams.settings import RootSettings

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file.", show_default="siaga.toml"),
]
WhoOption = Annotated[str, typer.Option(help="Your name.", show_default="the login name")]


def name_of(who: str) -> str:
    """The name given, or that of the login."""
    return who or getpass.getuser()


def with_log(settings: "RootSettings", work: "Callable[[Log], Awaitable[T]]") -> T:
    """Do something with the log and close it."""
    from streams.log.open import open_log

    async def run() -> T:
        log = open_log(settings)
        try:
            return await work(log)
        finally:
            await log.close()

    return asyncio.run(run())


def read_book(settings: "RootSettings") -> "LessonBook":
    """The book of lessons as the workers hold it."""
    from streams.lessons import fold, open_book

    book = open_book(settings)
    with_log(settings, lambda log: fold(log, book))
    return book


def record(settings: "RootSettings", labels: "list[Label]") -> None:
    """Append labels to the feedback log."""
    from streams.lessons import send

    with_log(settings, lambda log: send(log, labels))
