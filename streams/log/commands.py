"""Commands of the log: `siaga topics`, `siaga backup`, `siaga restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.shell import ConfigOption, with_log

if TYPE_CHECKING:
    from streams.settings import RootSettings

app = typer.Typer()


@app.command()
def topics(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List the topics of the log with their records and times; the service may be running.

    Example: siaga topics
    """
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from streams.config import load
    from streams.log.survey import survey

    settings = load(config)
    _require_log(settings)

    found = with_log(settings, survey)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    table = Table("topic", "partitions", "records", "oldest (UTC)", "newest (UTC)", box=None)
    for column in table.columns:
        column.no_wrap = True
    for number in (1, 2):
        table.columns[number].justify = "right"
    for t in found:
        times = [f"{at:%Y-%m-%d %H:%M:%S}" if at else "-" for at in (t.oldest, t.newest)]
        table.add_row(t.name, str(t.partitions), f"{t.records:,}", *times)
    Console().print(table)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the copy.")],
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
) -> None:
    """Copy the embedded log into one file, checked; the service may be running.

    Example: siaga backup siaga-monday.db
    """
    from streams.config import load
    from streams.log.backup import backup as copy

    path = _embedded(load(config))
    if file.exists() and not force:
        raise _refused(f"{file} exists; choose another name or add --force")
    size = copy(path, file)
    typer.echo(f"{path} is copied to {file} ({size / 1e6:,.1f} MB) and checked.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy made by `siaga backup`.")],
    config: ConfigOption = None,
) -> None:
    """Put a backup in the place of the embedded log; stop the service first.

    The log that was there is kept beside it, with the ending .before-restore (-2, -3, ...).

    Example: siaga restore siaga-monday.db
    """
    from streams.config import load
    from streams.lessons import snapshot_path
    from streams.log.backup import restore as put_back

    settings = load(config)
    path = _embedded(settings)
    kept = put_back(file, path)
    # It goes further than the older log: new corrections would pass as known ones.
    snapshot_path(settings).unlink(missing_ok=True)
    typer.echo(f"{file} is now the log {path}." + (f" The former one is {kept}." if kept else ""))


def _embedded(settings: "RootSettings") -> Path:
    from streams.log.open import embedded_path

    if settings.log.kind != "embedded":
        raise _refused("the log is on Kafka: use Kafka's own tools to copy it (docs/operations.md)")
    return embedded_path(settings)


def _require_log(settings: "RootSettings") -> None:
    """Looking must not make an empty log where there is none."""
    if settings.log.kind == "embedded" and not _embedded(settings).is_file():
        raise _refused(f"there is no log at {_embedded(settings)} yet; `siaga run` makes it")


def _refused(sentence: str) -> Exception:
    from streams.service import CannotStart

    return CannotStart(sentence)
