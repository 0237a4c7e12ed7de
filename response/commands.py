"""Commands of the response package: `siaga incident`, `alert`, `alerts`, `page`, `oncall`, `user`.

Heavy imports stand inside the commands: `siaga --help` must be instant.
"""

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from streams.log.port import Log
    from streams.settings import RootSettings

T = TypeVar("T")

app = typer.Typer(help="What people do about a crisis.")
incident_app = typer.Typer(help="Incidents: list, show, acknowledge, close.", no_args_is_help=True)
alert_app = typer.Typer(help="Notifications to webhooks and chats.", no_args_is_help=True)
oncall_app = typer.Typer(help="The rota.", no_args_is_help=True)
user_app = typer.Typer(help="Who may log in to the live page.", no_args_is_help=True)
app.add_typer(incident_app, name="incident")
app.add_typer(alert_app, name="alert")
app.add_typer(oncall_app, name="oncall")
app.add_typer(user_app, name="user")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file.", show_default="siaga.toml"),
]
IncidentArgument = Annotated[
    str,
    typer.Argument(help="Incident id, the end of it, or a brand that has one open."),
]
WhoOption = Annotated[
    str, typer.Option("--who", help="Your name.", show_default="your login on this machine")
]
LEVELS = ("NORMAL", "WATCH", "ALERT", "CRISIS")


def _settings(config: Path | None) -> "RootSettings":
    from streams.config import load

    return load(config)


def _with_log(settings: "RootSettings", work: Callable[["Log"], Awaitable[T]]) -> T:
    from streams.log.open import open_log

    async def run() -> T:
        log = open_log(settings)
        try:
            return await work(log)
        finally:
            await log.close()

    return asyncio.run(run())


def _fail(message: str) -> typer.Exit:
    typer.echo(f"siaga: {message}", err=True)
    return typer.Exit(1)


@incident_app.command("list")
def incident_list(
    everything: Annotated[bool, typer.Option("--all", help="Also the closed ones.")] = False,
    brand: Annotated[str, typer.Option(help="Only this brand.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List incidents, the open ones most severe first.

    Example: siaga incident list --all --brand kirana
    """
    from response.incidents import latest, open_only
    from streams.codec import encode

    settings = _settings(config)
    found = _with_log(settings, latest)
    shown = list(found.values()) if everything else list(open_only(found))
    shown = [i for i in shown if not brand or i.brand == brand]
    if json:
        for incident in shown:
            typer.echo(encode(incident).decode())
        return
    if not shown:
        typer.echo("No open incidents." if not everything else "No incidents yet.")
        return
    from response.report import table

    table(shown, settings)


@incident_app.command("show")
def incident_show(incident: IncidentArgument, config: ConfigOption = None) -> None:
    """Show an incident: evidence, drivers, samples, what people did.

    Example: siaga incident show kirana
    """
    from response.incidents import Unknown, actions, latest, meant
    from response.report import sheet

    settings = _settings(config)

    async def work(log: "Log") -> None:
        found = meant(await latest(log), incident)
        sheet(found, (await actions(log)).get(found.id, []), settings)

    try:
        _with_log(settings, work)
    except Unknown as e:
        raise _fail(str(e)) from e


def _act(
    kind: str,
    said: str,
    config: Path | None,
    who: str,
    *,
    text: str = "",
    snooze: timedelta | None = None,
) -> None:
    from response.incidents import Unknown, action, latest, meant, record, utc_now

    async def work(log: "Log") -> str:
        found = meant(await latest(log), said)
        name = who or getpass.getuser()
        await record(log, action(found, kind, name, "cli", now=utc_now(), text=text, snooze=snooze))
        return f"{found.id}: {kind.replace('_', ' ')} by {name} recorded."

    try:
        typer.echo(_with_log(_settings(config), work))
    except Unknown as e:
        raise _fail(str(e)) from e


@incident_app.command("ack")
def incident_ack(
    incident: IncidentArgument, who: WhoOption = "", config: ConfigOption = None
) -> None:
    """Acknowledge: you are on it, and the ladder stops.

    Example: siaga incident ack kirana --who sari
    """
    _act("ack", incident, config, who)


@incident_app.command("note")
def incident_note(
    incident: IncidentArgument,
    text: Annotated[str, typer.Argument(help="What to remember.")],
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Write a note.

    Example: siaga incident note kirana "Warehouse confirms the delay"
    """
    if not text.strip():
        raise _fail("the note is empty")
    _act("note", incident, config, who, text=text)


@incident_app.command("replied")
def incident_replied(
    incident: IncidentArgument,
    text: Annotated[str, typer.Option("--what", help="What was said, or its address.")] = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Say that the brand has answered in public: the clock of the first response stops.

    Example: siaga incident replied kirana --what "statement on the press page"
    """
    _act("replied", incident, config, who, text=text)


@incident_app.command("snooze")
def incident_snooze(
    incident: IncidentArgument,
    minutes: Annotated[int, typer.Option(min=1, max=7 * 24 * 60, help="For how long.")] = 60,
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Keep an incident quiet for some time; a rise in severity is told all the same.

    Example: siaga incident snooze kirana --minutes 120
    """
    _act("snooze", incident, config, who, snooze=timedelta(minutes=minutes))


@incident_app.command("false-alarm")
def incident_false_alarm(
    incident: IncidentArgument,
    text: Annotated[str, typer.Option("--why", help="What it was.")] = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Close as a false alarm: the detector of this brand learns to ask for more.

    Example: siaga incident false-alarm kirana --why "namesake football club"
    """
    _act("false_alarm", incident, config, who, text=text)


@incident_app.command("close")
def incident_close(
    incident: IncidentArgument,
    text: Annotated[str, typer.Option("--why", help="How it ended.")] = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Close an incident that is over for you.

    Example: siaga incident close kirana --why "courier strike ended"
    """
    _act("close", incident, config, who, text=text)


@alert_app.command("test")
def alert_test(
    target: Annotated[str, typer.Argument(help="Only this target.", show_default="all")] = "",
    config: ConfigOption = None,
) -> None:
    """Send a test notification to each target and say what happened.

    Example: siaga alert test
    """
    from response.notify.trial import trial

    results = asyncio.run(trial(_settings(config), target))
    if not results:
        raise _fail(
            f'no target "{target}"'
            if target
            else "no target yet: add [alerts.webhooks.NAME] or [alerts.telegram.NAME] to siaga.toml"
        )
    for result in results:
        typer.echo(result.line())
    if not all(result.delivered for result in results):
        raise typer.Exit(1)


@app.command("alerts")
def alerts(config: ConfigOption = None) -> None:
    """Run the notifications alone (on Kafka).

    Example: siaga alerts -c siaga.toml
    """
    from streams.run import main

    main(_settings(config), ["alerts"])


@app.command("clocks")
def clocks(config: ConfigOption = None) -> None:
    """Export what waits for an answer, alone (on Kafka).

    Example: siaga clocks -c siaga.toml
    """
    from streams.run import main

    main(_settings(config), ["clocks"])


@app.command("page")
def page(config: ConfigOption = None) -> None:
    """Run the live page alone (on Kafka).

    Example: siaga page -c siaga.toml
    """
    from streams.run import main

    main(_settings(config), ["page"])


@oncall_app.command("now")
def oncall_now(config: ConfigOption = None) -> None:
    """Say who is on call now, and who is told next.

    Example: siaga oncall now
    """
    from response.incidents import utc_now
    from response.ladder import on_call
    from response.settings import OncallSettings

    settings = _settings(config)
    rota = settings.section(OncallSettings)
    names = on_call(rota, settings.time_zone, now=utc_now())
    if not names:
        raise _fail("nobody is on call: add [oncall.people.NAME] and [[oncall.shifts]]")
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
    people = People(users_path(_settings(config)))
    try:
        people.put(name, password, role)
    except ValueError as e:
        raise _fail(str(e)) from e
    typer.echo(f"{name} may log in as {role}.")


@user_app.command("list")
def user_list(config: ConfigOption = None) -> None:
    """List who may log in.

    Example: siaga user list
    """
    from response.page.people import People, users_path

    people = People(users_path(_settings(config)))
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

    if not People(users_path(_settings(config))).remove(name):
        raise _fail(f'no user "{name}"')
    typer.echo(f"{name} may no longer log in.")
