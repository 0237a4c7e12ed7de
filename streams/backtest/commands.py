"""Commands of the backtest: `siaga backtest counts` and `siaga backtest mentions`."""

from pathlib import Path
from typing import Annotated

import typer

from streams.table_flags import (
    MoreColumns,
    TableFormat,
    TextColumn,
    TimeColumn,
    TimeFormat,
    TimeZone,
    columns,
)

app = typer.Typer(help="The backtest.")
backtest_app = typer.Typer(
    help="Replay history: what would any setting have done?", no_args_is_help=True
)
app.add_typer(backtest_app, name="backtest")


@backtest_app.command("counts")
def counts(
    source: Annotated[
        Path, typer.Argument(metavar="IN.csv", help="Columns timestamp,value; one row a bin.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="timestamp,value,anomaly_score.")],
    threshold: Annotated[
        float, typer.Option(help="Rows at or above it are counted as alerts in the summary.")
    ] = 2.95,
    step_s: Annotated[
        int | None, typer.Option(help="Bin width in seconds.", show_default="from the first rows")
    ] = None,
    gate: Annotated[
        bool, typer.Option(help="Score only onsets; --no-gate gives -log10 p of every row.")
    ] = True,
) -> None:
    """Score a series of counts, each row from the rows before it alone. IN.csv may be gzipped.

    A score of 3 is what this series shows once in a thousand rows. The default threshold was frozen
    on labelled tweet counts and is meant for series that nobody has labelled.

    Example: siaga backtest counts mentions.csv --out scored.csv
    """
    import csv

    from streams.backtest.counts import HEADER, BadRow, opened, read_rows, score_rows

    if step_s is not None and step_s <= 0:
        raise typer.BadParameter("must be positive", param_hint="--step-s")
    if out.exists() and source.exists() and out.samefile(source):
        raise typer.BadParameter("is the input: give another file", param_hint="--out")
    total = alerts = 0
    try:
        with (
            opened(source) as lines,
            out.open("w", encoding="utf-8", newline="") as sink,
        ):
            writer = csv.writer(sink, lineterminator="\n")
            writer.writerow(HEADER)
            for row in score_rows(read_rows(lines), step_s=step_s, gate=gate):
                writer.writerow((row.timestamp, row.text, f"{row.score:.6g}"))
                total += 1
                alerts += row.score >= threshold
    except BadRow as e:
        typer.echo(f"siaga: {source}: {e}", err=True)
        raise typer.Exit(1) from e
    except OSError as e:
        typer.echo(f"siaga: {e.filename or out}: {e.strerror}", err=True)
        raise typer.Exit(1) from e
    typer.echo(f"{out}: {total} rows, {alerts} alerts at {threshold:g} or more.")


@backtest_app.command("mentions")
def mentions(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSV or JSON lines, plain or gzip.")
    ],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Brands and dials; without it the brand column's."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="A second configuration to compare with.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write JSON here.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV brand,start,end of real crises: judges the pages.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="Announced events, as `siaga event list --json` prints them."),
    ] = None,
    max_pages_per_week: Annotated[
        float | None,
        typer.Option(help="Exit 1 if a brand pages more often in a week, on average.", min=0),
    ] = None,
    brand_column: Annotated[str, typer.Option(help="Column that names the brand.")] = "",
    text_column: TextColumn = "",
    time_column: TimeColumn = "",
    mapped: MoreColumns = None,
    time_zone: TimeZone = "",
    time_format: TimeFormat = "auto",
    form: TableFormat = "auto",
    jobs: Annotated[
        int | None, typer.Option(help="Processes.", show_default="one a core", min=1)
    ] = None,
) -> None:
    """Replay history through the stages of the worker: what would have paged, when and why?

    Example: siaga backtest mentions tweets.csv --brand-column airline --report report.html
    """
    from streams.backtest.run import Asked, run

    asked = Asked(
        files=tuple(files),
        config=config,
        against=against,
        report=report,
        json_out=json_out,
        labels=labels,
        events=events,
        max_pages_per_week=max_pages_per_week,
        columns=columns(mapped, text=text_column, time=time_column, brand=brand_column),
        time_zone=time_zone or None,
        time_format=time_format,
        form=form,
        jobs=jobs,
    )
    raise typer.Exit(run(asked))
