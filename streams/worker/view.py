"""`/metrics`: brand series as a view of the states that this worker owns.

A brand that moved to another worker vanishes here by construction. A brand that has been quiet for
a while shows its level and its totals only: three quarters of its lines are the readings of a
minute long past. All of it happens in the scraping thread, beside the stream; it takes turns with
the stream at the one interpreter, so what was written of a brand is kept until the brand changes.
"""

from collections.abc import Iterator
from typing import NamedTuple
from weakref import WeakKeyDictionary

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.exposition import Written, lines
from streams.pipeline.state import BrandState, PartitionState
from streams.pipeline.topic_level import topic_levels
from streams.settings import RootSettings
from streams.worker.core import Core

READINGS_S = 900
"""So many closed seconds after a minute its readings still say how a brand is; nobody reads a gauge
of before."""


class _Shown(NamedTuple):
    """What was written of a brand, by family, and of which state of it."""

    revision: int
    readings: bool
    texts: tuple[str, ...]


class StateView(Collector):
    """Collects from the live states of one run."""

    def __init__(self, core: Core, settings: RootSettings) -> None:
        self.core = core
        self.settings = settings
        # Weak: a state that the core drops must not live on until the next scrape.
        self._shown: WeakKeyDictionary[BrandState, _Shown] = WeakKeyDictionary()

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the families depend on what is owned."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Families of all owned brands, read without pausing the stream."""
        run, worker = self.settings.shown_run, self.settings.worker
        states = list(self.core.states.values())
        families = Families(self.settings)
        shown: list[_Shown] = []
        for state in states:
            marks = state.marks.get(run)
            watermark_s = marks.watermark_s(blind_after_s=worker.blind_after_s) if marks else None
            # Not the clock: a slow source's lateness alone makes every closed minute old.
            closed_s = (watermark_s or 0.0) - worker.allowed_lateness_s
            brands = [brand for brand in list(state.brands.values()) if brand.run == run]
            shown += [self._show(families, brand, closed_s) for brand in brands]
        for state in states:
            families.add_partition(state, run, worker.blind_after_s)
        own = families.all()
        texts = zip(*(one.texts for one in shown), strict=True)
        columns = ["".join(column) for column in texts] or [""] * len(own)
        return iter([Written(f, column + lines(f)) for f, column in zip(own, columns, strict=True)])

    def _show(self, families: "Families", brand: BrandState, closed_s: float) -> _Shown:
        """The lines of one brand, as they were written if nothing has happened to it since."""
        revision, readings = brand.revision, shows_readings(brand, closed_s)
        known = self._shown.get(brand)
        if known is not None and known[:2] == (revision, readings):
            return known
        families.add_brand(brand, closed_s=closed_s)
        shown = self._shown[brand] = _Shown(revision, readings, families.take())
        return shown


def shows_readings(brand: BrandState, closed_s: float) -> bool:
    """Whether the readings of a brand's last scored minute still say how it is."""
    latest = brand.latest
    return latest is not None and closed_s - latest.start.timestamp() <= READINGS_S


class Families:
    """The metric families of brands, filled brand by brand."""

    def __init__(self, settings: RootSettings) -> None:
        self._topics = settings.detection.topics
        self._evidence = settings.severity.config().watch_evidence
        self.mentions = CounterMetricFamily(
            "siaga_mentions",
            "Mentions counted since the brand's state began, own ones and repeats left out.",
            labels=("brand", "channel", "sentiment"),
        )
        self.late = CounterMetricFamily(
            "siaga_late_mentions",
            "Mentions that came after their minute closed.",
            labels=("brand",),
        )
        self.severity = GaugeMetricFamily(
            "siaga_severity_level",
            "Level of the brand's incident: 0 normal, 1 watch, 2 alert, 3 crisis.",
            labels=("brand",),
        )
        self.topic = GaugeMetricFamily(
            "siaga_topic_level",
            "Level of the brand's incident, by the watched topics that it is about; others 0.",
            labels=("brand", "topic"),
        )
        by_signal = ("brand", "signal")
        self.score = GaugeMetricFamily(
            "siaga_anomaly_score",
            "-log10 of the chance of the latest minute under the brand's own history.",
            labels=by_signal,
        )
        self.observed = GaugeMetricFamily(
            "siaga_observed", "What the signal observed in the latest minute.", labels=by_signal
        )
        self.expected = GaugeMetricFamily(
            "siaga_expected", "Mean that the brand's history leads to expect.", labels=by_signal
        )
        self.upper = GaugeMetricFamily(
            "siaga_upper", "Value exceeded once in a thousand minutes.", labels=by_signal
        )
        self.unacknowledged = GaugeMetricFamily(
            "siaga_incident_unacknowledged_since_timestamp_seconds",
            "When the open incident reached its level without anyone acknowledging it.",
            labels=("brand", "level"),
        )
        self.onset = GaugeMetricFamily(
            "siaga_incident_onset_timestamp_seconds",
            "Onset of the open incident.",
            labels=("brand",),
        )
        self.lag = GaugeMetricFamily(
            "siaga_source_lag_seconds",
            "How far a source's watermark is behind the clock of its run.",
            labels=("source",),
        )
        self.blind = GaugeMetricFamily(
            "siaga_source_blind",
            "1 while a source has been silent beyond the allowed time.",
            labels=("source",),
        )
        self.channel_blind = GaugeMetricFamily(
            "siaga_channel_blind",
            "1 while a channel brings a brand nothing for longer than its habit; else no series.",
            labels=("brand", "channel"),
        )
        self.dead = CounterMetricFamily(
            "siaga_dead_letters",
            "Input that could not become a counted mention, by stage and reason.",
            labels=("stage", "reason"),
        )
        self.watermark = GaugeMetricFamily(
            "siaga_partition_clock_timestamp_seconds",
            "Clock of the last tick that a partition heard.",
            labels=("partition",),
        )
        self._sources: dict[str, tuple[float, int]] = {}
        self._dead: dict[str, int] = {}

    def add_brand(self, brand: BrandState, *, closed_s: float) -> None:
        """Series of one brand; `closed_s` is how far its run's minutes are closed."""
        name = brand.brand
        self.severity.add_metric((name,), brand.level())
        for topic, level in topic_levels(brand, self._topics, evidence=self._evidence).items():
            self.topic.add_metric((name, topic), level)
        for key, total in list(brand.hot.totals.items()):
            channel, _, sentiment = key.rpartition("|")
            self.mentions.add_metric((name, channel, sentiment), total)
        if brand.hot.late:
            self.late.add_metric((name,), brand.hot.late)
        for channel in brand.habits.blind:
            self.channel_blind.add_metric((name, channel), 1)
        episode = brand.open_episode()
        if episode is not None:
            self.onset.add_metric((name,), episode.onset_s)
            if episode.acknowledged_s is None:
                self.unacknowledged.add_metric((name, str(episode.level)), episode.raised_s)
        latest = brand.latest
        if latest is None or not shows_readings(brand, closed_s):
            return
        for reading in latest.readings:
            labels = (name, reading.signal)
            self.observed.add_metric(labels, reading.observed)
            for family, value in (
                (self.expected, reading.expected),
                (self.upper, reading.upper),
                (self.score, reading.score),
            ):
                # Unknown is not zero: no series while the signal warms up.
                if value is not None:
                    family.add_metric(labels, value)

    def add_partition(self, state: PartitionState, run: str, blind_after_s: float) -> None:
        """Series of a partition: what it heard of the sources, and its dead letters."""
        marks = state.marks.get(run)
        if marks is not None:
            blind = marks.blind(blind_after_s=blind_after_s)
            for source, mark in marks.sources.items():
                lag = max(0.0, marks.clock_s - mark.watermark_s)
                known = self._sources.get(source, (0.0, 0))
                self._sources[source] = (max(lag, known[0]), max(int(source in blind), known[1]))
            self.watermark.add_metric((str(state.partition),), marks.clock_s)
        for reason, count in list(state.deaths.items()):
            self._dead[reason] = self._dead.get(reason, 0) + count

    def take(self) -> tuple[str, ...]:
        """Lines of the samples so far, by family; none is left."""
        texts = tuple(lines(family) for family in self._families())
        for family in self._families():
            family.samples.clear()
        return texts

    def all(self) -> list[Metric]:
        """All families."""
        for source, (lag, blind) in sorted(self._sources.items()):
            self.lag.add_metric((source,), lag)
            self.blind.add_metric((source,), blind)
        for reason, count in sorted(self._dead.items()):
            self.dead.add_metric(("decode", reason), count)
        return self._families()

    def _families(self) -> list[Metric]:
        return [family for family in vars(self).values() if isinstance(family, Metric)]
