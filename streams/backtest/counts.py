"""`siaga backtest counts`: score a bare series of counts, row by row, strictly causally."""

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, islice, pairwise
from pathlib import Path
from statistics import median_low

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
STEP_ROWS = 11
"""Rows that tell the bin width: one repeat or hole among them misleads nobody. All of them score 0
(warm-up), so no score looks ahead."""
USUAL_STEP_S = 300
EPOCH = re.compile(r"(\d{9,11})(\.\d+)?|(\d{13,14})")
"""Seconds, or milliseconds, since 1970."""
GZIP = b"\x1f\x8b"


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


@contextmanager
def opened(path: Path) -> Iterator[Iterable[str]]:
    """Lines of a file, plain or gzip.

    Raises
    ------
    BadRow
        If what is read turns out to be no UTF-8, no CSV or a damaged archive.
    """
    with path.open("rb") as raw:
        packed = raw.peek(len(GZIP)).startswith(GZIP)
        data = gzip.GzipFile(fileobj=raw) if packed else raw
        try:
            yield io.TextIOWrapper(data, encoding="utf-8-sig", newline="")
        except UnicodeDecodeError as e:
            msg = f"byte {e.object[e.start]:#04x} is no UTF-8: save the file as UTF-8 CSV"
            raise BadRow(msg) from e
        except (csv.Error, gzip.BadGzipFile, EOFError, zlib.error) as e:
            msg = f"cannot be read as CSV: {e}"
            raise BadRow(msg) from e


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
            told = "a cell is missing" if isinstance(e, IndexError) else str(e)
            msg = (
                f"line {reader.line_num}: {told}; expected a time (ISO 8601 or epoch seconds)"
                " and a number"
            )
            raise BadRow(msg) from e


def _seconds(stamp: str) -> int:
    stamp = stamp.strip()
    if epoch := EPOCH.fullmatch(stamp):
        return int(epoch[1]) if epoch[1] else int(epoch[3]) // 1000
    when = datetime.fromisoformat(stamp)
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
        Bin width in seconds; None: the usual distance of the first rows.
    gate
        Only onsets keep their score (`OnsetGate`), so that one event is one alert; False gives the
        calibrated -log10 p of every row.
    """
    source = iter(rows)
    first = list(islice(source, 1 if step_s else STEP_ROWS))
    detector = Volume(config_for(step_s or _step_s(first)))
    onset = OnsetGate() if gate else None
    for row in chain(first, source):
        yield _score(detector, onset, row)


def _step_s(rows: list[Row]) -> int:
    """The usual distance of neighbours; where there is none, five minutes."""
    steps = [after.start_s - before.start_s for before, after in pairwise(rows)]
    steps = [step for step in steps if step > 0]
    return median_low(steps) if steps else USUAL_STEP_S


def _score(detector: Volume, onset: OnsetGate | None, row: Row) -> ScoredRow:
    start_s = max(row.start_s, detector.clock)
    if row.value is None:
        detector.learn(Features(), start_s=start_s, held=True)
        return ScoredRow(row.timestamp, row.text, 0.0, start_s)
    score = detector.take(Features(mentions=row.value), start_s=start_s)
    if onset is not None:
        score = onset.one(score, start_s=start_s)
    return ScoredRow(row.timestamp, row.text, score, start_s)
