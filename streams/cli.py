"""The `siaga` command: a loop that adds each package's Typer app; nothing heavy is imported here.

An entry point of `siaga.commands` is a Typer app. Its commands and groups are merged at top level.
"""

import sys
from importlib.metadata import entry_points

import typer

from streams.config import ConfigError
from streams.log.port import Unavailable
from streams.service import CannotStart


def build() -> typer.Typer:
    """Collect the commands of all installed packages."""
    app = typer.Typer(
        name="siaga",
        help="Siaga: a crisis early-warning system for brands.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for point in sorted(entry_points(group="siaga.commands"), key=lambda p: p.name):
        app.add_typer(point.load())
    return app


def main() -> None:
    """Run the command; a mistake that a person can mend is a sentence, not a traceback."""
    try:
        build()()
    except ConfigError as e:
        sys.exit(_told([f"siaga: {len(e.problems)} problem(s) in the configuration", *e.problems]))
    except (CannotStart, Unavailable) as e:
        sys.exit(_told([f"siaga: {e}"]))


def _told(lines: list[str]) -> int:
    sys.stderr.write("\n".join(lines) + "\n")
    return 1


if __name__ == "__main__":
    main()
