"""Crises that people know of: what a backtest's pages are judged by."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from detectors.incidents.severity import ALERT
from streams.backtest.result import BrandResult, Case, Result

EVERY_BRAND = "*"
BEFORE_S = 1800
"""A page may come this long before the labelled start: people date a crisis when they saw it."""


class BadLabels(ValueError):
    """A label file that cannot be read; the message says which line and why."""


class Label(NamedTuple):
    """A real crisis of a brand."""

    brand: str
    start_s: float
    end_s: float

    def covers(self, brand: str, case: Case) -> bool:
        """Whether a case's page is about this crisis."""
        if self.brand not in (brand, EVERY_BRAND) or case.paged is None:
            return False
        paged_s = paged_at_s(case)
        return self.start_s - BEFORE_S <= paged_s <= self.end_s


class Judged(NamedTuple):
    """Pages against labels."""

    found: int
    missed: int
    false_pages: int
    per_brand_week: float
    delays_s: tuple[float, ...]
    """From the labelled start to the page, in order of size; negative: before the label."""


def paged_at_s(case: Case) -> float:
    """When a case first reached ALERT, epoch seconds."""
    told = case.reached.get(ALERT)
    return told.at_s if told else case.last.opened_at.timestamp()


def read_labels(path: Path) -> list[Label]:
    """Read CSV with a header that names brand, start and end (ISO 8601).

    Raises
    ------
    BadLabels
        With the line and what was wrong there.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        missing = {"brand", "start", "end"} - set(rows.fieldnames or ())
        if missing:
            raise BadLabels(f"{path}: no column {min(missing)}; it needs brand,start,end")
        return [_label(path, rows.line_num, row) for row in rows]


def _label(path: Path, line: int, row: dict[str, str]) -> Label:
    try:
        start, end = (_time(row[name]) for name in ("start", "end"))
    except (ValueError, AttributeError) as e:
        raise BadLabels(f"{path}:{line}: {e}; expected times as 2026-03-02T08:00:00Z") from e
    if end <= start:
        raise BadLabels(f"{path}:{line}: the end is not after the start")
    return Label(row["brand"].strip(), start, end)


def _time(text: str) -> float:
    when = datetime.fromisoformat(text.strip())
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def judge(result: Result, labels: Iterable[Label]) -> Judged:
    """Count crises found and missed, and the pages that were about none."""
    labels = list(labels)
    delays: list[float] = []
    missed = 0
    for label in labels:
        pages = [
            paged_at_s(case) for brand, case in _paged(result.brands) if label.covers(brand, case)
        ]
        if pages:
            delays.append(min(pages) - label.start_s)
        else:
            missed += 1
    false = sum(
        case.pages
        for brand, case in _paged(result.brands)
        if not any(label.covers(brand, case) for label in labels)
    )
    rate = false / result.brand_weeks if result.brands else 0.0
    return Judged(len(delays), missed, false, rate, tuple(sorted(delays)))


def _paged(brands: Sequence[BrandResult]) -> list[tuple[str, Case]]:
    return [(b.brand, case) for b in brands for case in b.paged]
