"""Commands of the response package: `siaga incident`, `alert`, `alerts`, `page`, `oncall`, `user`.

Heavy imports stand inside the commands: `siaga --help` must be instant.
"""

import asyncio
import sys
from typing import Annotated

import typer

from response.incident_commands import app as incident_app
from response.shell import fail, settings_of
from streams.shell import ConfigOption

app = typer.Typer(help="What people do about a crisis.")
alert_app = typer.Typer(help="Notifications to webhooks and chats.", no_args_is_help=True)
oncall_app = typer.Typer(help="The rota.", no_args_is_help=True)
user_app = typer.Typer(help="Who may log in to the live page.", no_args_is_help=True)
app.add_typer(incident_app, name="incident")
app.add_typer(alert_app, name="alert")
app.add_typer(oncall_app, name="oncall")
app.add_typer(user_app, name="user")


@alert_app.command("test")
def alert_test(
    target: Annotated[str, typer.Argument(help="Only this target.", show_default="all")] = "",
    config: ConfigOption = None,
) -> None:
    """Send a test notification to each target and say what happened.

    Example: siaga alert test
    """
    from response.notify.trial import trial

    results = asyncio.run(trial(settings_of(config), target))
    if not results:
        raise fail(
            f'no target "{target}"'
            if target
            else "no target yet: add [alerts.webhooks.NAME] or [alerts.telegram.NAME] to siaga.toml"
        )
    for result in results:
        typer.echo(result.line())
    if not all(result.delivered for result in results):
        raise typer.Exit(1)


def _alone(service: str, what: str) -> None:
    """Add the command that runs one service by itself (on Kafka)."""

    @app.command(
        service, help=f"{what}, alone (on Kafka).\n\nExample: siaga {service} -c siaga.toml"
    )
    def run(config: ConfigOption = None) -> None:
        from streams.run import main

        main(settings_of(config), [service])


_alone("alerts", "Run the notifications")
_alone("clocks", "Export what waits for an answer")
_alone("page", "Run the live page")


@oncall_app.command("now")
def oncall_now(config: ConfigOption = None) -> None:
    """Say who is on call now, and who is told next.

    Example: siaga oncall now
    """
    from response.incidents import utc_now
    from response.ladder import on_call
    from response.settings import OncallSettings

    settings = settings_of(config)
    rota = settings.section(OncallSettings)
    names = on_call(rota, settings.time_zone, now=utc_now())
    if not names:
        raise fail("nobody is on call: add [oncall.people.NAME] and [[oncall.shifts]]")
    for name in names:
        person = rota.people[name]
        reach = [person.phone, f"@{person.telegram}" if person.telegram else "", person.email]
        typer.echo(f"On call: {person.title or name}  {'  '.join(r for r in reach if r)}".rstrip())
    for step in sorted(rota.ladder, key=lambda s: s.after_minutes):
        who = ", ".join(rota.people[n].title or n for n in step.who) or "whoever is on call"
        typer.echo(
            f"After {step.after_minutes} min without acknowledgement ({step.min_level}): {who}"
        )


@user_app.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="Login name.")],
    role: Annotated[str, typer.Option(help="viewer, responder or admin.")] = "responder",
    config: ConfigOption = None,
) -> None:
    """Add a person or change password and role; the password is asked for, or read from a pipe.

    Example: siaga user add sari --role responder
    """
    from response.page.people import People, users_path

    piped = not sys.stdin.isatty()
    password = (
        sys.stdin.readline().rstrip("\n")
        if piped
        else typer.prompt(
            "Password (12 characters or more)", hide_input=True, confirmation_prompt=True
        )
    )
    people = People(users_path(settings_of(config)))
    try:
        people.put(name, password, role)
    except ValueError as e:
        raise fail(str(e)) from e
    typer.echo(f"{name} may log in as {role}.")


@user_app.command("list")
def user_list(config: ConfigOption = None) -> None:
    """List who may log in.

    Example: siaga user list
    """
    from response.page.people import People, users_path

    people = People(users_path(settings_of(config)))
    for name, role in people.roles().items():
        typer.echo(f"{name}  {role}")
    if not people.roles():
        typer.echo("Nobody: on this machine the page can be read by all, and nobody can write.")


@user_app.command("remove")
def user_remove(
    name: Annotated[str, typer.Argument(help="Login name.")], config: ConfigOption = None
) -> None:
    """Take somebody's login away; open sessions end at once.

    Example: siaga user remove sari
    """
    from response.page.people import People, users_path

    if not People(users_path(settings_of(config))).remove(name):
        raise fail(f'no user "{name}"')
    typer.echo(f"{name} may no longer log in.")
