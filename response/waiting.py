"""The service `clocks`: what waits for an answer, as metrics.

Its state is rebuilt from the log at each start: complaints and replies, open incidents, what people
did, also while this service was away. Nothing is exported before that is done: half a day of
replies unread would look like a brand that has fallen silent.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from response.clocks import AGES, HORIZON_S, Complaints, first_word, overdue
from response.follow import follow
from response.incidents import drills_management, is_drill
from response.page.view import is_open, with_actions
from response.settings import LEVEL_NUMBERS, OncallSettings
from streams import codec
from streams.codec import Reader
from streams.log.decoded import decoded
from streams.log.port import Log, LogRecord
from streams.records import LIVE, Action, Incident, ScoredBatch
from streams.registry import REGISTRY
from streams.settings import RootSettings
from streams.topics import ACTIONS, INCIDENTS, SCORED

MENTIONS_S = 2 * HORIZON_S
"""The last day's replies, and the complaints of the day before that they answer."""
RECORDS = 20_000
"""Per partition, the most that is read back at a start."""
INCIDENTS_S = 30 * 86_400.0
"""An incident without a change for so long is of a run that was given up."""
DRILL_S = 24 * 3600.0
"""A drill that was given up is forgotten after this."""
ACTIONS_KEPT = 1000
"""Incidents whose actions are remembered."""
TIDY_S = 60.0
"""Between two looks at what no longer counts."""
RESPONSE_BUCKETS_S = (60, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)


class Waiting(Collector):
    """What the service knows, and its metrics. `clock` is wall time in epoch seconds."""

    def __init__(self, settings: RootSettings, clock: Callable[[], float]) -> None:
        self.run = settings.shown_run
        self.brands = {name: Complaints() for name in settings.brands}
        self.minutes = {
            LEVEL_NUMBERS[level]: minutes
            for level, minutes in settings.section(OncallSettings).first_response_minutes.items()
        }
        self.incidents: dict[str, Incident] = {}
        self.drills: dict[str, tuple[Incident, float]] = {}
        """Open incidents of drills, and when they were last heard of."""
        self.actions: OrderedDict[str, deque[Action]] = OrderedDict()
        self.missing = {SCORED, INCIDENTS, ACTIONS}
        """Topics that have not been read up to where they ended at the start."""
        self._clock = clock
        self._event_time = 0.0

    def now(self) -> float:
        """The run's time: the wall's for live, that of its newest mention for a replay."""
        return self._clock() if self.run == LIVE else self._event_time

    # --- in ----------------------------------------------------------------

    def scored(self, batch: ScoredBatch) -> None:
        """Work in mentions."""
        complaints = self.brands.get(batch.brand)
        if batch.run != self.run or complaints is None:
            return
        for scored in batch.mentions:
            self._event_time = max(self._event_time, scored.mention.published_at.timestamp())
            complaints.scored(scored)

    def incident(self, incident: Incident, heard: float) -> None:
        """Work in the state of an incident."""
        if is_drill(incident.run):
            self.drills[incident.id] = (incident, heard)
            if not is_open(incident):
                del self.drills[incident.id]
        elif incident.run == self.run and incident.brand in self.brands:
            self._event_time = max(self._event_time, incident.updated_at.timestamp())
            known = self.incidents.get(incident.id)
            if known is None or incident.sequence > known.sequence:
                self.incidents[incident.id] = incident
            if not is_open(self.incidents[incident.id]):
                del self.incidents[incident.id]

    def action(self, action: Action) -> None:
        """Work in what a person did; repeats change nothing."""
        if action.run != self.run and not is_drill(action.run):
            return
        known = self.actions.setdefault(action.incident, deque(maxlen=50))
        if all(action.id != each.id for each in known):
            known.append(action)
        while len(self.actions) > ACTIONS_KEPT:
            self.actions.popitem(last=False)

    def tidy(self) -> None:
        """Let go of what no longer counts."""
        if SCORED not in self.missing:  # a complaint of yesterday may yet meet its reply
            for complaints in self.brands.values():
                complaints.forget(self.now())
        long_ago = self._clock() - DRILL_S
        self.drills = {k: (i, heard) for k, (i, heard) in self.drills.items() if heard > long_ago}

    # --- out ---------------------------------------------------------------

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the series depend on what waits."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The families; none before the state is whole. Runs in the scraping thread."""
        if self.missing:
            return
        now = self.now()
        unanswered = GaugeMetricFamily(
            "siaga_unanswered_complaints",
            "Complaints of the last 24 hours without a reply of the brand, by age up to the label.",
            labels=("brand", "age"),
        )
        oldest = GaugeMetricFamily(
            "siaga_oldest_unanswered_timestamp_seconds",
            "When the oldest unanswered complaint of the last 24 hours was published.",
            labels=("brand",),
        )
        late = GaugeMetricFamily(
            "siaga_response_overdue",
            "1 if the first response to the brand's open incident is later than its severity "
            "allows, by level.",
            labels=("brand", "level"),
        )
        drill = GaugeMetricFamily(
            "siaga_drill_level",
            "Highest level of a running drill (runs named drill*), by whether management hears of "
            "it (drill-management*).",
            labels=("brand", "management"),
        )
        for brand, complaints in self.brands.items():
            _, since = complaints.unanswered(now)
            # Idle brands export nothing: thousands of zeros cost more than they say.
            if since is not None:
                oldest.add_metric((brand,), since)
                by_age = complaints.by_age(now)
                for label, _ in AGES:
                    unanswered.add_metric((brand, label), by_age[label])
        for (brand, level), value in sorted(self._overdue(now).items()):
            late.add_metric((brand, str(level)), value)
        for labels, level in sorted(self._drills().items()):
            drill.add_metric(labels, level)
        snoozed = GaugeMetricFamily(
            "siaga_incident_snoozed_until_timestamp_seconds",
            "Until when people want to hear no reminders of the brand's open incident.",
            labels=("brand",),
        )
        taken = GaugeMetricFamily(
            "siaga_incident_acknowledged",
            "1 if somebody has acknowledged all of the brand's open incidents, 0 if not.",
            labels=("brand",),
        )
        acknowledged: dict[str, bool] = {}
        for incident in list(self.incidents.values()):
            acted = with_actions(incident, tuple(self.actions.get(incident.id, ())))
            known = acknowledged.get(incident.brand, True)
            acknowledged[incident.brand] = known and bool(acted.acknowledged_by)
            if incident.snoozed_until is not None:
                snoozed.add_metric((incident.brand,), incident.snoozed_until.timestamp())
        for brand, done in acknowledged.items():
            taken.add_metric((brand,), int(done))
        yield from (unanswered, oldest, late, drill, snoozed, taken, self._responses(now))

    def _responses(self, now: float) -> Metric:
        """A histogram of the day, not since a start: what came while we were away is in it."""
        # No "gaugehistogram", which it is: Prometheus refuses to scrape that type.
        family = HistogramMetricFamily(
            "siaga_first_response_seconds",
            "From a complaint's publication to the brand's first reply, of the last 24 hours' "
            "replies.",
        )
        times = [t for complaints in self.brands.values() for t in complaints.response_times(now)]
        buckets: list[tuple[str, float]] = [
            (str(float(end)), sum(t <= end for t in times)) for end in RESPONSE_BUCKETS_S
        ]
        family.add_metric((), [*buckets, ("+Inf", len(times))], sum(times))
        return family

    def _overdue(self, now: float) -> dict[tuple[str, int], int]:
        found: dict[tuple[str, int], int] = {}
        for incident in list(self.incidents.values()):
            done = tuple(self.actions.get(incident.id, ()))
            if not is_open(with_actions(incident, done)):
                continue
            responded = first_word(incident, self.brands.get(incident.brand), done)
            is_late = overdue(incident, responded, self.minutes, now=now)
            key = (incident.brand, incident.level)
            found[key] = max(found.get(key, 0), int(is_late))
        return found

    def _drills(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for incident, _ in list(self.drills.values()):
            done = tuple(self.actions.get(incident.id, ()))
            if incident.brand in self.brands and is_open(with_actions(incident, done)):
                key = (incident.brand, "yes" if drills_management(incident.run) else "no")
                found[key] = max(found.get(key, 0), incident.level)
        return found


Take = Callable[[Any, float], None]
"""Works in a record, and when it was written (epoch seconds)."""


async def serve(settings: RootSettings, log_: Log) -> None:
    """Follow the log and export what waits, until cancelled."""
    waiting = Waiting(settings, time.time)
    followed: tuple[tuple[str, Reader[Any], Take, float], ...] = (
        (SCORED, codec.scored, lambda batch, _: waiting.scored(batch), MENTIONS_S),
        (INCIDENTS, codec.incident, waiting.incident, INCIDENTS_S),
        (
            ACTIONS,
            codec.action,
            lambda action, _: waiting.action(action),
            INCIDENTS_S,
        ),
    )
    REGISTRY.register(waiting)
    try:
        async with asyncio.TaskGroup() as group:
            for topic, reader, take, horizon_s in followed:
                following = follow(
                    log_,
                    topic,
                    partial(_all, reader, take),
                    since_ms=int(1000 * (time.time() - horizon_s)),
                    most=RECORDS,
                    ready=partial(waiting.missing.discard, topic),
                )
                group.create_task(following, name=f"clocks {topic}")
            group.create_task(_tidy(waiting), name="clocks tidy")
    finally:
        REGISTRY.unregister(waiting)


async def _tidy(waiting: Waiting) -> None:
    while True:
        await asyncio.sleep(TIDY_S)
        waiting.tidy()


def _all(reader: Reader[Any], take: Take, chunk: Sequence[LogRecord]) -> None:
    for record in chunk:
        value = decoded(record, reader, who="clocks")
        if value is not None:
            take(value, record.timestamp_ms / 1000)
