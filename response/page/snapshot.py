"""The view as the browser gets it: small plain values, public text made safe (pure)."""

from collections.abc import Mapping, Sequence

from detectors.anomaly.reading import Reading
from response.page.pieces import Json, as_acted, incident_json, mention_json
from response.page.view import MINUTE_S, BrandView, Point, RunView, View, is_open
from response.text import limit
from streams.records import Incident

CHART_POINTS = 360
"""A longer window is drawn with its most surprising minute in each bucket: peaks never vanish."""
SPARK_MINUTES = 120
BRANDS_SHOWN = 60
OPEN_SHOWN = 20
RECENT_SHOWN = 12
SOURCES_SHOWN = 40


def page(
    view: View,
    run: RunView | None,
    *,
    brand: str | None,
    minutes: int,
    titles: Mapping[str, str],
    language: str,
    now: float,
    stale_after_s: float,
) -> Json:
    """Everything the live page shows.

    Parameters
    ----------
    brand
        Whose charts and mentions; None or unknown: the most severe.
    minutes
        Length of the charts, in minutes of event time.
    titles
        Brand titles by name, from the configuration.
    language
        "id" or "en": of the evidence sentences.
    now
        Wall time in epoch seconds.
    stale_after_s
        Silence of the stream after which the page is stale.
    """
    if run is None:
        return {"run": None, "runs": [], "brands": [], "stale_s": None}
    rows = _rows(run, titles)
    chosen = brand if brand in run.brands else (rows[0]["name"] if rows else None)
    out: Json = {
        "run": run.run,
        "runs": [r.run for r in view.runs.values()],
        "version": run.version,
        "clock": run.clock,
        "ended": run.ended(),
        "stale_s": _stale(run, now, stale_after_s),
        "brands": [_with_spark(r, run) for r in rows[:BRANDS_SHOWN]],
        "brands_total": len(rows),
        "incidents": [
            incident_json(i, run, titles, language) for i in run.open_incidents()[:OPEN_SHOWN]
        ],
        "recent": [
            incident_json(i, run, titles, language, brief=True)
            for i in list(reversed(run.incidents.values()))
            if not is_open(as_acted(i, run))
        ][:RECENT_SHOWN],
        "sources": _sources(run, now),
    }
    if chosen is not None:
        out["brand"] = _detail(run, run.brands[chosen], titles, minutes)
        out["mentions"] = [mention_json(chosen, s) for s in reversed(run.brands[chosen].mentions)]
    return out


def _rows(run: RunView, titles: Mapping[str, str]) -> list[Json]:
    open_by_brand: dict[str, Incident] = {}
    for incident in run.open_incidents():
        acted = as_acted(incident, run)
        if is_open(acted):
            open_by_brand.setdefault(acted.brand, acted)
    rows = [_row(run, b, open_by_brand.get(b.name), titles) for b in run.brands.values()]
    # Unacknowledged before acknowledged; quiet brands keep their places, or a wall would flicker.
    rows.sort(key=lambda r: (-r["level"], r["acknowledged"], -_rank(r), r["name"]))
    return rows


def _rank(row: Json) -> float:
    """How many standard steps a troubled brand is above its usual (as counts of chance vary)."""
    expected = row["expected"]
    if not row["level"] or expected is None:
        return 0.0
    return float((row["mentions"] - expected) / (expected + 1) ** 0.5)


def _row(
    run: RunView, brand: BrandView, incident: Incident | None, titles: Mapping[str, str]
) -> Json:
    hour = brand.window(60, run.closed)
    mentions = sum(p.mentions for p in hour)
    negative = sum(p.negative for p in hour)
    usual = [p.volume.expected for p in hour if p.volume and p.volume.expected is not None]
    expected = sum(usual) if usual else None
    share = brand.points[-1].share if brand.points else None
    waiting, oldest = brand.complaints.unanswered(run.clock)
    return {
        "name": brand.name,
        "title": titles.get(brand.name) or brand.name,
        # Severity is the incident's: of what is closed, or dismissed by a person, nothing stays.
        "level": incident.level if incident else 0,
        "incident": incident.id if incident else None,
        "signal": incident.signal if incident else None,
        "onset": incident.onset.timestamp() if incident else None,
        "acknowledged": bool(incident and incident.acknowledged_by),
        "mentions": mentions,
        "expected": expected,
        "share": negative / mentions if mentions else None,
        "share_expected": share.expected if share else None,
        "share_upper": limit(share.expected, share.upper) if share else None,
        "warming": bool(brand.readings) and all(r.warming for r in brand.readings),
        "blind": list(brand.blind),
        "waiting": waiting,
        "oldest": oldest,
    }


def _with_spark(row: Json, run: RunView) -> Json:
    recent = run.brands[row["name"]].window(SPARK_MINUTES, run.closed)
    return row | {"spark": [p.mentions for p in recent]}


def _detail(run: RunView, brand: BrandView, titles: Mapping[str, str], minutes: int) -> Json:
    points = brand.window(minutes, run.closed)
    drawn = _thinned(points, CHART_POINTS)
    return {
        "name": brand.name,
        "title": titles.get(brand.name) or brand.name,
        "minutes": minutes,
        "step": MINUTE_S * max(1, -(-len(points) // CHART_POINTS)),
        "t": [p.start for p in drawn],
        "volume": _band([p.volume for p in drawn], [float(p.mentions) for p in drawn]),
        "share": _band(
            [p.share for p in drawn],
            [p.negative / p.mentions if p.mentions else None for p in drawn],
        ),
        "level": [p.level for p in drawn],
        "readings": [
            {
                "signal": r.signal,
                "observed": r.observed,
                "expected": r.expected,
                "upper": limit(r.expected, r.upper),
                "score": r.score,
                "warming": r.warming,
            }
            for r in brand.readings
        ],
        "last": brand.points[-1].start + MINUTE_S if brand.points else run.clock,
    }


def _band(readings: Sequence[Reading | None], counted: Sequence[float | None]) -> Json:
    return {
        "observed": [
            _round(r.observed) if r else c for r, c in zip(readings, counted, strict=True)
        ],
        "expected": [_round(r.expected) if r else None for r in readings],
        "upper": [_round(limit(r.expected, r.upper)) if r else None for r in readings],
    }


def _thinned(points: Sequence[Point], most: int) -> Sequence[Point]:
    size = -(-len(points) // most)
    if size <= 1:
        return points
    # Buckets start at fixed times, or the drawn line would flicker as the window moves.
    buckets: dict[int, Point] = {}
    for point in points:
        slot = int(point.start // (size * MINUTE_S))
        best = buckets.get(slot)
        if best is None or (point.score, point.mentions) > (best.score, best.mentions):
            buckets[slot] = point
    return list(buckets.values())


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _sources(run: RunView, now: float) -> list[Json]:
    # A replay's lag is between its own clock and watermark; live ones are told by the wall clock.
    return [
        {
            "name": s.name,
            "healthy": s.healthy,
            "ended": s.ended,
            "lag_s": max(0.0, s.clock - s.watermark),
            "heard_s": max(0.0, now - s.arrived),
        }
        for s in sorted(run.sources.values(), key=lambda s: (s.healthy, s.name))[:SOURCES_SHOWN]
    ]


def _stale(run: RunView, now: float, stale_after_s: float) -> float | None:
    silent = now - run.arrived
    return silent if silent > stale_after_s and not run.ended() else None
