"""`siaga backtest counts`: score a bare series of counts, row by row, strictly causally."""

import csv
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from detectors.anomaly.config import BankConfig
from detectors.anomaly.features import Features
from detectors.anomaly.onset import OnsetGate
from detectors.anomaly.volume import Volume

RECOMMENDED_THRESHOLD = 2.95
"""Frozen on five labelled series of tweet counts, see docs/detection.md: once in 900 rows."""

HEADER = ("timestamp", "value", "anomaly_score")
NEVER_DAYS = 1e9
"""A rhythm that is believed after so many days is none: bare counts are judged by their size."""
BASE_DAYS = 10.0
BASE_STEPS = 100.0
WARM_UP_S = 86_400
WARM_UP_STEPS = 50
FLOOR_PER_STEP = 0.05
EVENT_STEPS = 30.0
EVENT_CAP = 20.0
"""Bare counts hold no mood to tell a crisis from a lively day: a lively day teaches the tail."""
SHORT_WINDOW_S = 300


class BadRow(ValueError):
    """A row that cannot be read; the message says which line and why."""


class Row(msgspec.Struct, frozen=True):
    """One line of the input: its text as it was, and what it means."""

    timestamp: str
    text: str
    start_s: int
    value: float | None
    """None: the cell is empty or "nan"; time passes and nothing is learned."""


class ScoredRow(msgspec.Struct, frozen=True):
    """One line of the output."""

    timestamp: str
    text: str
    score: float
    start_s: int


def config_for(step_s: int) -> BankConfig:
    """Settings for bare counts in bins of `step_s` seconds.

    No daily rhythm and nothing carried over: measured on labelled tweet counts, people call a
    series' own size an event, whatever the hour (docs/detection.md holds the comparison).
    """
    days = step_s / 86_400.0
    return BankConfig(
        step_s=step_s,
        scales_s=(step_s, SHORT_WINDOW_S) if step_s < SHORT_WINDOW_S else (step_s,),
        base_days=max(BASE_DAYS, BASE_STEPS * days),
        rhythm_prior_days=NEVER_DAYS,
        carry_s=0,
        floor_per_minute=FLOOR_PER_STEP * 60.0 / step_s,
        event_steps=EVENT_STEPS,
        event_cap=EVENT_CAP,
        warm_up_s=max(WARM_UP_S, WARM_UP_STEPS * step_s),
    )


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Parse CSV with a header that names `timestamp` and `value`.

    Raises
    ------
    BadRow
        If a column is missing, or a cell is neither a time nor a number.
    """
    reader = csv.reader(lines)
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in HEADER[:2] if name not in header]
    if missing:
        msg = f"line 1: no column {' or '.join(missing)}; the header must hold timestamp,value"
        raise BadRow(msg)
    when, what = header.index("timestamp"), header.index("value")
    for cells in reader:
        if not cells:
            continue
        try:
            stamp, text = cells[when], cells[what]
            yield Row(stamp, text, _seconds(stamp), _count(text))
        except (ValueError, IndexError, OverflowError) as e:
            msg = f"line {reader.line_num}: {e}; expected an ISO 8601 time and a number"
            raise BadRow(msg) from e


def _seconds(stamp: str) -> int:
    when = datetime.fromisoformat(stamp.strip())
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return int(when.timestamp())


def _count(text: str) -> float | None:
    text = text.strip()
    if not text or text.lower() == "nan":
        return None
    value = float(text)
    if not math.isfinite(value) or value < 0.0:
        msg = f"value {text!r} is no count"
        raise ValueError(msg)
    return value


def score_rows(
    rows: Iterable[Row], *, step_s: int | None = None, gate: bool = True
) -> Iterator[ScoredRow]:
    """Score each row from the rows before it alone.

    Parameters
    ----------
    rows
        In order of time; a row that is not after the one before counts as the next bin.
    step_s
        Bin width in seconds; None: the distance of the first two rows.
    gate
        Only onsets keep their score (`OnsetGate`), so that one event is one alert; False gives the
        calibrated -log10 p of every row.
    """
    source = iter(rows)
    first = next(source, None)
    if first is None:
        return
    held = [first]
    if step_s is None:
        second = next(source, None)
        if second is not None:
            held.append(second)
            step_s = second.start_s - first.start_s
        step_s = step_s if step_s and step_s > 0 else 300
    detector = Volume(config_for(step_s))
    onset = OnsetGate()
    yield from (_score(detector, onset if gate else None, row) for row in held)
    yield from (_score(detector, onset if gate else None, row) for row in source)


def _score(detector: Volume, onset: OnsetGate | None, row: Row) -> ScoredRow:
    start_s = max(row.start_s, detector.clock)
    if row.value is None:
        detector.learn(Features(), start_s=start_s, held=True)
        return ScoredRow(row.timestamp, row.text, 0.0, start_s)
    score = detector.take(Features(mentions=row.value), start_s=start_s)
    if onset is not None:
        score = onset.one(score, start_s=start_s)
    return ScoredRow(row.timestamp, row.text, score, start_s)
