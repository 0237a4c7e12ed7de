"""`siaga alert test`: one notification to each target, and what became of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from response.notify.targets import Failed, Refused, Target, configured
from response.notify.writer import Writer
from response.settings import AlertsSettings
from response.words import say
from streams.records import LIVE, Incident
from streams.settings import RootSettings


@dataclass(frozen=True)
class Result:
    """What became of one test notification."""

    kind: str
    name: str
    problem: str = ""

    @property
    def delivered(self) -> bool:
        return not self.problem

    def line(self) -> str:
        """For the terminal."""
        said = f"not delivered: {self.problem}" if self.problem else "delivered"
        return f"{self.kind} {self.name}: {said}"


async def trial(settings: RootSettings, only: str = "") -> list[Result]:
    """Send one marked test to every target, or to the one named `only`; never tries again."""
    alerts = settings.section(AlertsSettings)
    targets = [t for t in configured(alerts) if not only or t.name == only]
    writer = Writer(settings, lambda: datetime.now(UTC))
    async with httpx.AsyncClient(timeout=alerts.timeout_s) as http:
        return [await _send(target, writer, http) for target in targets]


async def _send(target: Target, writer: Writer, http: httpx.AsyncClient) -> Result:
    notice = writer.notice(target, "firing", _example(writer), test=True)
    try:
        await target.send(http, notice, 0)
    except (Failed, Refused) as e:
        return Result(target.kind, target.name, str(e))
    return Result(target.kind, target.name)


def _example(writer: Writer) -> Incident:
    now = writer.clock()
    text = "This is a test of the notifications: nothing has happened and nothing is to be done."
    brand = next(iter(writer.settings.brands), "siaga")
    return Incident(
        id=f"test/{brand}/{int(now.timestamp())}",
        brand=brand,
        level=1,
        peak=1,
        signal="volume",
        onset=now,
        opened_at=now,
        updated_at=now,
        observed=0.0,
        expected=0.0,
        upper=0.0,
        score=0.0,
        run=LIVE,
        sentences={"id": say("id", text), "en": text},
    )
