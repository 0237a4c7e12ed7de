"""Rules in Prometheus' form, for people whose alerts live in Prometheus and Alertmanager."""

from typing import Any

from grafana.alerts.as_grafana import duration, labels
from grafana.alerts.rule import Language, Rule
from grafana.alerts.wording import for_prometheus, recorded_as
from grafana.settings import GrafanaSettings

ABSENT = "absent(last_over_time(siaga_last_tick_timestamp_seconds[10m]))"
"""Prometheus has no no-data state: a rule that wants one says so in its query."""


def rule_file(
    rules: tuple[Rule, ...], settings: GrafanaSettings, language: Language
) -> dict[str, Any]:
    """A rule file: the numbers that texts tell are recorded first, then come the alerts."""
    records = {recorded_as(rule, number): number.expr for rule in rules for number in rule.numbers}
    groups: list[dict[str, Any]] = [
        {
            "name": f"{settings.name}-numbers",
            "rules": [{"record": name, "expr": expr} for name, expr in records.items()],
        }
    ]
    for group in dict.fromkeys(rule.group for rule in rules):
        alerts = [_alert(rule, settings, language) for rule in rules if rule.group == group]
        groups.append({"name": f"{settings.name}-{group}", "rules": alerts})
    return {"groups": groups}


def _alert(rule: Rule, settings: GrafanaSettings, language: Language) -> dict[str, Any]:
    expr = f"({rule.expr}) > {rule.above:g}"
    if rule.no_data == "Alerting":
        expr = f"({expr}) or {ABSENT}"
    annotations = {
        "summary": for_prometheus(rule, rule.summary, language),
        "description": for_prometheus(rule, rule.description, language),
        "runbook": f"siaga grafana runbook {rule.name}",
    }
    if settings.runbook_url:
        annotations["runbook_url"] = f"{settings.runbook_url}/{rule.name}.{language}.md"
    return {
        "alert": rule.name,
        "expr": expr,
        "for": duration(rule.for_s),
        "labels": labels(rule, settings.name),
        "annotations": annotations,
    }
