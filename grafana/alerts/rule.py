"""What an alert rule is, whichever system evaluates it."""

from dataclasses import dataclass
from typing import Literal

from grafana.settings import Audience

Language = Literal["id", "en"]
Severity = Literal["watch", "alert", "crisis", "drill", "page", "ticket"]
"""The first four are about a brand. `page`: wake an SRE; `ticket`: in working hours."""

Style = Literal["count", "ratio", "duration", "signal"]
"""How a number is written: `signal` is a share or a count, by the signal it belongs to."""


@dataclass(frozen=True)
class Text:
    """A sentence in both languages.

    Placeholders: `{brand}` and other labels of the rule, `{value}`, the names of its numbers, and
    `{signal}`, the signal that a number of style `signal` belongs to.
    """

    id: str
    en: str


@dataclass(frozen=True)
class Number:
    """A further query whose result is told, one value per the rule's labels."""

    name: str
    expr: str
    style: Style = "count"


@dataclass(frozen=True)
class Rule:
    """Fires for each series of `expr` that is above `above` for `for_s` seconds.

    Attributes
    ----------
    name
        CamelCase; its runbooks are `runbooks/<name>.id.md` and `.en.md`.
    group
        Rules of a group are evaluated together.
    labels
        Labels that the series of `expr` carry: the closed set that texts may name.
    audiences
        Who hears of it (see `grafana.settings.Audience`).
    thread
        Rules of one thread about one brand share a notification: a change of level is an update.
    no_data
        What an empty result means: `OK`, or `Alerting` where silence is the trouble.
    on_error
        The same for a query that fails (Prometheus is away).
    why
        Why `for_s`, `no_data` and `on_error` are what they are.
    """

    name: str
    group: Literal["brand", "people", "operations"]
    expr: str
    above: float
    for_s: int
    severity: Severity
    audiences: tuple[Audience, ...]
    thread: str
    summary: Text
    description: Text
    why: str
    panel: str
    """Title of the panel of `dashboard` that shows what fired."""
    labels: tuple[str, ...] = ("brand",)
    numbers: tuple[Number, ...] = ()
    no_data: Literal["OK", "Alerting"] = "OK"
    on_error: Literal["OK", "Alerting"] = "OK"
    dashboard: Literal["wall", "brand", "incident", "pipeline"] = "brand"
    style: Style = "count"
    """How `{value}` is written."""
