"""Who is on call, and who is told next when nobody acknowledges (pure)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from response.settings import DAYS, LEVEL_NUMBERS, OncallSettings, ShiftSettings, StepSettings


def on_call(rota: OncallSettings, zone: str, *, now: datetime) -> tuple[str, ...]:
    """Names of those on call: of the first shift that holds `now`; () if nobody is.

    Parameters
    ----------
    zone
        IANA name; shifts are in wall time there, also over a change of summer time.
    now
        Aware.
    """
    shift = current_shift(rota, zone, now=now)
    return shift.who if shift else ()


def current_shift(rota: OncallSettings, zone: str, *, now: datetime) -> ShiftSettings | None:
    """The first shift that holds `now`."""
    local = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return next((s for s in rota.shifts if _holds(s, local)), None)


def _holds(shift: ShiftSettings, local: datetime) -> bool:
    # A shift that ends at or before its start ends the next day: look at today's and yesterday's.
    for day in (local.date(), local.date() - timedelta(days=1)):
        if DAYS[day.weekday()] not in shift.days:
            continue
        start = datetime.combine(day, shift.start)
        end = datetime.combine(day, shift.until)
        if end <= start:
            end += timedelta(days=1)
        if start <= local < end:
            return True
    return False


def due(
    ladder: Sequence[StepSettings],
    *,
    level: int,
    opened_at: datetime,
    told: int,
    now: datetime,
) -> tuple[int, StepSettings] | None:
    """The highest step whose time has come and that was not told yet.

    Parameters
    ----------
    level
        Severity number of the incident, 1 to 3.
    opened_at
        Start of the clock that an acknowledgement stops.
    told
        How many steps (in order of their time) are behind us.

    Returns
    -------
    tuple or None
        How many steps are then behind us, and the step to tell; steps in between are passed over,
        because after an outage people need the last word and not the whole history.
    """
    waited = now - opened_at
    found: tuple[int, StepSettings] | None = None
    for number, step in enumerate(sorted(ladder, key=lambda s: s.after_minutes), start=1):
        if number <= told or waited < timedelta(minutes=step.after_minutes):
            continue
        if level >= LEVEL_NUMBERS[step.min_level]:
            found = number, step
    return found
