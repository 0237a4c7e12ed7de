"""`siaga themes`: phrases that many people use now and few did before."""

from typing import Annotated

import typer

from streams.shell import ConfigOption, with_log

app = typer.Typer()


@app.command()
def themes(
    brand: Annotated[str, typer.Argument(help="A brand; none: all of them.")] = "",
    config: ConfigOption = None,
) -> None:
    """Show each brand's emerging themes with an example, from the last scored mentions.

    Example: siaga themes tokoraya
    """
    from streams.config import load
    from streams.themes.service import fold
    from streams.themes.watch import ThemeWatch

    settings = load(config)
    if brand and brand not in settings.brands:
        typer.echo(f"unknown brand {brand!r}; there are {', '.join(settings.brands)}", err=True)
        raise typer.Exit(2)
    watch = ThemeWatch(settings.shown_run)
    with_log(settings, lambda log: fold(log, watch))
    found = {b: t for b, t in sorted(watch.found.items()) if t and b == (brand or b)}
    for name, rows in found.items():
        typer.echo(name)
        for theme in rows:
            example = " ".join(theme.example.split())
            typer.echo(f"  {theme.phrase}  ({theme.authors} people)  e.g. {example!r}")
    if not found:
        typer.echo("No new themes.")
