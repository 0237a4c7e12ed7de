"""`siaga event add|list|cancel`: announce what would otherwise look like a crisis."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.shell import ConfigOption, with_log

if TYPE_CHECKING:
    from streams.records import Event


app = typer.Typer()
event_app = typer.Typer(help="Planned events: campaigns, planned outages.", no_args_is_help=True)
app.add_typer(event_app, name="event")


@event_app.command("add")
def add(
    brand: Annotated[str, typer.Argument(help='A brand of the configuration, or "*" for all.')],
    begin: Annotated[str, typer.Option("--from", help="ISO 8601; without a zone in ours.")],
    until: Annotated[str, typer.Option("--until", help="As --from.")],
    kind: Annotated[str, typer.Option(help="campaign, outage or other.")] = "campaign",
    note: Annotated[str, typer.Option(help="What it is.")] = "",
    who: Annotated[str, typer.Option(help="Who announces it.", envvar="USER")] = "",
    config: ConfigOption = None,
) -> None:
    """Announce an event: while it runs, volume and reach raise nothing.

    Complaints then need more evidence; security words count as ever. Announce it before it begins.

    Example: siaga event add tokoraya --from 2026-11-11T00:00 --until 2026-11-12T06:00 --note Sale
    """
    from datetime import UTC

    from streams.config import load
    from streams.events import make_event, send

    settings = load(config)
    now = datetime.now(UTC)
    if brand != "*" and brand not in settings.brands:
        known = ", ".join(settings.brands) or "none"
        raise typer.BadParameter(f"{brand!r} is not configured; there are: {known}")
    try:
        event = make_event(
            brand=brand,
            start=_time("--from", begin, settings.time_zone),
            end=_time("--until", until, settings.time_zone),
            who=who,
            at=now,
            kind=kind,
            note=note,
        )
    except ValueError as e:
        raise typer.BadParameter(str(e)) from e

    with_log(settings, lambda log: send(log, event.id, event))
    typer.echo(f"{event.id}: {brand}, {_span(event, settings.time_zone)}")
    if event.start < now:
        said = "is over" if event.end <= now else "has begun"
        typer.echo(f"siaga: it {said}: minutes that are closed do not change", err=True)


@event_app.command("list")
def list_events(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the announced events, by time.

    Example: siaga event list
    """
    import msgspec

    from streams.config import load

    events = sorted(_events(config).values(), key=lambda e: e.start)
    zone = load(config).time_zone
    if as_json:
        typer.echo(msgspec.json.encode(events).decode())
        return
    if not events:
        typer.echo("No events are announced: siaga event add BRAND --from ... --until ...")
    for event in events:
        typer.echo(
            f"{event.id}  {event.brand}  {_span(event, zone)}  {event.kind}  {event.note}".rstrip()
        )


@event_app.command("cancel")
def cancel(
    event: Annotated[str, typer.Argument(help="Its id, see `siaga event list`.")],
    config: ConfigOption = None,
) -> None:
    """Call an event off: from now on it explains nothing.

    Example: siaga event cancel 3f2a9c0b11de
    """
    from streams.config import load
    from streams.events import send

    if event not in _events(config):
        typer.echo(f"siaga: no event {event}; siaga event list shows them", err=True)
        raise typer.Exit(1)

    with_log(load(config), lambda log: send(log, event, None))
    typer.echo(f"{event}: called off")


def _events(config: Path | None) -> "dict[str, Event]":
    from streams.config import load
    from streams.events import Calendar, follow_events

    calendar = Calendar()
    with_log(load(config), lambda log: follow_events(log, calendar, follow=False))
    return calendar.events


def _span(event: "Event", zone: str) -> str:
    """From when to when, on the team's clock, as it was announced."""
    from zoneinfo import ZoneInfo

    start, end = (at.astimezone(ZoneInfo(zone)) for at in (event.start, event.end))
    return f"{start.isoformat()} to {end.isoformat()}"


def _time(option: str, text: str, zone: str) -> datetime:
    from datetime import UTC
    from zoneinfo import ZoneInfo

    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as e:
        msg = f"{text!r} is no time; write 2026-11-11T00:00"
        raise typer.BadParameter(msg, param_hint=option) from e
