"""The same content as files: Grafana's file provisioning, and Prometheus' rules."""

import json
from pathlib import Path
from typing import Any

from grafana.alerts import rules
from grafana.alerts.as_grafana import INTERVALS_S, Context, as_grafana, group_title
from grafana.alerts.as_prometheus import rule_file
from grafana.alerts.routing import contact_points, mute_timings, policy, template, variables
from grafana.alerts.rule import Language
from grafana.dashboards import dashboards
from grafana.resources import data_source
from grafana.settings import GrafanaSettings
from grafana.yaml import dump


def export(
    settings: GrafanaSettings, folder: Path, language: Language, time_zone: str
) -> list[Path]:
    """Write the files and return their paths.

    Secrets stay out: where `apply` would read a variable, the files hold `$NAME`, which Grafana
    replaces when it reads them.
    """
    name = settings.name
    files = {
        "grafana/datasources/siaga.yaml": dump(
            {"apiVersion": 1, "datasources": [data_source(settings)]}
        ),
        "grafana/dashboards/siaga.yaml": dump(_provider(settings)),
        "grafana/alerting/siaga.yaml": dump(_alerting(settings, language, time_zone)),
        "prometheus/siaga.rules.yml": dump(
            rule_file(rules(settings.thresholds), settings, language)
        ),
    }
    for board in dashboards(name, language):
        text = json.dumps(board, indent=2, ensure_ascii=False) + "\n"
        files[f"grafana/dashboards/siaga/{board['uid']}.json"] = text
    written = []
    for relative, text in files.items():
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _provider(settings: GrafanaSettings) -> dict[str, Any]:
    # Grafana replaces the variable, which its container image sets (elsewhere: set it)
    options = {"path": "$GF_PATHS_PROVISIONING/dashboards/siaga"}
    provider = {
        "name": settings.name,
        "folder": settings.title,
        "folderUid": settings.name,
        "type": "file",
        "options": options,
    }
    return {"apiVersion": 1, "providers": [provider]}


def _alerting(settings: GrafanaSettings, language: Language, time_zone: str) -> dict[str, Any]:
    named = {
        variable: f"${variable}"
        for contact in settings.contacts.values()
        for variable in variables(contact)
    }
    found: dict[str, Any] = {"apiVersion": 1, "groups": _groups(settings, language)}
    found["templates"] = [{"orgId": 1, **template(settings, language)}]
    found["contactPoints"] = [
        {
            "orgId": 1,
            "name": point["name"],
            "receivers": [{key: point[key] for key in ("uid", "type", "settings")}],
        }
        for point in contact_points(settings, named)
    ]
    if mutes := mute_timings(settings, time_zone):
        found["muteTimes"] = [{"orgId": 1, **mute} for mute in mutes]
    if (branch := policy(settings)) is not None:
        # A file holds the whole tree: ours is all of it
        root = {"orgId": 1, "receiver": branch["receiver"], "routes": [branch]}
        found["policies"] = [root]
    return found


def _groups(settings: GrafanaSettings, language: Language) -> list[dict[str, Any]]:
    context = Context(settings, language)
    all_rules = rules(settings.thresholds)
    groups = []
    for title in dict.fromkeys(group_title(rule) for rule in all_rules):
        bodies = [as_grafana(rule, context) for rule in all_rules if group_title(rule) == title]
        groups.append(
            {
                "orgId": 1,
                "name": title,
                "folder": settings.title,
                "interval": f"{INTERVALS_S[title]}s",
                "rules": [_in_file(body) for body in bodies],
            }
        )
    return groups


def _in_file(rule: dict[str, Any]) -> dict[str, Any]:
    # Annotations are the one place where Grafana does not replace `$NAME`
    kept = ("uid", "title", "condition", "data", "for", "noDataState", "execErrState", "isPaused")
    return {key: rule[key] for key in (*kept, "labels", "annotations")}
