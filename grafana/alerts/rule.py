"""What an alert rule is, whichever system evaluates it."""

from dataclasses import dataclass
from typing import Literal

from grafana.settings import Audience

Language = Literal["id", "en"]
Severity = Literal["watch", "alert", "crisis", "drill", "page", "ticket"]
"""The first four are about a brand. `page`: wake an SRE; `ticket`: in working hours."""

Style = Literal["count", "ratio", "duration", "signal"]
"""How a number is written: `signal` is a share, people or a rate, by the signal it belongs to (a
rate has a further number `NAME_hourly` beside it)."""


@dataclass(frozen=True)
class Text:
    """A sentence in both languages.

    Placeholders: `{brand}` and other labels of the rule, `{value}`, the names of its numbers,
    `{signal}`, the signal that a number of style `signal` belongs to, and `{level}`, the word for
    the severity.
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
class Case:
    """One of several exclusive conditions of a rule: its series carry severity and audience.

    Several rules would not do: Grafana spreads rules at random over the interval (10 s), so one
    level would end seconds before or after the other began, and people would be told twice.
    """

    expr: str
    severity: Severity
    audiences: tuple[Audience, ...]

    def labelled(self) -> str:
        """The expression with the labels of this case."""
        severity = f'label_replace({self.expr}, "severity", "{self.severity}", "", "")'
        return f'label_replace({severity}, "audience", "{audience_label(self.audiences)}", "", "")'


def audience_label(audiences: tuple[Audience, ...]) -> str:
    """Value of the label `audience`; routes look for one word of it."""
    return " ".join(audiences)


@dataclass(frozen=True)
class Rule:
    """Fires for each series of its cases that is above `above` for `for_s` seconds.

    Attributes
    ----------
    name
        CamelCase; its runbooks are `runbooks/<name>.id.md` and `.en.md`.
    group
        Rules of a group are evaluated as often.
    cases
        One, or several that exclude each other.
    labels
        Labels that the series of the cases carry: the closed set that texts may name.
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
    group: Literal["level", "brand", "people", "operations"]
    cases: tuple[Case, ...]
    above: float
    for_s: int
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

    @property
    def expr(self) -> str:
        """The query: one series for each case and set of labels."""
        if len(self.cases) == 1:
            return self.cases[0].expr
        return " or ".join(case.labelled() for case in self.cases)

    def number_expr(self, number: Number) -> str:
        """A number's query, with the labels by which Grafana finds the series it belongs to."""
        if len(self.cases) == 1:
            return number.expr
        return f"(0 * ({self.expr}) + 1) * on (brand) group_left (signal) ({number.expr})"
