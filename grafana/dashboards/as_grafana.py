"""A board as the JSON model that Grafana takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from grafana.alerts.rule import Language, Text
from grafana.dashboards.parts import CRISIS, LEVEL_COLOURS, Board, Panel, Query, Row
from grafana.dashboards.uids import dashboard_uid, panel_id
from streams.levels import LEVEL_WORDS

GRID = 24
"""Columns of Grafana's layout."""

VARIABLES = {
    "brand": "label_values(siaga_severity_level, brand)",
    "channel": "label_values(siaga_mentions_total, channel)",
    "topic": "label_values(siaga_topic_level, topic)",
}

LINKS = ("wall", "brand", "incident", "pipeline")


def build(board: Board, name: str, language: Language) -> dict[str, Any]:
    """The dashboard's JSON model, with uids under the name of our installation."""
    source = {"type": "prometheus", "uid": f"{name}-prometheus"}
    return {
        "uid": dashboard_uid(name, board.key),
        "title": told(board.title, language),
        "description": told(board.about, language),
        "tags": [name],
        "timezone": "",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 38,
        "refresh": board.refresh,
        "time": {"from": board.since, "to": "now"},
        "templating": {"list": [_variable(each, source, language) for each in board.variables]},
        "annotations": {"list": [_incidents(name)]},
        "links": [_link(key, name, board) for key in LINKS if key != board.key],
        "panels": _placed(board.rows, source, language),
    }


def told(text: Text, language: Language) -> str:
    """The text in one language."""
    return text.id if language == "id" else text.en


def _variable(label: str, source: Mapping[str, str], language: Language) -> dict[str, Any]:
    names = {
        "brand": ("Merek", "Brand"),
        "channel": ("Kanal", "Channel"),
        "topic": ("Topik", "Topic"),
    }
    return {
        "name": label,
        "label": names[label][0 if language == "id" else 1],
        "type": "query",
        "datasource": dict(source),
        "definition": VARIABLES[label],
        "query": {"query": VARIABLES[label], "refId": label},
        "refresh": 2,
        "sort": 1,
        # A brand's board is about one brand; the rest may be all
        "multi": label != "brand",
        "includeAll": label != "brand",
        "allValue": ".*" if label != "brand" else "",
        "current": {} if label == "brand" else {"text": "All", "value": "$__all"},
    }


def _incidents(name: str) -> dict[str, Any]:
    return {
        "name": "Incidents",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "iconColor": CRISIS,
        "target": {"type": "tags", "tags": [name, "incident"], "matchAny": False, "limit": 100},
    }


def _link(key: str, name: str, board: Board) -> dict[str, Any]:
    return {
        "type": "link",
        "title": key.capitalize(),
        "url": f"/d/{dashboard_uid(name, key)}",
        "keepTime": True,
        "includeVars": "brand" in board.variables,
        "icon": "dashboard",
    }


def _placed(
    rows: Sequence[Row], source: Mapping[str, str], language: Language
) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        title = told(row.title, language)
        panels.append(
            {
                "type": "row",
                "id": panel_id(f"row {row.title.en}"),
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": GRID, "h": 1},
                "panels": [],
            }
        )
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > GRID:
                x, y, height = 0, y + height, 0
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            panels.append({**_panel(panel, source, language), "gridPos": place})
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return panels


def _panel(panel: Panel, source: Mapping[str, str], language: Language) -> dict[str, Any]:
    steps = [{"value": None if i == 0 else at, "color": c} for i, (at, c) in enumerate(panel.steps)]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "palette-classic" if panel.type == "timeseries" else "thresholds"},
        "mappings": [],
    }
    if panel.least is not None:
        defaults["min"] = panel.least
    if panel.no_value:
        defaults["noValue"] = panel.no_value
    if panel.levels:
        defaults["mappings"] = [_level_words(language)]
        defaults["thresholds"]["steps"] = [
            {"value": None if at == 0 else at, "color": colour} for at, colour in LEVEL_COLOURS
        ]
        defaults["max"] = 3
    if panel.type == "timeseries":
        defaults["custom"] = {
            "lineWidth": 2,
            "fillOpacity": 60 if panel.stack else 0,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stack else "none", "group": "A"},
        }
    return {
        "id": panel_id(panel.title),
        "type": panel.type,
        "title": panel.title,
        "description": told(panel.about, language),
        "datasource": dict(source),
        "targets": [_target(i, query, source) for i, query in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": defaults,
            "overrides": [_coloured(legend, colour) for legend, colour in panel.colours.items()],
        },
        "options": {**_OPTIONS.get(panel.type, {}), **panel.options},
    }


def _target(number: int, query: Query, source: Mapping[str, str]) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": query.instant,
        "range": not query.instant,
        "datasource": dict(source),
    }


def _coloured(legend: str, colour: str) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [
        {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}
    ]
    if legend == "Expected":
        dashed = {"dash": [8, 6], "fill": "dash"}
        properties.append({"id": "custom.lineStyle", "value": dashed})
    if legend == "Upper":
        properties += [
            {"id": "custom.fillBelowTo", "value": "Expected"},
            {"id": "custom.fillOpacity", "value": 12},
            {"id": "custom.lineWidth", "value": 1},
        ]
    return {"matcher": {"id": "byName", "options": legend}, "properties": properties}


def _level_words(language: Language) -> dict[str, Any]:
    words = LEVEL_WORDS[language]
    shown = {
        str(at): {"text": word, "color": colour, "index": at}
        for (at, colour), word in zip(LEVEL_COLOURS, words, strict=True)
    }
    return {"type": "value", "options": shown}


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "stat": {
        "reduceOptions": _LAST,
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "center",
        "textMode": "auto",
        "orientation": "auto",
    },
    "bargauge": {"reduceOptions": _LAST, "orientation": "horizontal", "displayMode": "basic"},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "state-timeline": {
        "mergeValues": True,
        "showValue": "auto",
        "rowHeight": 0.8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
    },
    "table": {"showHeader": True},
}
