"""The HTML report: one file, no script, no other host."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from detectors.incidents.announced import EVERY_BRAND
from detectors.incidents.explanation import OTHER, Without
from detectors.language import taxonomy
from streams.backtest.chart import Chart, Flag, Span, svg
from streams.backtest.compare import Pair
from streams.backtest.history import Tally
from streams.backtest.labels import Judged, Label, paged_at_s
from streams.backtest.result import BrandResult, Case, Point, Result
from streams.backtest.told import delays_s
from streams.backtest.words import LEVELS, SIGNALS, TABLES, WORDS
from streams.records import Event, Incident

MOST_BINS = 400
"""Bins of an overview: about two pixels each."""
MOST_DETAILS = 60
"""Incidents told in full."""
MOST_SHARES = 5
MOST_SAMPLES = 4
ZOOM_S = (2 * 3600, 3 * 3600)
"""Shown before the onset and after the page."""


@dataclass(frozen=True)
class Story:
    """All that a report tells."""

    results: Sequence[Result]
    tally: Tally
    titles: dict[str, str]
    language: str = "id"
    time_zone: str = "Asia/Jakarta"
    labels: Sequence[Label] = ()
    judged: Sequence[Judged] = ()
    pairs: Sequence[Pair] = ()
    events: Sequence[Event] = ()


def render(story: Story) -> str:
    """The report as HTML."""
    from jinja2 import Environment, StrictUndefined

    template = files("streams.backtest").joinpath("report.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(template).render(_Teller(story).values())


class _Teller:
    """From a story to what the template shows."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.zone = ZoneInfo(story.time_zone)
        self.words = WORDS[story.language]
        self.levels = LEVELS[story.language]
        self.result = story.results[0]

    def values(self) -> dict[str, Any]:
        brands = sorted(self.result.brands, key=lambda b: (-len(b.paged), -b.mentions))
        cases = sorted((c for b in brands for c in b.paged), key=paged_at_s)
        return {
            "w": self.words,
            "language": self.story.language,
            "time_zone": self.story.time_zone,
            "tally": self.story.tally,
            "results": [self._summary(n) for n in range(len(self.story.results))],
            "period": self._period(brands),
            "brands": [self._brand(brand) for brand in brands],
            "cases": [self._case(case) for case in cases[:MOST_DETAILS]],
            "more": max(0, len(cases) - MOST_DETAILS),
            "pairs": [self._pair(pair) for pair in self.story.pairs],
            "outbreaks": [self._outbreak(parent) for parent in self.result.outbreaks],
            "events": [self._event(event) for event in self.story.events],
        }

    def _summary(self, n: int) -> dict[str, Any]:
        result = self.story.results[n]
        delays = delays_s(result)
        return {
            "name": result.name,
            "pages": result.pages,
            "rate": f"{result.pages_per_week:.2f}",
            "weeks": f"{result.brand_weeks:.1f}",
            "delay": f"{median(delays) / 60:.0f} {self.words['minutes']}" if delays else "–",
            "judged": self.story.judged[n] if self.story.judged else None,
        }

    def _period(self, brands: Sequence[BrandResult]) -> str:
        starts = [b.first_s for b in brands if b.first_s]
        if not starts:
            return "–"
        ends = [b.last_s for b in brands]
        return f"{self._time(min(starts))} – {self._time(max(ends))}"

    def _time(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s, self.zone).strftime("%d.%m.%Y %H:%M")

    def _title(self, brand: str) -> str:
        return self.story.titles.get(brand, brand)

    def _brand(self, brand: BrandResult) -> dict[str, Any]:
        shown = brand.mentions or 1
        return {
            "title": self._title(brand.brand),
            "mentions": f"{brand.mentions:,}",
            "negative": f"{brand.negative / shown:.0%}",
            "late": brand.late,
            "pages": sum(c.pages for c in brand.cases),
            "watches": len(brand.cases) - len(brand.paged),
            "chart": self._overview(brand),
        }

    def _overview(self, brand: BrandResult) -> str:
        if not brand.hours:
            return ""
        starts = [b.first_s for b in self.result.brands if b.first_s]
        start_s, end_s = min(starts), max(b.last_s for b in self.result.brands)
        points, step_s = _binned(brand, start_s, end_s)
        spans = [
            Span(begin_s, until_s, level, f"{self.levels[level]} {self._time(begin_s)}")
            for case in brand.cases
            for level, begin_s, until_s in levels_of(case)
        ]
        chart = Chart(points, start_s, end_s, step_s, self.zone, 110, spans)
        return svg(chart, label=f"{self._title(brand.brand)}: {self.words['overview_note']}")

    def _case(self, case: Case) -> dict[str, Any]:
        told = case.paged or case.last
        at_s = paged_at_s(case)
        onset_s = told.onset.timestamp()
        shares = [
            (TABLES[self.story.language][name], _top(self._named(name, getattr(told, name))))
            for name in ("topics", "channels", "phrases", "authors")
        ]
        return {
            "when": self._time(at_s),
            "brand": self._title(told.brand),
            "level": self.levels[case.last.peak],
            "rank": case.last.peak,
            "verdict": self._verdict(told.brand, case),
            "signal": SIGNALS[self.story.language].get(told.signal, told.signal),
            "sentence": told.sentences.get(self.story.language, ""),
            "after": self._span(at_s - onset_s),
            "lasted": self._span(case.end_s - onset_s)
            if case.last.closed_at
            else self.words["open"],
            "observed": f"{told.observed:.3g}",
            "expected": f"{told.expected:.3g}",
            "score": f"{told.score:.1f}",
            "without": _score(told.without),
            "shares": [(name, table) for name, table in shares if table],
            "samples": [
                {"text": s.text, "who": s.author, "source": s.source}
                for s in told.samples[:MOST_SAMPLES]
            ],
            "flags": told.flags,
            "chart": self._zoom(case, onset_s, at_s),
            "levels": [
                f"{self.levels[change.level]} {self._clock(change.at.timestamp())}"
                for change in case.last.history
            ],
        }

    def _named(self, table: str, shares: dict[str, float]) -> dict[str, float]:
        """The shares under the names that people read, "other" last."""
        title, language = taxonomy.default().title, self.story.language
        order = sorted(shares, key=lambda key: (key == OTHER, -shares[key]))
        return {
            title(key, language) if table == "topics" or key == OTHER else key: shares[key]
            for key in order
        }

    def _verdict(self, brand: str, case: Case) -> str:
        if not self.story.labels:
            return ""
        true = any(label.covers(brand, case) for label in self.story.labels)
        return self.words["label_true" if true else "label_false"]

    def _zoom(self, case: Case, onset_s: float, at_s: float) -> str:
        start_s, end_s = onset_s - ZOOM_S[0], max(at_s, min(case.end_s, at_s + 6 * 3600))
        end_s = max(end_s, at_s) + 1800
        points = [p for p in case.points if start_s <= p.start_s <= end_s]
        spans = [
            Span(begin_s, until_s, level, self.levels[level])
            for level, begin_s, until_s in levels_of(case)
        ]
        flags = [
            Flag(onset_s, "onset", f"{self.words['onset']} {self._clock(onset_s)}"),
            Flag(at_s, "page", f"{self.words['page']} {self._clock(at_s)}"),
        ]
        chart = Chart(points, start_s, end_s, 60, self.zone, 170, spans, flags)
        return svg(chart, label=f"{self._title(case.last.brand)} {self._time(at_s)}")

    def _outbreak(self, parent: Incident) -> dict[str, Any]:
        closed = parent.closed_at
        return {
            "when": self._time(parent.opened_at.timestamp()),
            "level": self.levels[parent.peak],
            "rank": parent.peak,
            "lasted": self._span((closed - parent.onset).total_seconds())
            if closed
            else self.words["open"],
            "sentence": parent.sentences.get(self.story.language, ""),
        }

    def _event(self, event: Event) -> dict[str, Any]:
        every = event.brand == EVERY_BRAND
        return {
            "brand": self.words["every"] if every else self._title(event.brand),
            "start": self._time(event.start.timestamp()),
            "end": self._time(event.end.timestamp()),
            "kind": self.words.get(f"kind_{event.kind}", event.kind),
            "note": event.note,
        }

    def _clock(self, at_s: float) -> str:
        return datetime.fromtimestamp(at_s, self.zone).strftime("%H:%M")

    def _span(self, seconds: float) -> str:
        minutes = round(seconds / 60)
        if minutes < 120:
            return f"{minutes} {self.words['minutes']}"
        return f"{minutes // 60}:{minutes % 60:02d} h"

    def _pair(self, pair: Pair) -> dict[str, Any]:
        sooner = pair.sooner_s
        if sooner is None:
            name = self.story.results[0 if pair.first else 1].name
            told = f"{self.words['only']} {name}"
        elif abs(sooner) < 60:
            told = self.words["same"]
        else:
            word = self.words["sooner" if sooner > 0 else "later"]
            told = f"{self.story.results[1].name}: {self._span(abs(sooner))} {word}"
        return {
            "when": self._time(pair.at_s),
            "brand": self._title(pair.brand),
            "first": self.levels[pair.first.last.peak] if pair.first else "–",
            "second": self.levels[pair.second.last.peak] if pair.second else "–",
            "first_rank": pair.first.last.peak if pair.first else 0,
            "second_rank": pair.second.last.peak if pair.second else 0,
            "told": told,
        }


def _top(shares: dict[str, float]) -> list[tuple[str, str, int]]:
    """Name, share and bar width in per cent of the first shares."""
    return [
        (name, f"{share:.0%}", round(100 * min(max(share, 0.0), 1.0)))
        for name, share in list(shares.items())[:MOST_SHARES]
        if share > 0
    ]


def levels_of(case: Case) -> list[tuple[int, float, float]]:
    """(level, from, until) of each stretch above NORMAL: a level that fell is not drawn on."""
    changes = [(change.level, change.at.timestamp()) for change in case.last.history]
    ends = [*(at_s for _, at_s in changes[1:]), case.end_s]
    return [
        (level, at_s, max(end_s, at_s))
        for (level, at_s), end_s in zip(changes, ends, strict=True)
        if level
    ]


def _binned(brand: BrandResult, start_s: int, end_s: int) -> tuple[list[Point], int]:
    """The hours in bins wide enough to be seen, and the width of a bin."""
    hours = max((end_s - start_s) // 3600, 1)
    wide = -(-hours // MOST_BINS)
    step_s = wide * 3600
    bins: dict[int, list[Point]] = {}
    for hour in brand.hours.values():
        bins.setdefault(hour.start_s // step_s * step_s, []).append(hour)
    points = [
        Point(
            at_s,
            sum(p.observed for p in held) / wide,
            max((p.expected for p in held if p.expected is not None), default=None),
        )
        for at_s, held in sorted(bins.items())
    ]
    return points, step_s


def _score(without: Without | None) -> str:
    return "" if without is None or without.score is None else f"{without.score:.1f}"
