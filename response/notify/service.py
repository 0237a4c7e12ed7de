"""The service `alerts`: each target follows the incidents at its own pace and place."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import stamina

from response.ladder import due, on_call
from response.metrics import ALERTS_SENT, ALERTS_WAITING
from response.notify import cursor
from response.notify.cursor import Saved
from response.notify.decide import Status, Told, decide, is_over
from response.notify.message import Notice
from response.notify.targets import Failed, Refused, Target, configured
from response.notify.writer import Writer
from response.settings import AlertsSettings
from streams import codec
from streams.log.decoded import decoded
from streams.log.patience import patiently
from streams.log.port import Log, LogRecord
from streams.records import LIVE, Incident
from streams.settings import RootSettings
from streams.topics import INCIDENTS

log = logging.getLogger("siaga.alerts")

WAIT_INITIAL_S = 0.5


async def serve(settings: RootSettings, log_: Log) -> None:
    """Tell the configured targets of incidents until cancelled.

    Raises
    ------
    CannotStart
        If a secret that a target needs is not in the environment.
    """
    alerts = settings.section(AlertsSettings)
    targets = configured(alerts)
    if not targets:
        log.info("alerts: no [alerts.webhooks.NAME] or [alerts.telegram.NAME] yet; nobody is told")
        await asyncio.Event().wait()
    writer = Writer(settings, lambda: datetime.now(UTC))
    async with httpx.AsyncClient(timeout=alerts.timeout_s) as http, asyncio.TaskGroup() as group:
        for target in targets:
            teller = Teller(target, writer, log_, http)
            group.create_task(teller.run(), name=f"alerts {target.kind} {target.name}")


class Teller:
    """Tells one target: where it is in the topic, and what it was told."""

    def __init__(self, target: Target, writer: Writer, log_: Log, http: httpx.AsyncClient) -> None:
        self.target, self.writer, self.log, self.http = target, writer, log_, http
        self.key = cursor.key(target.kind, target.name)
        self.position: dict[int, int] = {}
        self.told: dict[str, Told] = {}
        self.open: dict[str, Incident] = {}
        """Open incidents of the runs that are told: what the ladder looks at."""

    async def run(self) -> None:
        """Follow the incidents; a log that is away is waited for."""
        who = f"alerts to {self.target.kind} {self.target.name}"
        await patiently(self._begin, who=who)
        await patiently(self._follow, who=who)

    async def _follow(self) -> None:
        async for chunk in self.log.read(INCIDENTS, start=self.position, follow=True):
            for record in chunk:
                await self._record(record)
            if chunk:
                await self._save()
            await self._ladder()

    async def _begin(self) -> None:
        saved = (await cursor.load(self.log)).get(self.key)
        if saved is None:
            # A first start must not page everybody for what is long over.
            self.position = await self.log.ends(INCIDENTS)
            await self._save()
        else:
            self.position, self.told = dict(saved.position), dict(saved.told)
        async for chunk in self.log.read(INCIDENTS):
            for record in chunk:
                if record.offset < self.position.get(record.partition, 0):
                    self._keep(decoded(record, codec.incident, who="alerts"))

    async def _record(self, record: LogRecord) -> None:
        incident = decoded(record, codec.incident, who="alerts")
        self._keep(incident)
        if incident is not None and incident.run in self.writer.alerts.runs:
            told = self.told.get(incident.id)
            status = decide(told, incident, self.target.min_level)
            if status is not None:
                await self._tell(status, incident)
        self.position[record.partition] = record.offset + 1

    def _keep(self, incident: Incident | None) -> None:
        if incident is None or incident.run not in self.writer.alerts.runs:
            return
        known = self.open.get(incident.id)
        if known is not None and incident.sequence <= known.sequence:
            return
        if is_over(incident):
            self.open.pop(incident.id, None)
        else:
            self.open[incident.id] = incident

    async def _tell(
        self, status: Status, incident: Incident, names: Sequence[str] = (), steps: int = 0
    ) -> None:
        told = self.told.pop(incident.id, None) or Told(-1, 0)
        notice = self.writer.notice(self.target, status, incident, names=names, step=steps)
        thread = await self._deliver(notice, told.thread)
        level = 0 if status == "resolved" else incident.level
        # Re-inserted last: what was told longest ago is forgotten first.
        self.told[incident.id] = Told(
            max(told.sequence, incident.sequence),
            level,
            thread,
            max(told.steps, steps),
            bool(incident.acknowledged_by),
        )
        self.told = cursor.remembered(self.told)
        await self._save()

    async def _deliver(self, notice: Notice, thread: int) -> int:
        """Send until it is taken or refused for good; other targets go on meanwhile."""
        target, alerts = self.target, self.writer.alerts
        waiting = ALERTS_WAITING.labels(target.kind)
        waiting.inc()
        try:
            async for attempt in stamina.retry_context(
                on=_wait,
                attempts=None,
                timeout=None,
                wait_initial=WAIT_INITIAL_S,
                wait_max=alerts.retry_wait_max_s,
            ):
                with attempt:
                    thread = await self._once(notice, thread)
        except Refused as e:
            ALERTS_SENT.labels(target.kind, "refused").inc()
            log.error("alerts: %s %s refuses %s: %s", target.kind, target.name, notice.key, e)
        else:
            ALERTS_SENT.labels(target.kind, "delivered").inc()
            log.info("alerts: told %s %s: %s", target.kind, target.name, notice.key)
        finally:
            waiting.dec()
        return thread

    async def _once(self, notice: Notice, thread: int) -> int:
        try:
            return await self.target.send(self.http, notice, thread)
        except Failed as e:
            ALERTS_SENT.labels(self.target.kind, "retried").inc()
            log.warning(
                "alerts: %s %s %s; %s is kept and tried again",
                self.target.kind,
                self.target.name,
                e,
                notice.key,
            )
            raise

    async def _ladder(self) -> None:
        """Tell the next step of incidents that nobody has acknowledged in time."""
        rota, now = self.writer.rota, self.writer.clock()
        for incident in list(self.open.values()):
            told = self.told.get(incident.id)
            # A replay's clock is not ours: its waiting times mean nothing here.
            if told is None or not told.level or incident.acknowledged_by or incident.run != LIVE:
                continue
            # Somebody asked for silence; a rise of the level ends the snooze in the worker.
            if incident.snoozed_until is not None and now < incident.snoozed_until:
                continue
            step = due(
                rota.ladder,
                level=incident.level,
                opened_at=incident.opened_at,
                told=told.steps,
                now=now,
            )
            if step is not None:
                number, who = step
                names = who.who or on_call(rota, self.writer.settings.time_zone, now=now)
                await self._tell("escalated", incident, names, number)

    async def _save(self) -> None:
        await cursor.save(self.log, self.key, Saved(self.position, self.told))


def _wait(error: Exception) -> bool | float:
    if isinstance(error, Failed):
        return True if error.after_s is None else error.after_s
    return False
