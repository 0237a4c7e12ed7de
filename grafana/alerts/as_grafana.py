"""Rules in Grafana's form, for its provisioning API and its provisioning files."""

from dataclasses import dataclass
from typing import Any

from grafana.alerts.rule import Language, Rule, audience_label
from grafana.alerts.wording import for_grafana
from grafana.dashboards.uids import dashboard_uid, panel_id
from grafana.settings import GrafanaSettings

GROUPS = {"level": "Levels", "brand": "Brands", "people": "People", "operations": "Operations"}
"""Titles, which people see."""

INTERVALS_S = {"Levels": 10, "Brands": 30, "People": 30, "Operations": 30}
"""10 s is Grafana's smallest; the way from crisis to notification waits for it at most once.

At each tick of 10 s Grafana spreads the rules that are due over the next 10 s, in no order: the
first of n runs at once, and one of them waits 5 - 5 / n seconds for its turn in the mean
(`processTick` of pkg/services/ngalert/schedule/schedule.go, 10.0; later ones as well). Only the
rule that tells levels is due every time, so that it runs at once in two ticks of three."""

EXPRESSION = "__expr__"


@dataclass(frozen=True)
class Context:
    """What rules need to know beside themselves."""

    settings: GrafanaSettings
    language: Language


def rule_uid(name: str, rule: Rule) -> str:
    """Uid of a rule under the name of our installation; at most 40 characters."""
    return f"{name}-{rule.name.removeprefix('Siaga').lower()}"[:40]


def group_title(rule: Rule) -> str:
    """Name of the rule's group, which people see."""
    return GROUPS[rule.group]


def as_grafana(rule: Rule, context: Context) -> dict[str, Any]:
    """One rule as the provisioning API takes it."""
    settings = context.settings
    source = f"{settings.name}-prometheus"
    numbers = [(number.name, rule.number_expr(number)) for number in rule.numbers]
    queries = [("value", rule.expr), *numbers]
    data: list[dict[str, Any]] = []
    for name, expr in queries:
        data += [_query(f"{name}_query", expr, source), _reduce(name, f"{name}_query")]
    return {
        "uid": rule_uid(settings.name, rule),
        "orgID": 1,
        "folderUID": settings.name,
        "ruleGroup": group_title(rule),
        "title": rule.name,
        "condition": "firing",
        "data": [*data, _threshold("firing", "value", rule.above)],
        "for": duration(rule.for_s),
        "noDataState": rule.no_data,
        "execErrState": rule.on_error,
        "isPaused": False,
        "labels": labels(rule, settings.name),
        "annotations": annotations(rule, context),
    }


def labels(rule: Rule, name: str) -> dict[str, str]:
    """Labels that routes and people read; with several cases, their series carry the rest."""
    found = {name_label(name): "yes", "thread": rule.thread}
    if len(rule.cases) == 1:
        case = rule.cases[0]
        found |= {"severity": case.severity, "audience": audience_label(case.audiences)}
    return found


def name_label(name: str) -> str:
    """The label that marks an alert as ours."""
    return f"by_{name.replace('-', '_')}"


def annotations(rule: Rule, context: Context) -> dict[str, str]:
    """What a notification says."""
    settings = context.settings
    found = {
        "summary": for_grafana(rule, rule.summary, context.language),
        "description": for_grafana(rule, rule.description, context.language),
        "runbook": f"siaga grafana runbook {rule.name}",
        "__dashboardUid__": dashboard_uid(settings.name, rule.dashboard),
        "__panelId__": str(panel_id(rule.panel)),
    }
    if settings.runbook_url:
        found["runbook_url"] = f"{settings.runbook_url}/{rule.name}.{context.language}.md"
    if settings.page_url:
        brand = "?brand={{ $labels.brand }}" if "brand" in rule.labels else ""
        found["page_url"] = f"{settings.page_url}/{brand}"
    if "observed" in (number.name for number in rule.numbers):
        # For relays and other machines: bare numbers
        found["observed"] = '{{ (index $values "observed").Value }}'
        found["expected"] = '{{ (index $values "expected").Value }}'
        found["signal"] = '{{ (index $values "observed").Labels.signal }}'
    return found


def duration(seconds: int) -> str:
    """As Grafana writes it back, so that a comparison finds it unchanged.

    >>> duration(0), duration(30), duration(600)
    ('0s', '30s', '10m')
    """
    return f"{seconds // 60}m" if seconds and seconds % 60 == 0 else f"{seconds}s"


def _query(ref: str, expr: str, source: str) -> dict[str, Any]:
    return {
        "refId": ref,
        "queryType": "",
        "relativeTimeRange": {"from": 600, "to": 0},
        "datasourceUid": source,
        "model": {
            "refId": ref,
            "expr": expr,
            "instant": True,
            "range": False,
            "datasource": {"type": "prometheus", "uid": source},
        },
    }


def _expression(ref: str, kind: str, of: str, **more: Any) -> dict[str, Any]:
    return {
        "refId": ref,
        "queryType": "",
        "relativeTimeRange": {"from": 600, "to": 0},
        "datasourceUid": EXPRESSION,
        "model": {
            "refId": ref,
            "type": kind,
            "expression": of,
            "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
            **more,
        },
    }


def _reduce(ref: str, of: str) -> dict[str, Any]:
    return _expression(ref, "reduce", of, reducer="last")


def _threshold(ref: str, of: str, above: float) -> dict[str, Any]:
    conditions = [{"evaluator": {"type": "gt", "params": [above]}}]
    return _expression(ref, "threshold", of, conditions=conditions)
