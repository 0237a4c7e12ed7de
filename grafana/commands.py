"""`siaga grafana`: provision a Grafana, see drift, take it away again, write files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.shell import ConfigOption

if TYPE_CHECKING:
    from grafana.client import Client
    from grafana.plan import Resource, Step
    from grafana.settings import GrafanaSettings
    from streams.settings import RootSettings

app = typer.Typer(help="Grafana as code.")
grafana_app = typer.Typer(help="Alerts and dashboards in Grafana, as code.", no_args_is_help=True)
app.add_typer(grafana_app, name="grafana")


@grafana_app.command("apply")
def apply_command(
    config: ConfigOption = None,
    wait_s: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for the rules' first evaluation.")
    ] = 60.0,
) -> None:
    """Create or update all of ours; a second run changes nothing.

    Example: SIAGA_GRAFANA_PASSWORD=... siaga grafana apply
    """
    from grafana.apply import apply, health, wait_for_health

    ours, client, wanted = _prepare(config)
    with _told_as_sentences():
        before = health(client, ours.title)
        changes = apply(client, ours.name, wanted, told=lambda step: typer.echo(_line(step)))
        expected = sum(resource.kind == "rule" for resource in wanted)
        touched = any(step.resource.kind in ("rule", "data source") for step in changes)
        found = wait_for_health(
            client, ours.title, expected, before=before if touched else (), timeout_s=wait_s
        )
    if not ours.contacts:
        typer.echo("Nobody is told yet: add a [grafana.contacts.NAME] table.")
    kept = len(wanted) - sum(step.action != "remove" for step in changes)
    typer.echo(
        f"{len(changes)} changed, {kept} as wanted; {len(found)} rules healthy at {ours.url}"
    )


@grafana_app.command("diff")
def diff_command(config: ConfigOption = None) -> None:
    """Show what apply would change, edits made by hand among it; exits 1 if there is any.

    Example: siaga grafana diff
    """
    from grafana.apply import compare

    ours, client, wanted = _prepare(config)
    with _told_as_sentences():
        steps = [step for step in compare(client, ours.name, wanted) if step.action != "keep"]
    for step in steps:
        typer.echo("\n".join((_line(step), *(f"    {line}" for line in step.differences))))
    if steps:
        raise typer.Exit(1)
    typer.echo(f"{len(wanted)} as wanted at {client.url}")


@grafana_app.command("destroy")
def destroy_command(
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove all of ours and nothing else.

    Example: siaga grafana destroy --yes
    """
    from grafana.apply import apply

    ours, client, _ = _prepare(config, secrets=False)
    if not yes:
        typer.confirm(f"Remove all that is marked {ours.name!r} from {ours.url}?", abort=True)
    with _told_as_sentences():
        changes = apply(client, ours.name, [], told=lambda step: typer.echo(_line(step)))
    typer.echo(f"{len(changes)} removed from {client.url}")


@grafana_app.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(help="Where the files go; ours there are replaced.")],
    config: ConfigOption = None,
) -> None:
    """Write the same content as provisioning files of Grafana and rule files of Prometheus.

    Secrets stay out: contact points name the variables, which Grafana reads itself.

    Example: siaga grafana export provisioning/
    """
    from grafana.export import export
    from streams.config import load

    settings = load(config)
    for path in export(_section(settings), folder, settings.language, settings.time_zone):
        typer.echo(path)


@grafana_app.command("annotate")
def annotate_command(
    config: ConfigOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Mark what is there and stop; else follow for ever.")
    ] = False,
) -> None:
    """Mark incidents on the dashboards as they open, change level and close, once each.

    Example: siaga grafana annotate
    """
    import asyncio

    from grafana.annotate import Annotator, follow
    from streams.config import load
    from streams.log.open import open_log

    settings = load(config)
    ours, client, _ = _prepare(config, secrets=False)

    async def mark() -> int:
        source = open_log(settings)
        try:
            annotator = Annotator(client, ours.name)
            run, language = settings.shown_run, settings.language
            return await follow(annotator, source, run=run, language=language, forever=not once)
        finally:
            await source.close()

    with _told_as_sentences():
        try:
            typer.echo(f"{asyncio.run(mark())} marked at {client.url}")
        except KeyboardInterrupt:
            typer.echo("stopped")


@grafana_app.command("runbook")
def runbook_command(
    alert: Annotated[str, typer.Argument(help="Name of the alert.")],
    config: ConfigOption = None,
) -> None:
    """Print what to do about an alert.

    Example: siaga grafana runbook SiagaLevel
    """
    from grafana.runbooks import runbook
    from streams.config import load

    with _told_as_sentences():
        typer.echo(runbook(alert, load(config).language))


def _prepare(
    config: Path | None, *, secrets: bool = True
) -> "tuple[GrafanaSettings, Client, list[Resource]]":
    from grafana.client import Client
    from grafana.login import login
    from grafana.resources import wanted
    from streams.config import load

    settings = load(config)
    ours = _section(settings)
    with _told_as_sentences():
        resources = (
            wanted(ours, language=settings.language, time_zone=settings.time_zone, env=os.environ)
            if secrets
            else []
        )
        client = Client(str(ours.url), login(ours, os.environ), timeout_s=ours.timeout_s)
    return ours, client, resources


def _section(settings: "RootSettings") -> "GrafanaSettings":
    from grafana.settings import GrafanaSettings

    return settings.section(GrafanaSettings)


class _told_as_sentences:  # noqa: N801 (read as a statement: `with _told_as_sentences():`)
    """What a person can mend ends the command with a sentence, not a traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from grafana.alerts.routing import MissingSecret
        from grafana.apply import Incomplete, Unhealthy
        from grafana.client import Refused, Unreachable
        from grafana.runbooks import NoRunbook
        from streams.service import CannotStart

        if isinstance(
            error, Incomplete | Unhealthy | Refused | Unreachable | MissingSecret | NoRunbook
        ):
            raise CannotStart(str(error)) from error


def _line(step: "Step") -> str:
    return f"{step.action:<7} {step.resource.kind} {step.resource.key}"
