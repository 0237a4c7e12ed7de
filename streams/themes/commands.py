"""`siaga themes`: phrases that many people use now and few did before."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def themes(
    brand: Annotated[str, typer.Argument(help="A brand; none: all of them.")] = "",
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Configuration file.", show_default="siaga.toml"),
    ] = None,
) -> None:
    """Show each brand's emerging themes with an example, from the last scored mentions.

    Example: siaga themes tokoraya
    """
    import asyncio

    from streams.config import load
    from streams.log.open import open_log
    from streams.themes.service import fold
    from streams.themes.watch import ThemeWatch

    settings = load(config)
    if brand and brand not in settings.brands:
        typer.echo(f"unknown brand {brand!r}; there are {', '.join(settings.brands)}", err=True)
        raise typer.Exit(2)
    watch = ThemeWatch(settings.shown_run)

    async def read() -> None:
        log = open_log(settings)
        try:
            await fold(log, watch)
        finally:
            await log.close()

    asyncio.run(read())
    found = {b: t for b, t in sorted(watch.found.items()) if t and b == (brand or b)}
    for name, rows in found.items():
        typer.echo(name)
        for theme in rows:
            example = " ".join(theme.example.split())
            typer.echo(f"  {theme.phrase}  ({theme.authors} people)  e.g. {example!r}")
    if not found:
        typer.echo("No new themes.")
