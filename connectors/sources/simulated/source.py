"""`simulated`: plays a scenario at high speed; slows down for people when the crisis comes."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field

from connectors.contract import Context, Fatal, Page, SourceSettings
from connectors.sources.simulated.scenario import CHANNELS, START, scenario
from connectors.sources.simulated.traffic import Seen, Traffic
from streams.settings import Name


class SimulatedSettings(SourceSettings):
    """`type = "simulated"`."""

    type: Literal["simulated"] = "simulated"
    seed: int = 1
    weeks: float = Field(default=2.0, gt=0, le=520)
    base_rate: float = Field(default=2.0, gt=0, le=1000)
    """Mean mentions a minute of the main brand."""
    quiet: bool = False
    """No crisis."""
    speed: float = Field(default=0.0, ge=0)
    """Of the ordinary weeks: 60 is a minute in a second; 0 as fast as possible."""
    crisis_speed: float = Field(default=0.0, ge=0)
    """From shortly before the crisis; 0 as fast as possible."""
    approach_minutes: float = Field(default=10.0, ge=0)
    """How long before the onset it slows down."""
    after_hours: float = Field(default=6.0, gt=0)
    """How long the run goes on after the onset."""
    channels: tuple[Name, ...] = CHANNELS
    """The closed set of channels that the mentions name."""
    poll_s: float = Field(default=0.1, ge=0.02, le=60)
    lateness_s: float = Field(default=0.0, ge=0)


class SimulatedConnector:
    """Pages of a scenario; the cursor is `hour:items read of it`."""

    Settings: ClassVar[type[SourceSettings]] = SimulatedSettings

    def __init__(self, settings: SimulatedSettings, context: Context) -> None:
        self._settings = settings
        self._now = context.now
        self.scenario = scenario(
            settings.seed,
            weeks=settings.weeks,
            base_rate=settings.base_rate,
            quiet=settings.quiet,
            after_hours=settings.after_hours,
            start=START,
        )
        self._traffic = Traffic(self.scenario)
        self._made: tuple[int, tuple[Seen, ...]] | None = None
        self._anchor: tuple[datetime, datetime, float] | None = None
        """(time of the scenario, wall time, speed) since the speed last changed."""
        self._reached: tuple[str, datetime] | None = None
        """How far the clock was at a cursor: it moves on while no item comes."""

    async def fetch(self, cursor: str | None) -> Page:
        """Return the items that are due: an hour at once, or what the clock has reached."""
        hour, index = _decode(cursor)
        if hour >= self._traffic.hours:
            return Page((), cursor, ended=True, watermark=self.scenario.end)
        seen = self._hour(hour)
        begin = seen[index - 1].at if index else self._start_of(hour)
        if self._reached is not None and self._reached[0] == cursor:
            begin = max(begin, self._reached[1])
        speed = self._speed_at(begin)
        until = self._start_of(hour + 1)
        slow = self._slow_from()
        if speed == 0:
            if slow is not None and begin < slow < until and self._settings.crisis_speed:
                until = slow
        else:
            until = min(until, self._clock(begin, speed))
        end = index
        while end < len(seen) and seen[end].at < until:
            end += 1
        done = end == len(seen) and until >= self._start_of(hour + 1)
        clock = min(max(until, begin), self.scenario.end)
        following = f"{hour + 1}:0" if done else f"{hour}:{end}"
        self._reached = (following, until)
        return Page(
            tuple(s.item for s in seen[index:end]),
            following,
            more=speed == 0 or done,
            watermark=clock,
            clock=clock,
        )

    async def close(self) -> None:
        """Nothing is held."""

    def _hour(self, number: int) -> tuple[Seen, ...]:
        if self._made is None or self._made[0] != number:
            self._made = (number, self._traffic.hour(number))
        return self._made[1]

    def _start_of(self, hour: int) -> datetime:
        return self.scenario.start + timedelta(hours=hour)

    def _slow_from(self) -> datetime | None:
        onset = self.scenario.onset
        return onset - timedelta(minutes=self._settings.approach_minutes) if onset else None

    def _speed_at(self, time: datetime) -> float:
        slow = self._slow_from()
        if slow is not None and time >= slow:
            return self._settings.crisis_speed
        return self._settings.speed

    def _clock(self, begin: datetime, speed: float) -> datetime:
        if self._anchor is None or self._anchor[2] != speed:
            self._anchor = (begin, self._now(), speed)
        event, wall, _ = self._anchor
        return event + (self._now() - wall) * speed


def _decode(cursor: str | None) -> tuple[int, int]:
    hour, _, index = (cursor or "0:0").partition(":")
    try:
        return int(hour), int(index)
    except ValueError as e:
        raise Fatal("the saved cursor is not of a simulation: siaga connector reset NAME") from e
