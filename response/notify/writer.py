"""Writes notices: what of them is the same for all targets."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from response.address import address
from response.ladder import due, on_call
from response.links import Ticket, acknowledge_url, incident_url, short, sign
from response.notify.decide import Status
from response.notify.message import Notice
from response.notify.targets import Target
from response.secret import secret
from response.settings import AlertsSettings, OncallSettings, PageSettings, RelaySettings
from response.words import Language, topics
from streams.records import Incident
from streams.settings import RootSettings


class Writer:
    """Writes notices about incidents.

    Parameters
    ----------
    settings
        Whose brands, people and addresses they name.
    clock
        Wall time: links expire, and who is on call changes.
    """

    def __init__(self, settings: RootSettings, clock: Callable[[], datetime]) -> None:
        self.settings = settings
        self.clock = clock
        self.alerts = settings.section(AlertsSettings)
        self.rota = settings.section(OncallSettings)
        self.base = address(settings.section(PageSettings))
        self.link_hours = settings.section(PageSettings).link_hours
        self._secret = secret(settings)

    def notice(
        self,
        target: Target,
        status: Status,
        incident: Incident,
        *,
        names: Sequence[str] = (),
        step: int = 0,
        lead: str = "",
        test: bool = False,
    ) -> Notice:
        """A notice about an incident; `names`: whom it concerns, by default those on call."""
        settings, now = self.settings, self.clock()
        brand = settings.brands.get(incident.brand)
        asked = (
            status in {"firing", "escalated"}
            and not incident.acknowledged_by
            and incident.closed_at is None
            and not test
        )
        ticket = Ticket(
            "ack",
            incident.id,
            f"{target.kind}/{target.name}",
            int((now + timedelta(hours=self.link_hours)).timestamp()),
            incident.sequence,
        )
        token = sign(self._secret, ticket) if asked else ""
        people = names or (on_call(self.rota, settings.time_zone, now=now) if asked else ())
        return Notice(
            status=status,
            incident=incident,
            title=(brand.title if brand else "") or incident.brand,
            language=self.language,
            zone=settings.time_zone,
            # A test has no incident to show.
            page=f"{self.base}/" if test else incident_url(self.base, incident.id),
            acknowledge=acknowledge_url(self.base, token) if asked else "",
            button=self._button(target, ticket, token) if asked else "",
            lead=lead,
            oncall=tuple(self._called(name) for name in people),
            topic_titles=topics(self.language, settings.taxonomy.taxonomy),
            step=step,
            test=test,
        )

    def _button(self, target: Target, ticket: Ticket, token: str) -> str:
        """What a chat's own button carries; "" where the chat's answers do not reach the page."""
        relay = self.settings.section(RelaySettings)
        if target.kind == "slack" and os.environ.get(relay.slack_signing_env):
            return token
        if target.kind == "telegram" and os.environ.get(relay.telegram_secret_env):
            return short(self._secret, ticket)
        return ""

    @property
    def language(self) -> Language:
        """What the receivers read."""
        return self.alerts.language or self.settings.language

    def due_steps(self, incident: Incident | None) -> tuple[str, ...]:
        """Names on the steps of the ladder whose time has come; () without an incident."""
        if incident is None:
            return ()
        now = self.clock()
        return tuple(
            name
            for step in sorted(self.rota.ladder, key=lambda s: s.after_minutes)
            if due([step], level=incident.level, opened_at=incident.opened_at, told=0, now=now)
            for name in step.who
        )

    def _called(self, name: str) -> str:
        person = self.rota.people[name]
        return f"@{person.telegram}" if person.telegram else person.title or name
