"""What the commands of corrections and of the model share: a short visit to the log."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from streams.shell import with_log

if TYPE_CHECKING:
    from detectors.language.lessons import LessonBook
    from streams.records import Label
    from streams.settings import RootSettings

WhoOption = Annotated[str, typer.Option(help="Your name.", show_default="the login name")]


def name_of(who: str) -> str:
    """The name given, or that of the login."""
    return who or getpass.getuser()


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
