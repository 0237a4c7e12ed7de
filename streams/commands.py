"""Commands of the stream package: `siaga config check`, `siaga run`, `siaga worker`."""

import typer

from streams.shell import ConfigOption

app = typer.Typer(help="The stream.")
config_app = typer.Typer(help="The configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@config_app.command("check")
def config_check(config: ConfigOption = None) -> None:
    """Name each mistake in the configuration by key and line.

    Example: siaga config check -c siaga.toml
    """
    from streams.config import DEFAULT_PATH, load

    if config is None and not DEFAULT_PATH.exists():
        typer.echo(f"siaga: there is no {DEFAULT_PATH} here; siaga init writes one", err=True)
        raise typer.Exit(1)
    settings = load(config)
    brands = ", ".join(settings.brands) or "none yet: add a [brands.NAME] table"
    typer.echo(f"{config or DEFAULT_PATH}: fine. Brands: {brands}.")


@app.command("run")
def run_all(config: ConfigOption = None) -> None:
    """Run everything in this process: connectors, worker, page and alerts.

    Example: siaga run -c siaga.toml
    """
    from streams.config import load
    from streams.run import main

    main(load(config))


@app.command("worker")
def worker(config: ConfigOption = None) -> None:
    """Run one worker of the stream (Faust); start several for more load.

    Example: siaga worker -c siaga.toml
    """
    from streams.config import load
    from streams.run import main

    main(load(config), ["worker"])


@app.command("outbreak")
def outbreak(config: ConfigOption = None) -> None:
    """Watch for many brands in crisis at once; one of it beside the workers is enough.

    Example: siaga outbreak -c siaga.toml
    """
    from streams.config import load
    from streams.run import main

    main(load(config), ["outbreak"])
