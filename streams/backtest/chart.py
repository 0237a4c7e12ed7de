"""Inline SVG charts of a report: observed, expected, upper and what paged. No script, no host."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.backtest.result import Point

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960, 46, 12, 10, 24
LEVEL_CLASSES = ("l0", "l1", "l2", "l3")


class Span(NamedTuple):
    """A time to shade, by level."""

    start_s: float
    end_s: float
    level: int
    title: str = ""


class Flag(NamedTuple):
    """A moment to mark."""

    at_s: float
    kind: str
    """onset | page"""
    title: str


@dataclass(frozen=True)
class Chart:
    """What is drawn."""

    points: Sequence[Point]
    """In the order of time; a missing minute is a quiet one."""
    start_s: float
    end_s: float
    step_s: int
    zone: ZoneInfo
    height: int = 150
    spans: Sequence[Span] = ()
    flags: Sequence[Flag] = ()


def svg(chart: Chart, *, label: str) -> str:
    """The chart as an SVG element; `label` is read by screen readers."""
    top = max(
        [0.1, *(p.observed for p in chart.points), *(p.expected or 0.0 for p in chart.points)]
    )
    bound = max((p.upper or 0.0 for p in chart.points), default=0.0)
    top = _round_up(max(top, min(bound, 1.6 * top)) * 1.02)
    axes = _Axes(chart, top)
    parts = [_spans(chart, axes), _grid(axes), _band(chart, axes)]
    parts += [
        _line(chart, axes, "expected"),
        _line(chart, axes, "observed"),
        _flags(chart, axes),
        _times(chart, axes),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {chart.height}" role="img" aria-label="{_text(label)}">'
        + "".join(parts)
        + "</svg>"
    )


class _Axes:
    def __init__(self, chart: Chart, top: float) -> None:
        self.top = top
        self.start_s = chart.start_s
        self.per_s = (WIDTH - LEFT - RIGHT) / max(chart.end_s - chart.start_s, 1.0)
        self.floor = chart.height - BOTTOM
        self.per_unit = (self.floor - TOP) / top

    def x(self, at_s: float) -> float:
        at = LEFT + (at_s - self.start_s) * self.per_s
        return round(min(max(at, LEFT), WIDTH - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(self.floor - min(max(value, 0.0), self.top) * self.per_unit, 1)


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten.

    >>> [_round_up(v) for v in (0.7, 3.2, 12, 51)]
    [1.0, 5.0, 20.0, 100.0]
    """
    power = 0.01
    while True:
        for step in (1, 2, 5):
            if value <= step * power:
                return float(step * power)
        power *= 10


def _filled(chart: Chart) -> list[Point]:
    """The points with quiet ones put back, as far as a gap is shown."""
    filled: list[Point] = []
    for point in chart.points:
        if filled:
            last = filled[-1]
            if point.start_s - last.start_s > chart.step_s:
                quiet = Point(last.start_s + chart.step_s, 0.0, last.expected, last.upper)
                filled.append(quiet)
                before = point.start_s - chart.step_s
                if before > quiet.start_s:
                    filled.append(Point(before, 0.0, point.expected, point.upper))
        filled.append(point)
    return filled


def _line(chart: Chart, axes: _Axes, kind: str) -> str:
    path: list[str] = []
    for point in _filled(chart):
        value = point.observed if kind == "observed" else point.expected
        if value is not None:
            path.append(f"{axes.x(point.start_s + chart.step_s / 2)},{axes.y(value)}")
    return f'<polyline class="{kind}" points="{" ".join(path)}"/>' if path else ""


def _band(chart: Chart, axes: _Axes) -> str:
    known = [p for p in _filled(chart) if p.upper is not None and p.expected is not None]
    if not known:
        return ""
    half = chart.step_s / 2
    above = [f"{axes.x(p.start_s + half)},{axes.y(p.upper or 0.0)}" for p in known]
    below = [f"{axes.x(p.start_s + half)},{axes.y(p.expected or 0.0)}" for p in reversed(known)]
    return f'<polygon class="band" points="{" ".join(above + below)}"/>'


def _spans(chart: Chart, axes: _Axes) -> str:
    return "".join(
        f'<rect class="span {LEVEL_CLASSES[s.level]}" x="{axes.x(s.start_s)}" y="{TOP}"'
        f' width="{max(axes.x(s.end_s) - axes.x(s.start_s), 2.0):.1f}"'
        f' height="{axes.floor - TOP}"><title>{_text(s.title)}</title></rect>'
        for s in chart.spans
    )


def _flags(chart: Chart, axes: _Axes) -> str:
    return "".join(
        f'<line class="flag {f.kind}" x1="{axes.x(f.at_s)}" x2="{axes.x(f.at_s)}" y1="{TOP}"'
        f' y2="{axes.floor}"><title>{_text(f.title)}</title></line>'
        for f in chart.flags
    )


def _grid(axes: _Axes) -> str:
    parts = []
    for share in (0.0, 0.5, 1.0):
        value = axes.top * share
        y = axes.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{y + 4}">{value:g}</text>')
    return "".join(parts)


_STEPS_S = (900, 1800, 3600, 2 * 3600, 6 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 28 * 86_400,
            91 * 86_400, 364 * 86_400)  # fmt: skip


def _times(chart: Chart, axes: _Axes) -> str:
    span_s = chart.end_s - chart.start_s
    step_s = next((s for s in _STEPS_S if span_s / s <= 9), _STEPS_S[-1])
    offset = datetime.fromtimestamp(chart.start_s, chart.zone).utcoffset()
    shift_s = offset.total_seconds() if offset else 0.0
    at_s = (chart.start_s + shift_s) // step_s * step_s - shift_s
    form = "%H:%M" if step_s < 86_400 else "%d.%m."
    parts = []
    while at_s <= chart.end_s:
        if at_s >= chart.start_s:
            when = datetime.fromtimestamp(at_s, chart.zone)
            told = when.strftime("%d.%m." if form == "%H:%M" and when.hour == 0 else form)
            parts.append(f'<text class="x" x="{axes.x(at_s)}" y="{chart.height - 6}">{told}</text>')
        at_s += step_s
    return "".join(parts)


def _text(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
