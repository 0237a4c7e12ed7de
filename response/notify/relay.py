"""Between Grafana and the chats: evidence, samples and the signed link, which no metric carries.

Grafana sends again what is not answered with 200, so the answer waits for the chat: nothing is
kept here but which incidents each chat was told of (in `siaga.cursors.v1`), so that an
acknowledgement, wherever it was made, is told in the same chats once.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from itertools import chain

import httpx

from response.ladder import on_call
from response.metrics import ALERTS_SENT
from response.notify import cursor
from response.notify.cursor import Saved
from response.notify.decide import Status, Told
from response.notify.hook import Hook, incident_of, lead, plain
from response.notify.targets import Failed, Refused, Target, personal, relayed
from response.notify.writer import Writer
from response.page.view import View, is_open
from response.settings import RelaySettings
from streams.log.patience import patiently
from streams.log.port import Log, Unavailable
from streams.records import Incident
from streams.settings import RootSettings

log = logging.getLogger("siaga.relay")

ROTA = "rota"
REPEAT_S = 300.0
"""The same news within this time is Grafana asking again, not a reminder (those take hours)."""
KEYS_KEPT = 500
"""Notifications remembered, to tell a repeat by."""
ECHO_S = 1.0
"""How soon an acknowledgement made elsewhere is told in the chats."""


class NoSuchChat(Exception):
    """No chat has that name; the message says which there are."""


class Relay:
    """Takes Grafana's notifications and tells the chats. `clock` of `writer` is wall time."""

    def __init__(
        self, settings: RootSettings, view: View, log_: Log, writer: Writer, http: httpx.AsyncClient
    ) -> None:
        self.settings, self.view, self.log = settings, view, log_
        self.writer, self.http = writer, http
        self.chats = relayed(settings.section(RelaySettings))
        self.people = {name: personal(name, p) for name, p in writer.rota.people.items()}
        self.told: dict[str, dict[str, Told]] = {}
        """By chat, by incident."""
        self._sent: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def take(self, name: str, hook: Hook) -> int:
        """Tell the chat `name`, or whoever is on call; returns to how many it went.

        Raises
        ------
        NoSuchChat
            If no chat has that name.
        Failed
            If a chat did not take it: Grafana is to send it again.
        """
        targets, names = self._whom(name, hook)
        async with self._one_at_a_time:
            results = [await self._tell(target, hook, names) for target in targets]
        return sum(results)

    def _whom(self, name: str, hook: Hook) -> tuple[Sequence[Target], tuple[str, ...]]:
        if name != ROTA:
            if name not in self.chats:
                raise NoSuchChat(f"no chat {name!r}: there are {sorted([*self.chats, ROTA])}")
            return [self.chats[name]], ()
        zone, now = self.settings.time_zone, self.writer.clock()
        names = on_call(self.writer.rota, zone, now=now)
        if hook.label("alertname") == "SiagaUnacknowledged":
            # The ladder: whoever is on call has not answered, so the next steps are called, too.
            steps = self.writer.due_steps(self._incident(hook))
            names = tuple(dict.fromkeys((*names, *steps)))
        targets = [target for each in names for target in self.people[each]]
        if not targets:
            log.error("relay: nobody on call can be reached: add chat_id or url_env to the people")
        return targets, names

    def _incident(self, hook: Hook) -> Incident | None:
        known = [
            self.view.find(i.id) or i
            for run in self.view.runs.values()
            for i in run.incidents.values()
        ]
        return incident_of(hook, known, self.settings.shown_run)

    async def _tell(self, target: Target, hook: Hook, names: Sequence[str]) -> bool:
        chat = _chat(target)
        key = (chat, hook.key)
        now = self.writer.clock().timestamp()
        if now - self._sent.get(key, 0.0) < REPEAT_S:
            return False
        incident = self._incident(hook)
        try:
            if incident is None:
                await target.tell(self.http, plain(hook, self.writer.language))
            elif not self._snoozed(incident, hook):
                await self._notice(target, hook, incident, names)
        except Refused as e:
            ALERTS_SENT.labels(target.kind, "refused").inc()
            log.error("relay: %s refuses a notification: %s", chat, e)
        except Failed:
            ALERTS_SENT.labels(target.kind, "retried").inc()
            raise
        else:
            ALERTS_SENT.labels(target.kind, "delivered").inc()
        self._sent[key] = now
        while len(self._sent) > KEYS_KEPT:
            self._sent.popitem(last=False)
        return True

    def _snoozed(self, incident: Incident, hook: Hook) -> bool:
        # The level itself is told all the same: only the ladder and reminders wait.
        until = incident.snoozed_until
        return (
            hook.status == "firing"
            and hook.label("alertname") in {"SiagaUnacknowledged", "SiagaResponseOverdue"}
            and until is not None
            and self.writer.clock() < until
        )

    async def _notice(
        self, target: Target, hook: Hook, incident: Incident, names: Sequence[str]
    ) -> None:
        status: Status = hook.status
        if hook.label("alertname") == "SiagaUnacknowledged":
            status = "escalated"
            if incident.acknowledged_by or (hook.status == "resolved" and is_open(incident)):
                return  # somebody took it, which is told by itself
        elif hook.status == "resolved" and is_open(incident):
            return  # of a level or a clock that ended; the incident itself goes on
        elif hook.status == "resolved" and hook.label("thread") not in {"level", "drill", "many"}:
            return  # the end of the incident is told once, by its level
        notice = self.writer.notice(target, status, incident, names=names, lead=lead(hook))
        chat = _chat(target)
        told = self.told.setdefault(chat, {})
        before = told.pop(incident.id, None)
        thread = await target.send(self.http, notice, before.thread if before else 0)
        taken = bool(incident.acknowledged_by) or bool(before and before.acknowledged)
        level = 0 if status == "resolved" else incident.level
        told[incident.id] = Told(incident.sequence, level, thread, acknowledged=taken)
        await self._save(chat)

    # --- acknowledgements ----------------------------------------------------

    async def run(self) -> None:
        """Tell acknowledgements in the chats that were told of the incident, until cancelled."""
        await self._load()
        while True:
            await asyncio.sleep(ECHO_S)
            await self.echo()

    async def echo(self) -> None:
        """Tell who took which incident, once a chat."""
        targets = {_chat(t): t for t in [*self.chats.values(), *chain(*self.people.values())]}
        for chat, told in self.told.items():
            for incident_id, known in list(told.items()):
                if known.acknowledged or not known.level or chat not in targets:
                    continue
                incident = self.view.find(incident_id)
                if incident is None or not incident.acknowledged_by:
                    continue
                notice = self.writer.notice(targets[chat], "acknowledged", incident)
                try:
                    await targets[chat].send(self.http, notice, known.thread)
                except Refused as e:
                    log.error("relay: %s refuses an acknowledgement: %s", chat, e)
                except Failed as e:
                    log.warning("relay: %s %s; the acknowledgement is told later", chat, e)
                    continue
                told[incident_id] = Told(
                    known.sequence, known.level, known.thread, acknowledged=True
                )
                await self._save(chat)

    async def _load(self) -> None:
        saved = await patiently(lambda: cursor.load(self.log), who="relay")
        prefix = cursor.key("relay", "").decode()
        for key, state in saved.items():
            if key.decode().startswith(prefix):
                chat = key.decode().removeprefix(prefix)
                self.told[chat] = {**state.told, **self.told.get(chat, {})}

    async def _save(self, chat: str) -> None:
        self.told[chat] = cursor.remembered(self.told[chat])
        try:
            await cursor.save(self.log, cursor.key("relay", chat), Saved({}, self.told[chat]))
        except Unavailable as e:
            # Told is told: the worst is an acknowledgement told twice after a restart.
            log.warning("relay: what was told is not kept (%s)", e)


def _chat(target: Target) -> str:
    return f"{target.kind}/{target.name}"
