"""What Grafana posts to a webhook, and which incident it is about (pure).

https://grafana.com/docs/grafana/v10.0/alerting/alerting-rules/manage-contact-points/webhook-notifier/
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

import msgspec

from response.incidents import is_drill
from response.notify.plain import Plain
from response.words import Language, say
from streams.records import Incident, Run


class HookAlert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    starts_at: str = ""
    fingerprint: str = ""
    dashboard_url: str = msgspec.field(default="", name="dashboardURL")


class Hook(msgspec.Struct, frozen=True, rename="camel"):
    """One notification of Grafana: a group of alerts."""

    status: Literal["firing", "resolved"]
    alerts: tuple[HookAlert, ...]
    group_key: str = ""
    title: str = ""

    @property
    def told(self) -> tuple[HookAlert, ...]:
        """While something fires, only that is news; else what ended."""
        firing = tuple(a for a in self.alerts if a.status == "firing")
        return firing or self.alerts

    def label(self, name: str) -> str:
        """Value of a label of what is told; "" if there is none."""
        return next((a.labels[name] for a in self.told if a.labels.get(name)), "")

    @property
    def key(self) -> str:
        """The same for the same news: Grafana posts again when it misses our answer."""
        parts = sorted(f"{a.fingerprint} {a.status} {a.starts_at}" for a in self.alerts)
        return sha256("\n".join([self.group_key, *parts]).encode()).hexdigest()[:32]


def incident_of(hook: Hook, incidents: Iterable[Incident], shown_run: Run) -> Incident | None:
    """The incident that a notification is about: the brand's newest, an open one first."""
    alert = hook.label("alertname")
    brand = "*" if alert == "SiagaManyBrands" else hook.label("brand")
    drill = hook.label("thread") == "drill"
    fitting = [
        i
        for i in incidents
        if i.brand == brand and (is_drill(i.run) if drill else i.run == shown_run)
    ]
    if hook.status == "firing":
        fitting = [i for i in fitting if i.closed_at is None and i.level > 0]
    return max(fitting, key=lambda i: (i.closed_at is None, i.updated_at), default=None)


def lead(hook: Hook) -> str:
    """Why it is told now, where the incident's own sentence does not say so."""
    for alert in hook.told:
        if alert.labels.get("alertname") not in {"SiagaLevel", "SiagaUnacknowledged", "SiagaDrill"}:
            return alert.annotations.get("summary", "")
    return ""


def plain(hook: Hook, language: Language) -> Plain:
    """Grafana's own words, for what is about no incident."""
    over = hook.status == "resolved"
    summaries = [a.annotations.get("summary", a.labels.get("alertname", "")) for a in hook.told]
    title = f"{say(language, 'Over')}: {hook.label('alertname')}" if over else summaries[0]
    lines = [] if over else [a.annotations.get("description", "") for a in hook.told]
    links = []
    for word, field in (("Runbook", "runbook_url"), ("Live page", "page_url")):
        url = next((a.annotations[field] for a in hook.told if a.annotations.get(field)), "")
        links.append((say(language, word), url))
    board = next((a.dashboard_url for a in hook.told if a.dashboard_url), "")
    links.append((say(language, "Dashboard"), board))
    return Plain(
        key=hook.key,
        status=hook.status,
        title=title,
        lines=tuple(dict.fromkeys((*summaries[1:], *lines))),
        links=tuple((word, url) for word, url in links if url),
    )
