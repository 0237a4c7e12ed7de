"""What the live page knows: a bounded view of the topics, updated record by record (pure).

Every run (live, a replay, a drill) has its own view. Records that come twice change nothing.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from detectors.anomaly.reading import Reading
from response.clocks import Complaints
from streams.records import LIVE, Action, Incident, Minute, Run, Scored, ScoredBatch, Tick

MENTIONS_KEPT = 200
"""The latest of all brands."""
MENTIONS_PER_BRAND = 60
"""The latest of each brand."""
INCIDENTS_KEPT = 200
"""A run; open ones are never forgotten for closed ones."""
RUNS_KEPT = 6
"""Live and the latest others."""
ACTIONS_KEPT = 50
"""The latest of each incident."""
MINUTE_S = 60
LIVE_FIRST_S = 600
"""A replay that is heard of takes the page from live only if live was silent for this long."""


class Point(msgspec.Struct, frozen=True, gc=False):
    """One closed minute of one brand, as the charts need it."""

    start: float
    mentions: int
    negative: int
    score: float
    """The most surprising signal's; 0 where none is known."""
    level: int
    volume: Reading | None
    share: Reading | None


@dataclass(slots=True)
class BrandView:
    """What is known of one brand in one run."""

    name: str
    points: deque[Point]
    readings: tuple[Reading, ...] = ()
    blind: tuple[str, ...] = ()
    mentions: deque[Scored] = field(default_factory=lambda: deque(maxlen=MENTIONS_PER_BRAND))
    complaints: Complaints = field(default_factory=Complaints)

    def window(self, minutes: int, through: float) -> list[Point]:
        """The points of the `minutes` minutes that end at `through`, oldest first.

        Minutes without mentions are not published: they are put back here, with the band of the
        minute before them and no negative share (nothing has no share). Before the first known
        minute nothing is made up.

        Parameters
        ----------
        through
            Start of the run's latest closed minute, epoch seconds.
        """
        first = through - (minutes - 1) * MINUTE_S
        known: list[Point] = []
        for point in reversed(self.points):
            known.append(point)
            if point.start <= first:
                break
        known.reverse()
        ends = [p.start for p in known[1:]] + [through + MINUTE_S]
        filled: list[Point] = []
        # Not strict: without a known minute there is only the end.
        for point, end in zip(known, ends, strict=False):
            filled.append(point)
            quiet = max(point.start + MINUTE_S, first)
            while quiet < end:
                filled.append(_quiet(quiet, point))
                quiet += MINUTE_S
        return [p for p in filled if first <= p.start <= through]


def _quiet(start: float, before: Point) -> Point:
    usual = before.volume
    volume = Reading("volume", 0.0, usual.expected, usual.upper) if usual else None
    return Point(start, 0, 0, 0.0, before.level, volume, None)


@dataclass(slots=True)
class SourceView:
    """The last tick of a source."""

    name: str
    watermark: float
    clock: float
    healthy: bool
    ended: bool
    arrived: float


@dataclass(slots=True)
class RunView:
    """One run: its brands, incidents, mentions, sources and clock."""

    run: Run
    history: int
    brands: dict[str, BrandView] = field(default_factory=dict)
    incidents: OrderedDict[str, Incident] = field(default_factory=OrderedDict)
    actions: OrderedDict[str, deque[Action]] = field(default_factory=OrderedDict)
    """Newest last, by incident."""
    mentions: deque[tuple[str, Scored]] = field(
        default_factory=lambda: deque(maxlen=MENTIONS_KEPT),
    )
    sources: dict[str, SourceView] = field(default_factory=dict)
    clock: float = 0.0
    """Event time: the end of the latest closed minute, or a tick's clock if that is later."""
    closed: float = 0.0
    """Start of the latest closed minute of any brand."""
    arrived: float = 0.0
    """Wall time at which the stream last said anything of this run."""
    version: int = 0

    def brand(self, name: str) -> BrandView:
        view = self.brands.get(name)
        if view is None:
            view = self.brands[name] = BrandView(name, deque(maxlen=self.history))
        return view

    def open_incidents(self) -> list[Incident]:
        """Most severe first, then the most recent."""
        found = [i for i in self.incidents.values() if is_open(i)]
        return sorted(found, key=lambda i: (-i.level, -i.onset.timestamp()))

    def ended(self) -> bool:
        """Every source of this run has said that it ends."""
        return bool(self.sources) and all(s.ended for s in self.sources.values())


def is_open(incident: Incident) -> bool:
    return incident.closed_at is None and incident.change not in {"closed", "false_alarm"}


class View:
    """All runs. `now` is always an argument: wall time in epoch seconds."""

    def __init__(self, history: int = 1440) -> None:
        self.history = history
        self.runs: OrderedDict[Run, RunView] = OrderedDict()
        self.used: OrderedDict[str, None] = OrderedDict()
        """Ids of the actions seen, so that a link is good for one."""

    def run(self, name: Run) -> RunView:
        view = self.runs.get(name)
        if view is None:
            view = self.runs[name] = RunView(name, self.history)
            while len(self.runs) > RUNS_KEPT:
                # The run that was silent longest gives way; a drill must not push out live.
                others = [r for r in self.runs.values() if r is not view]
                quietest = min(others, key=lambda r: (r.run == LIVE, r.arrived))
                del self.runs[quietest.run]
        return view

    def latest(self) -> RunView | None:
        """The run that a visitor wants: live while it speaks, else the one that spoke last."""
        known = [r for r in self.runs.values() if r.brands] or list(self.runs.values())
        newest = max(known, key=lambda r: r.arrived, default=None)
        live = next((r for r in known if r.run == LIVE), None)
        if newest and live and live.arrived > newest.arrived - LIVE_FIRST_S:
            return live
        return newest

    def minute(self, minute: Minute, now: float) -> None:
        run = self._touched(minute.run, now)
        brand = run.brand(minute.brand)
        start = minute.start.timestamp()
        if brand.points and start <= brand.points[-1].start:
            return
        by_signal = {r.signal: r for r in minute.readings}
        brand.points.append(
            Point(
                start,
                minute.counts.mentions,
                minute.counts.negative,
                max((r.score or 0.0 for r in minute.readings), default=0.0),
                minute.level,
                by_signal.get("volume"),
                by_signal.get("negative_share"),
            )
        )
        brand.readings = minute.readings
        brand.blind = minute.blind
        run.closed = max(run.closed, start)
        run.clock = max(run.clock, start + MINUTE_S)

    def scored(self, batch: ScoredBatch, now: float) -> None:
        run = self._touched(batch.run, now)
        brand = run.brand(batch.brand)
        for scored in batch.mentions:
            mention = scored.mention
            if scored.fate == "revision" or mention.deleted:
                _drop(brand.mentions, mention.id)
                _drop_pairs(run.mentions, batch.brand, mention.id)
            brand.complaints.scored(scored)
            if mention.deleted:
                continue
            brand.mentions.append(scored)
            run.mentions.append((batch.brand, scored))

    def incident(self, incident: Incident, now: float) -> None:
        run = self._touched(incident.run, now)
        known = run.incidents.get(incident.id)
        if known is not None and incident.sequence <= known.sequence:
            return
        run.incidents[incident.id] = incident
        run.incidents.move_to_end(incident.id)
        while len(run.incidents) > INCIDENTS_KEPT:
            oldest = next((k for k, i in run.incidents.items() if not is_open(i)), None)
            run.incidents.pop(oldest or next(iter(run.incidents)))

    def action(self, action: Action, now: float) -> None:
        run = self._touched(action.run, now)
        if action.id in self.used:
            return
        self.used[action.id] = None
        while len(self.used) > INCIDENTS_KEPT * ACTIONS_KEPT:
            self.used.popitem(last=False)
        run.actions.setdefault(action.incident, deque(maxlen=ACTIONS_KEPT)).append(action)
        while len(run.actions) > INCIDENTS_KEPT:
            run.actions.popitem(last=False)

    def tick(self, tick: Tick, now: float) -> None:
        run = self._touched(tick.run, now)
        run.sources[tick.source] = SourceView(
            tick.source,
            tick.watermark.timestamp(),
            tick.clock.timestamp(),
            tick.healthy,
            tick.ended,
            now,
        )
        run.clock = max(run.clock, tick.clock.timestamp() if tick.run != LIVE else 0.0)

    def find(self, incident_id: str) -> Incident | None:
        """An incident of any run, with what people did about it since (see `with_actions`)."""
        for run in self.runs.values():
            if found := run.incidents.get(incident_id):
                return with_actions(found, run.actions.get(incident_id, ()))
        return None

    def _touched(self, name: Run, now: float) -> RunView:
        run = self.run(name)
        run.arrived = max(run.arrived, now)
        run.version += 1
        return run


def with_actions(incident: Incident, actions: Iterable[Action]) -> Incident:
    """The incident with acknowledgements that the worker has not yet worked in.

    A person who presses "acknowledge" sees it at once, also while the worker is away.
    """
    for action in actions:
        if action.kind == "ack" and not incident.acknowledged_by:
            incident = msgspec.structs.replace(
                incident, acknowledged_by=action.who, acknowledged_at=action.at
            )
        elif (
            action.kind in {"close", "false_alarm"}
            and is_open(incident)
            # Reopened after the action: the worker's later word counts.
            and incident.updated_at <= action.at
        ):
            change = "closed" if action.kind == "close" else "false_alarm"
            incident = msgspec.structs.replace(incident, change=change, closed_at=action.at)
    return incident


def _drop(kept: deque[Scored], mention_id: str) -> None:
    for scored in [s for s in kept if s.mention.id == mention_id]:
        kept.remove(scored)


def _drop_pairs(kept: deque[tuple[str, Scored]], brand: str, mention_id: str) -> None:
    for pair in [p for p in kept if p[0] == brand and p[1].mention.id == mention_id]:
        kept.remove(pair)
