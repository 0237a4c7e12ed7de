"""Incidents and what people do about them, through the log: for commands and the page."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from streams import codec
from streams.log.decoded import decoded
from streams.log.partitioner import partition_of
from streams.log.port import Entry, Log
from streams.records import LIVE, Action, Incident
from streams.topics import ACTIONS, INCIDENTS

KINDS = ("ack", "note", "replied", "snooze", "false_alarm", "close")
"""`replied`: the brand has answered in public, also where no connector looks."""
TEXT_LIMIT = 2000
WHO_LIMIT = 60
SNOOZE_LONGEST = timedelta(days=7)


class Unknown(Exception):
    """No incident is meant by that; the message says how to find one."""


async def latest(log: Log) -> dict[str, Incident]:
    """Return the newest state of every incident that the topic holds, in order of opening."""
    found: dict[str, Incident] = {}
    async for chunk in log.read(INCIDENTS):
        for record in chunk:
            # Of a newer version: it is not shown, and the page's log has said so.
            incident = decoded(record, codec.incident)
            if incident is None:
                continue
            known = found.get(incident.id)
            if known is None or incident.sequence > known.sequence:
                found[incident.id] = incident
    return dict(sorted(found.items(), key=lambda item: item[1].opened_at))


async def actions(log: Log) -> dict[str, list[Action]]:
    """Return all actions by incident, oldest first, each id once."""
    found: dict[str, dict[str, Action]] = {}
    async for chunk in log.read(ACTIONS):
        for record in chunk:
            action = decoded(record, codec.action)
            if action is not None:
                found.setdefault(action.incident, {}).setdefault(action.id, action)
    return {k: sorted(v.values(), key=lambda a: a.at) for k, v in found.items()}


def meant(incidents: Mapping[str, Incident], said: str) -> Incident:
    """Find the incident that a person means: its id, the end of it, or a brand with one open.

    Raises
    ------
    Unknown
        If none or several fit.
    """
    if said in incidents:
        return incidents[said]
    fitting = [i for i in incidents.values() if i.id.endswith(f"/{said}")]
    if not fitting:
        fitting = [i for i in incidents.values() if i.brand == said and i.closed_at is None]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        ids = ", ".join(i.id for i in fitting)
        raise Unknown(f'"{said}" could be any of {ids}: give the whole id')
    raise Unknown(f'no incident "{said}": `siaga incident list --all` shows their ids')


def is_drill(run: str) -> bool:
    """Is it the run of a drill? Those are named `drill...`."""
    return run.startswith("drill")


def drills_management(run: str) -> bool:
    """Is it a drill for management, too? Those are named `drill-management...`."""
    return run.startswith("drill-management")


def event_now(incident: Incident, *, now: datetime) -> datetime:
    """The time that an action about this incident happens at, on the incident's own clock.

    A replay's clock is not the wall's: there an action counts from the incident's last change.
    """
    return now if incident.run == LIVE else incident.updated_at


def action(
    incident: Incident,
    kind: str,
    who: str,
    via: str,
    *,
    now: datetime,
    text: str = "",
    snooze: timedelta | None = None,
    action_id: str = "",
) -> Action:
    """Make the record of an action; `action_id` where the same action must count once."""
    at = event_now(incident, now=now)
    return Action(
        id=action_id or f"{via}/{secrets.token_hex(12)}",
        kind=kind,
        incident=incident.id,
        brand=incident.brand,
        who=who.strip()[:WHO_LIMIT],
        at=at,
        run=incident.run,
        text=text.strip()[:TEXT_LIMIT],
        until=at + snooze if snooze else None,
        via=via,
    )


async def record(log: Log, done: Action) -> None:
    """Append an action; returns when the log has it.

    Raises
    ------
    Unavailable
        If the log does not take it now: nothing was recorded.
    """
    key = done.brand.encode()
    partitions = len(await log.ends(ACTIONS))
    # The worker that owns the brand must get it: partitioned as the brand's mentions are.
    chosen = partition_of(key, partitions) if partitions else None
    await log.append([Entry(ACTIONS, key, codec.encode(done), chosen)])


def open_only(incidents: Mapping[str, Incident]) -> Sequence[Incident]:
    """Those that are not closed, most severe first."""
    found = [i for i in incidents.values() if i.closed_at is None and i.level > 0]
    return sorted(found, key=lambda i: (-i.level, i.opened_at))


def utc_now() -> datetime:
    """Wall time; the one place in this package's commands that asks for it."""
    return datetime.now(UTC)
