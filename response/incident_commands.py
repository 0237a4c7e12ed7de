"""`siaga incident`: what people see and do about an incident.

Heavy imports stand inside the commands: `siaga --help` must be instant.
"""

import getpass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from response.shell import fail, settings_of
from streams.shell import ConfigOption, with_log

if TYPE_CHECKING:
    from streams.log.port import Log

app = typer.Typer(help="Incidents: list, show, acknowledge, close.", no_args_is_help=True)

IncidentArgument = Annotated[
    str,
    typer.Argument(help="Incident id, the end of it, or a brand that has one open."),
]
WhoOption = Annotated[
    str, typer.Option("--who", help="Your name.", show_default="your login on this machine")
]


@app.command("list")
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

    settings = settings_of(config)
    found = with_log(settings, latest)
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


@app.command("show")
def incident_show(incident: IncidentArgument, config: ConfigOption = None) -> None:
    """Show an incident: evidence, drivers, samples, what people did.

    Example: siaga incident show kirana
    """
    from response.incidents import Unknown, actions, latest, meant
    from response.report import sheet

    settings = settings_of(config)

    async def work(log: "Log") -> None:
        found = meant(await latest(log), incident)
        sheet(found, (await actions(log)).get(found.id, []), settings)

    try:
        with_log(settings, work)
    except Unknown as e:
        raise fail(str(e)) from e


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
        typer.echo(with_log(settings_of(config), work))
    except Unknown as e:
        raise fail(str(e)) from e


@app.command("ack")
def incident_ack(
    incident: IncidentArgument, who: WhoOption = "", config: ConfigOption = None
) -> None:
    """Acknowledge: you are on it, and the ladder stops.

    Example: siaga incident ack kirana --who sari
    """
    _act("ack", incident, config, who)


@app.command("note")
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
        raise fail("the note is empty")
    _act("note", incident, config, who, text=text)


@app.command("replied")
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


@app.command("snooze")
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


@app.command("false-alarm")
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


@app.command("close")
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
