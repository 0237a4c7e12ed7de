"""What a board is made of: queries, panels, rows and their colours, as values.

Colours are Okabe and Ito's set (2008), which the colour-blind tell apart, and each level also has
its word: colour alone never says anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grafana.alerts.rule import Text

OBSERVED, EXPECTED, UPPER = "#0072B2", "#999999", "#E69F00"
NORMAL, WATCH, ALERT, CRISIS = "#56B4E9", "#F0E442", "#E69F00", "#D55E00"
NEGATIVE, NEUTRAL, POSITIVE = "#D55E00", "#999999", "#009E73"

LEVEL_COLOURS = ((0, NORMAL), (1, WATCH), (2, ALERT), (3, CRISIS))

PanelType = Literal["stat", "timeseries", "state-timeline", "bargauge", "table", "text"]


@dataclass(frozen=True)
class Query:
    """One PromQL query of a panel. `instant`: the value now, not a curve."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True)
class Panel:
    """A panel before it has a place.

    Attributes
    ----------
    title
        Its name and the source of its id: rules link to it.
    about
        What it shows and what to do when it looks bad.
    width, height
        Of 24 columns; rows of some 30 pixels.
    steps
        Thresholds: (from, colour), the first from minus infinity.
    levels
        Values are levels 0..3 and shown as words.
    colours
        Colour by legend.
    """

    type: PanelType
    title: str
    about: Text
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    unit: str = "short"
    steps: tuple[tuple[float, str], ...] = ((0, OBSERVED),)
    levels: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    stack: bool = False
    no_value: str = ""
    least: float | None = 0


@dataclass(frozen=True)
class Row:
    """A titled row of panels, which flow from left to right."""

    title: Text
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """A dashboard before it is JSON."""

    key: str
    title: Text
    about: Text
    rows: tuple[Row, ...]
    variables: tuple[str, ...] = ()
    refresh: str = "10s"
    since: str = "now-6h"


BAND = {"Observed": OBSERVED, "Expected": EXPECTED, "Upper": UPPER}
"""Colours of a band's three curves."""


def band(signal: str, title: str, about: Text, *, unit: str = "short", **more: Any) -> Panel:
    """Observed against expected and upper, of one signal of the chosen brand."""
    chosen = f'{{signal="{signal}",brand=~"$brand"}}'
    queries = tuple(
        Query(f"max(last_over_time(siaga_{kind}{chosen}[2m]))", kind.capitalize())
        for kind in ("upper", "expected", "observed")
    )
    return Panel("timeseries", title, about, queries, unit=unit, colours=BAND, **more)
