"""A result as JSON and as a few lines at the terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from streams.backtest.compare import Pair
from streams.backtest.history import Tally
from streams.backtest.labels import Judged, paged_at_s
from streams.backtest.result import Case, Result
from streams.levels import LEVEL_WORDS
from streams.records import Event


def iso(epoch_s: float) -> str:
    """ISO 8601 in UTC.

    >>> iso(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(epoch_s, UTC).isoformat().replace("+00:00", "Z")


def incidents(result: Result) -> list[dict[str, Any]]:
    """One entry for each level that an incident reached, in the order of time."""
    entries = [entry for brand in result.brands for case in brand.cases for entry in _levels(case)]
    return sorted(entries, key=lambda e: (e["opened_at"], e["brand"], e["level"]))


def outbreaks(result: Result) -> list[dict[str, Any]]:
    """One entry for each time that many brands were hit at once."""
    return [
        {
            "incident": parent.id,
            "peak": parent.peak,
            "onset": iso(parent.onset.timestamp()),
            "opened_at": iso(parent.opened_at.timestamp()),
            "closed_at": iso(parent.closed_at.timestamp()) if parent.closed_at else None,
            "brands": sorted({child.split("/")[1] for child in parent.children}),
            "usual_brands": round(parent.expected, 2),
            "topics": parent.topics,
            "children": list(parent.children),
            "sentence": parent.sentences.get("en", ""),
        }
        for parent in result.outbreaks
    ]


def _levels(case: Case) -> list[dict[str, Any]]:
    last = case.last
    told = case.paged or last
    return [
        {
            "brand": last.brand,
            "level": level,
            "severity": LEVEL_WORDS["en"][level],
            "signal": reached.signal,
            "onset": iso(reached.onset_s),
            "opened_at": iso(reached.at_s),
            "closed_at": iso(last.closed_at.timestamp()) if last.closed_at else None,
            "observed": round(reached.observed, 3),
            "expected": round(reached.expected, 3),
            "score": round(reached.score, 2),
            "incident": last.id,
            "peak": last.peak,
            "flags": list(last.flags),
            "sentence": told.sentences.get("en", ""),
        }
        for level, reached in sorted(case.reached.items())
    ]


def document(
    results: Sequence[Result],
    tally: Tally,
    *,
    judged: Sequence[Judged] = (),
    pairs: Sequence[Pair] = (),
    events: Sequence[Event] = (),
    seconds: float = 0.0,
) -> dict[str, Any]:
    """The whole of `--json`."""
    first = results[0]
    delays = delays_s(first)
    made: dict[str, Any] = {
        "mentions": tally.mentions,
        "rows": tally.rows,
        "dead": tally.dead,
        "dead_reasons": dict(sorted(tally.reasons.items())),
        "unmatched": tally.unmatched,
        "brands": [b.brand for b in first.brands],
        "brand_weeks": round(first.brand_weeks, 3),
        "pages": first.pages,
        "pages_per_brand_week": round(first.pages_per_week, 4),
        "median_seconds_from_onset": round(median(delays)) if delays else None,
        "seconds": round(seconds, 2),
        "incidents": incidents(first),
        "outbreaks": outbreaks(first),
    }
    if events:
        made["events"] = [
            {
                "id": event.id,
                "brand": event.brand,
                "start": iso(event.start.timestamp()),
                "end": iso(event.end.timestamp()),
                "kind": event.kind,
                "note": event.note,
            }
            for event in events
        ]
    if judged:
        made["labels"] = _judged(judged[0])
    if len(results) > 1:
        second = results[1]
        made["against"] = {
            "config": second.name,
            "pages": second.pages,
            "pages_per_brand_week": round(second.pages_per_week, 4),
            "incidents": incidents(second),
            "outbreaks": outbreaks(second),
            "difference": [_pair(pair) for pair in pairs],
        }
        if len(judged) > 1:
            made["against"]["labels"] = _judged(judged[1])
    return made


def delays_s(result: Result) -> list[float]:
    """Seconds from the onset (as the detectors date it) to the page, of each paged incident."""
    return [paged_at_s(case) - case.onset_s for brand in result.brands for case in brand.paged]


def _judged(judged: Judged) -> dict[str, Any]:
    return {
        "found": judged.found,
        "missed": judged.missed,
        "false_pages": judged.false_pages,
        "false_pages_per_brand_week": round(judged.per_brand_week, 4),
        "median_seconds_from_label": round(median(judged.delays_s)) if judged.delays_s else None,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "brand": pair.brand,
        "first": iso(paged_at_s(pair.first)) if pair.first else None,
        "second": iso(paged_at_s(pair.second)) if pair.second else None,
        "second_sooner_seconds": round(pair.sooner_s) if pair.sooner_s is not None else None,
    }
