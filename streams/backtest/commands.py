"""Commands of the backtest: `siaga backtest counts`."""

from pathlib import Path
from typing import Annotated

import typer

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
    ] = 2.75,
    step_s: Annotated[
        int | None, typer.Option(help="Bin width in seconds.", show_default="from two rows")
    ] = None,
    gate: Annotated[
        bool, typer.Option(help="Score only onsets; --no-gate gives -log10 p of every row.")
    ] = True,
) -> None:
    """Score a series of counts, each row from the rows before it alone.

    A score of 3 is what this series shows once in a thousand rows. The default threshold was frozen
    on labelled tweet counts and is meant for series that nobody has labelled.

    Example: siaga backtest counts mentions.csv --out scored.csv
    """
    import csv

    from streams.backtest.counts import HEADER, BadRow, read_rows, score_rows

    if step_s is not None and step_s <= 0:
        raise typer.BadParameter("must be positive", param_hint="--step-s")
    total = alerts = 0
    try:
        with (
            source.open(encoding="utf-8-sig", newline="") as lines,
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
