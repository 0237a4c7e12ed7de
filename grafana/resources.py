"""All that we want in Grafana, from the settings."""

from collections.abc import Mapping
from typing import Any

from grafana.alerts import rules
from grafana.alerts.as_grafana import INTERVALS_S, Context, as_grafana, group_title
from grafana.alerts.routing import contact_points, mute_timings, policy, template
from grafana.alerts.rule import Language
from grafana.dashboards import dashboards
from grafana.dashboards.uids import dashboard_uid
from grafana.plan import Resource
from grafana.settings import GrafanaSettings

PLAYLIST_INTERVAL = "1m"


def wanted(
    settings: GrafanaSettings, *, language: Language, time_zone: str, env: Mapping[str, str]
) -> list[Resource]:
    """Everything, in no particular order.

    Raises
    ------
    grafana.alerts.routing.MissingSecret
        If a contact's variable is not in `env`.
    """
    name = settings.name
    found = [
        Resource("data source", f"{name}-prometheus", data_source(settings)),
        Resource("folder", name, {"uid": name, "title": settings.title}),
        Resource("template", f"{name}-message", template(settings, language)),
    ]
    found += [
        Resource("dashboard", dashboard["uid"], {"dashboard": dashboard, "folderUid": name})
        for dashboard in dashboards(name, language)
    ]
    found.append(Resource("playlist", *playlist(name)))
    for mute in mute_timings(settings, time_zone):
        found.append(Resource("mute timing", mute["name"], mute))
    points = contact_points(settings, env)
    found += [Resource("contact point", point["uid"], point) for point in points]
    if (branch := policy(settings)) is not None:
        found.append(Resource("policy", name, branch))
    all_rules = rules(settings.thresholds)
    context = Context(settings, language)
    bodies = [as_grafana(rule, context) for rule in all_rules]
    found += [Resource("rule", body["uid"], body) for body in bodies]
    for title in sorted({group_title(rule) for rule in all_rules}):
        group = {"title": title, "folderUid": name, "interval": INTERVALS_S[title]}
        found.append(Resource("rule group", title, group))
    return found


def data_source(settings: GrafanaSettings) -> dict[str, object]:
    """The data source that all rules and panels read."""
    return {
        "uid": f"{settings.name}-prometheus",
        "name": f"{settings.title} Prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": str(settings.prometheus_url).rstrip("/"),
        "isDefault": False,
        # The scrape interval: the least that `$__rate_interval` and steps make sense for
        "jsonData": {"httpMethod": "POST", "timeInterval": "5s"},
    }


def playlist(name: str) -> tuple[str, dict[str, Any]]:
    """Key and body of the office TV's playlist (`/playlists/play/UID?kiosk`): the wall, and between
    its turns the pipeline, so that nobody takes a dead service for a calm day."""
    key = f"{name}: TV"
    boards = [(dashboard_uid(name, board), board) for board in ("wall", "wall", "wall", "pipeline")]
    items = [{"type": "dashboard_by_uid", "value": uid, "title": board} for uid, board in boards]
    return key, {"name": key, "interval": PLAYLIST_INTERVAL, "items": items}
