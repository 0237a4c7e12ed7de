"""Every command says what it does and gives an example; nothing heavy is imported for that."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import typer.main

from streams.cli import build

HEAVY = ("faust", "river.anomaly", "kafka", "starlette", "httpx", "matplotlib", "pandas")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        here = (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, here)  # type: ignore[arg-type] # Typer vendors its groups
        else:
            yield " ".join(here), command


ALL = dict(commands(typer.main.get_command(build())))  # type: ignore[arg-type] # as above


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_command_has_an_example(name: str) -> None:
    text = ALL[name].help or ""
    assert "Example" in text, f"siaga {name} has no example"
    assert f"siaga {name}" in text, f"the example of siaga {name} does not call it"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom streams.cli import build\nimport typer.main\n"
        "typer.main.get_command(build())\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
