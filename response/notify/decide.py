"""Whether an incident's record is worth a notification (pure)."""

from typing import Literal

import msgspec

from streams.records import Incident

Status = Literal["firing", "resolved", "escalated", "acknowledged"]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a target was last told of an incident."""

    sequence: int
    level: int
    """0: told that it is over, or never told."""
    thread: int = 0
    """First message about it, where the target has threads."""
    steps: int = 0
    """How many steps of the ladder it was told."""
    acknowledged: bool = False
    """It was told who took it."""


def is_over(incident: Incident) -> bool:
    return incident.closed_at is not None or incident.level == 0


def decide(told: Told | None, incident: Incident, min_level: int) -> Status | None:
    """Return what to tell, or None.

    A change of level tells, in either direction, and so does the first acknowledgement (in a short
    message: colleagues must know that somebody is on it); a refresh of evidence or a repeat (same
    or older sequence) does not. What was never told is never resolved or acknowledged. An incident
    that falls below the target's level without closing is told as that lower level once.
    """
    if told is not None and incident.sequence <= told.sequence:
        return None
    known = told.level if told else 0
    if is_over(incident):
        return "resolved" if known else None
    if incident.level == known:
        news = told is not None and incident.acknowledged_by and not told.acknowledged
        return "acknowledged" if news else None
    return "firing" if incident.level >= min_level or known else None
