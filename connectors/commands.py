"""Commands of the connectors: `siaga connect`, `replay`, `connector`, `dead-letters`.

What they do is in `connectors/shell/`; only that imports more than this file needs for `--help`.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from streams.shell import ConfigOption
from streams.table_flags import (
    MoreColumns,
    TableFormat,
    TextColumn,
    TimeColumn,
    TimeFormat,
    TimeZone,
    columns,
)

app = typer.Typer(help="Sources.")
connector_app = typer.Typer(help="Sources: their state, a check, a new one.", no_args_is_help=True)
dead_app = typer.Typer(help="Input that could not become a mention.", no_args_is_help=True)
app.add_typer(connector_app, name="connector")
app.add_typer(dead_app, name="dead-letters")

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")]


@app.command("connect")
def connect(
    config: ConfigOption = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            help="Serve /metrics here; 0 takes a free port.",
            min=0,
            max=65535,
            show_default="[metrics] port",
        ),
    ] = None,
) -> None:
    """Fetch from all configured sources and publish to the configured log.

    Example: siaga connect -c siaga.toml --metrics-port 9109
    """
    from connectors.shell.connect import connect as run
    from streams.config import load

    run(load(config), metrics_port=metrics_port)


@app.command("replay")
def replay(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines, plain, gzip or zstd.")],
    config: ConfigOption = None,
    run: Annotated[str, typer.Option(help="Name of this run: its own state and series.")] = "",
    text_column: TextColumn = "",
    time_column: TimeColumn = "",
    brand_column: Annotated[
        str, typer.Option(help="Column that names the brand; otherwise the text is matched.")
    ] = "",
    mapped: MoreColumns = None,
    time_zone: TimeZone = "",
    time_format: TimeFormat = "auto",
    form: TableFormat = "auto",
    speed: Annotated[
        float, typer.Option(help="60 plays a minute in a second; 0 as fast as possible.", min=0)
    ] = 0.0,
    fast_until: Annotated[
        str, typer.Option(help="As fast as possible until this time of the file.")
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="Read from the start once more.")] = False,
) -> None:
    """Publish a file's rows as they happened, faster, or at once.

    Example: siaga replay tweets.csv --brand-column airline --speed 60 --run rehearsal
    """
    from connectors.shell.replay import file_settings
    from connectors.shell.replay import replay as play
    from connectors.sources.tabular.mapping import FIELDS
    from streams.config import load

    source = file_settings(
        path=file,
        run=run,
        columns=columns(
            mapped, fields=FIELDS, text=text_column, time=time_column, brand=brand_column
        ),
        time_zone=time_zone or None,
        time_format=time_format,
        format=form,
        speed=speed,
        fast_until=fast_until or None,
    )
    raise typer.Exit(play(load(config), source, again=again))


@app.command("init")
def init(
    into: Annotated[Path, typer.Option("--into", help="File to write.")] = Path("siaga.toml"),
    name: Annotated[str, typer.Option(help="Name of your brand; else asked.")] = "",
    handles: Annotated[str, typer.Option(help="Its accounts, with commas; else asked.")] = "",
    feed: Annotated[str, typer.Option(help="Address of a news feed (RSS); else asked.")] = "",
    language: Annotated[str, typer.Option(help="id or en; else asked.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: defaults for the rest.")] = False,
) -> None:
    """Ask a few questions and write a commented siaga.toml.

    Example: siaga init
    """
    from connectors.shell.init import Answers, ask, write

    given = Answers(name=name, handles=handles, feed=feed, language=language)
    typer.echo(write(into, given if yes else ask(given)))


@connector_app.command("list")
def connector_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the state of each source: last success, lag, cursor, counts.

    Example: siaga connector list --json
    """
    from connectors.shell.inspect import show_sources
    from streams.config import load

    show_sources(load(config), as_json=as_json)


@connector_app.command("check")
def connector_check(
    name: Annotated[str, typer.Argument(help="A source of the configuration.")],
    config: ConfigOption = None,
) -> None:
    """Fetch one page and show what would be published; publishes nothing.

    Example: siaga connector check news
    """
    from connectors.shell.check import check
    from streams.config import load

    raise typer.Exit(check(load(config), name))


@connector_app.command("new")
def connector_new(
    name: Annotated[str, typer.Argument(help="Name of the connector, such as acme_forum.")],
    into: Annotated[Path, typer.Option(help="Folder to make the package in.")] = Path(),
) -> None:
    """Write a working connector package with its test, to start from.

    Example: siaga connector new acme_forum
    """
    from connectors.shell.scaffold import write

    typer.echo(write(name, into))


@connector_app.command("reset")
def connector_reset(
    name: Annotated[str, typer.Argument(help="A source of the configuration.")],
    to: Annotated[
        datetime | None,
        typer.Option(
            help="Go on from this time (UTC); without it from the start.",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Let a source go on from another time after its next start.

    Example: siaga connector reset news --to 2025-01-31
    """
    from connectors.shell.inspect import reset
    from streams.config import load

    reset(load(config), name, to)


@dead_app.command("list")
def dead_list(
    config: ConfigOption = None,
    reason: Annotated[str, typer.Option(help="Only this reason.")] = "",
    source: Annotated[str, typer.Option(help="Only origins that begin with this.")] = "",
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List input that could not become a mention, newest last.

    Example: siaga dead-letters list --reason naive_time
    """
    from connectors.shell.dead_letters import show_list
    from streams.config import load

    show_list(load(config), reason=reason, origin=source, limit=limit, as_json=as_json)


@dead_app.command("show")
def dead_show(
    letter: Annotated[str, typer.Argument(help="Its id from the list, or the beginning of it.")],
    config: ConfigOption = None,
    raw: Annotated[bool, typer.Option("--raw", help="Write the original bytes, only.")] = False,
) -> None:
    """Show one of them with its original.

    Example: siaga dead-letters show door:tweets/tweets.csv:120
    """
    from connectors.shell.dead_letters import show_one
    from streams.config import load

    raise typer.Exit(show_one(load(config), letter, raw=raw))
