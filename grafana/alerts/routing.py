"""Who is told: contact points, message templates, mute timings and the notification policy."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from grafana.alerts.as_grafana import name_label
from grafana.alerts.rule import Language
from grafana.settings import (
    AnyContact,
    Audience,
    EmailContact,
    GrafanaSettings,
    SlackContact,
    TelegramContact,
    WebhookContact,
    Weekday,
)

GROUP_WAIT = "1s"
"""A first notification waits only for alerts of the same evaluation."""
GROUP_INTERVAL = "10s"
"""Grafana's smallest: a change of level is an update of the same thread within this."""

Part = Literal["quiet", "other"]
"""Of the day."""

FALLBACK: tuple[Audience, ...] = ("oncall", "operations", "channel", "management")
"""An audience without a contact is heard by the first of these that has one."""

WORDS: dict[Language, dict[str, str]] = {
    "id": {"over": "Selesai", "page": "Insiden", "runbook": "Panduan", "board": "Dasbor"},
    "en": {"over": "Over", "page": "Incident", "runbook": "Runbook", "board": "Dashboard"},
}


class MissingSecret(Exception):
    """An environment variable that a contact names is not set."""


def contact_points(settings: GrafanaSettings, env: Mapping[str, str]) -> list[dict[str, Any]]:
    """The contact points as the provisioning API takes them.

    Raises
    ------
    MissingSecret
        Naming all variables that are not set.
    """
    missing = sorted(
        variable
        for contact in settings.contacts.values()
        for variable in variables(contact)
        if not env.get(variable)
    )
    if missing:
        raise MissingSecret(f"set in the environment, for [grafana.contacts]: {', '.join(missing)}")
    return [_point(settings, name, contact, env) for name, contact in settings.contacts.items()]


def variables(contact: AnyContact) -> list[str]:
    """Names of the environment variables that a contact reads."""
    keys = ("url_env", "token_env", "password_env")
    return [value for key in keys if (value := getattr(contact, key, None))]


def _point(
    settings: GrafanaSettings, name: str, contact: AnyContact, env: Mapping[str, str]
) -> dict[str, Any]:
    kind, details = _details(settings, contact, env)
    # Grafana never shows a secret again, so a changed one is seen by the uid that it leads to
    secrets = [env[variable] for variable in variables(contact)]
    digest = hashlib.sha256(json.dumps(secrets).encode()).hexdigest()[:8]
    return {
        "uid": f"{settings.name}-{name}"[:31] + f"-{digest}",
        "name": receiver(settings, name),
        "type": kind,
        "settings": details,
        "disableResolveMessage": False,
    }


def _details(
    settings: GrafanaSettings, contact: AnyContact, env: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    title, message = (
        f'{{{{ template "{settings.name}-{part}" . }}}}' for part in ("title", "message")
    )
    match contact:
        case WebhookContact():
            url = env[contact.url_env] if contact.url_env else str(contact.url)
            details = {"url": url, "httpMethod": "POST", "title": title, "message": message}
            if contact.password_env:
                details |= {"username": contact.user, "password": env[contact.password_env]}
            return "webhook", details
        case SlackContact():
            details = {"title": title, "text": message}
            if contact.url_env:
                details["url"] = env[contact.url_env]
            elif contact.token_env:
                details |= {"token": env[contact.token_env], "recipient": contact.channel}
            if contact.api_url is not None:
                details["endpointUrl"] = str(contact.api_url)
            return "slack", details
        case TelegramContact():
            # Plain text: a phrase with "<" in it would be refused as broken HTML
            return "telegram", {
                "bottoken": env[contact.token_env],
                "chatid": contact.chat_id,
                "message": f"{title}\n{message}",
                "parse_mode": "None",
            }
        case EmailContact():
            return "email", {
                "addresses": ";".join(contact.addresses),
                "singleEmail": True,
                "subject": title,
                "message": message,
            }


def receiver(settings: GrafanaSettings, name: str) -> str:
    """Name of a contact's receiver in Grafana."""
    return f"{settings.name}-{name}"


def template(settings: GrafanaSettings, language: Language) -> dict[str, Any]:
    """Our message, as one template group: a title and a body for chats and e-mail.

    While something fires, only that is told: a level that ended because a higher one began is no
    news. When all is over, what ended is named.
    """
    words = WORDS[language]
    ended = (
        f"{{{{ range .Alerts.Resolved }}}}{words['over']}: {{{{ .Labels.alertname }}}}"
        "{{ with .Labels.brand }} {{ . }}{{ end }}\n{{ end }}"
    )
    links = "".join(
        f"{{{{ with .{field} }}}}{words[word]}: {{{{ . }}}}\n{{{{ end }}}}"
        for field, word in (
            ("Annotations.page_url", "page"),
            ("DashboardURL", "board"),
            ("Annotations.runbook_url", "runbook"),
        )
    )
    text = (
        f'{{{{ define "{settings.name}-title" }}}}'
        "{{ if .Alerts.Firing }}{{ (index .Alerts.Firing 0).Annotations.summary }}"
        f"{{{{ else }}}}{words['over']}: {{{{ .GroupLabels.brand }}}}{{{{ end }}}}{{{{ end }}}}\n"
        f'{{{{ define "{settings.name}-message" }}}}'
        "{{ if .Alerts.Firing }}{{ range .Alerts.Firing }}{{ .Annotations.summary }}\n"
        f"{{{{ .Annotations.description }}}}\n{links}\n{{{{ end }}}}"
        f"{{{{ else }}}}{ended}{{{{ end }}}}{{{{ end }}}}"
    )
    return {"name": f"{settings.name}-message", "template": text}


def mute_timings(settings: GrafanaSettings, time_zone: str) -> list[dict[str, Any]]:
    """The quiet hours and all other hours, if there are any: each mutes one branch of a contact."""
    quiet = settings.quiet_hours
    if quiet is None:
        return []
    inside, outside = _spans(quiet.start, quiet.until), _spans(quiet.until, quiet.start)
    days = list(quiet.days)
    others = [day for day in get_args(Weekday) if day not in days] if days else []

    def timing(part: Part, *intervals: dict[str, Any]) -> dict[str, Any]:
        located = [{**interval, "location": time_zone} for interval in intervals]
        return {"name": mute_name(settings, part), "time_intervals": located}

    weekdays = {"weekdays": days} if days else {}
    whole_days = [{"times": _spans("00:00", "24:00"), "weekdays": others}] if others else []
    return [
        timing("quiet", {"times": inside, **weekdays}),
        timing("other", {"times": outside, **weekdays}, *whole_days),
    ]


def _spans(start: str, until: str) -> list[dict[str, str]]:
    """From one time of the day to another; a span does not cross midnight."""
    spans = [(start, until)] if start < until else [(start, "24:00"), ("00:00", until)]
    return [{"start_time": a, "end_time": b} for a, b in spans if a != b]


def mute_name(settings: GrafanaSettings, part: Part) -> str:
    """Name of a mute timing."""
    return f"{settings.name}-{part}-hours"


def policy(settings: GrafanaSettings) -> dict[str, Any] | None:
    """Our branch of the notification policy; None without contacts (nobody is told).

    Each contact has a branch that continues: contacts do not hide alerts from each other. A brand's
    levels form one group, so that a change of level updates the notification that is there.
    """
    if not settings.contacts:
        return None
    by_audience = {contact.audience: name for name, contact in reversed(settings.contacts.items())}
    fallback = next(by_audience[audience] for audience in FALLBACK if audience in by_audience)
    return {
        "receiver": receiver(settings, fallback),
        "object_matchers": [[name_label(settings.name), "=", "yes"]],
        "group_by": ["thread", "brand"],
        "group_wait": GROUP_WAIT,
        "group_interval": GROUP_INTERVAL,
        "repeat_interval": f"{settings.repeat_hours}h",
        "routes": [
            route
            for name, contact in settings.contacts.items()
            for route in _branches(settings, name, contact)
        ],
    }


def _branches(settings: GrafanaSettings, name: str, contact: AnyContact) -> list[dict[str, Any]]:
    matchers = [["audience", "=~", f".*{contact.audience}.*"]]
    if contact.brands:
        matchers.append(["brand", "=~", "|".join(contact.brands)])
    branch = {"receiver": receiver(settings, name), "continue": True}
    if not contact.quiet_hours:
        return [{**branch, "object_matchers": matchers}]
    # CRISIS ignores quiet hours. The branches take turns and do not share the severities: else one
    # would tell the end of an alert at the very moment at which the other tells the crisis it
    # became. Matchers are sorted by label, as Grafana writes them back
    crisis = sorted([*matchers, ["severity", "=", "crisis"]])
    quiet, other = ([mute_name(settings, part)] for part in get_args(Part))
    return [
        {**branch, "object_matchers": matchers, "mute_time_intervals": quiet},
        {**branch, "object_matchers": crisis, "mute_time_intervals": other},
    ]
