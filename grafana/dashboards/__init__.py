"""Dashboards: the wall, one brand, one incident, the pipeline."""

from typing import Any

from grafana.alerts.rule import Language
from grafana.dashboards.as_grafana import build
from grafana.dashboards.brand import BRAND
from grafana.dashboards.incident import INCIDENT
from grafana.dashboards.parts import Board
from grafana.dashboards.pipeline import PIPELINE
from grafana.dashboards.wall import WALL

BOARDS: tuple[Board, ...] = (WALL, BRAND, INCIDENT, PIPELINE)


def dashboards(name: str, language: Language) -> list[dict[str, Any]]:
    """The JSON models of all dashboards."""
    return [build(board, name, language) for board in BOARDS]
