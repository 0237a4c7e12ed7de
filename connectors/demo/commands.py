"""`siaga demo`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def demo(
    headless: Annotated[
        bool, typer.Option(help="No screen; the last line is a JSON summary.")
    ] = False,
    until_alert: Annotated[bool, typer.Option(help="End at the first alert.")] = False,
    timeout: Annotated[float, typer.Option(help="Give up after so many seconds; 0: never.")] = 0,
    seed: Annotated[int, typer.Option(help="Which scenario is played.")] = 1,
    quiet_week: Annotated[
        bool, typer.Option("--quiet-week", help="An ordinary week: nothing should happen.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Replay this CSV or JSON lines file instead.")
    ] = None,
    brand_column: Annotated[str | None, typer.Option(help="Its column that names brands.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the live page.")] = None,
    language: Annotated[str, typer.Option(help="id or en.")] = "id",
) -> None:
    """Play a crisis on this machine: connector, worker, alert and live page in one process.

    Example: siaga demo --headless --until-alert --timeout 120
    """
    from connectors.demo.options import Options
    from connectors.demo.play import play

    options = Options(
        seed=seed,
        quiet_week=quiet_week,
        headless=headless,
        until_alert=until_alert,
        timeout_s=timeout,
        data=data,
        brand_column=brand_column,
        port=port,
        language="en" if language == "en" else "id",
    )
    raise typer.Exit(play(options))
