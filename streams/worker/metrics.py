"""Metrics of the worker, declared once. Labels come from closed sets in code or configuration."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from streams.pipeline.outcome import Outcome
from streams.records import LIVE, Scored
from streams.registry import REGISTRY

# Cardinality: two kinds.
GAPS = Counter(
    "siaga_stream_gaps",
    "Jumps in the offsets that the consumer delivered: healed by reading the log, or lost to "
    "retention.",
    labelnames=("kind",),
    registry=REGISTRY,
)
for _kind in ("healed", "lost"):
    GAPS.labels(kind=_kind)

PAUSES = Counter(
    "siaga_worker_pauses",
    "Times that this worker's session ran out (a pause, a broker away): it dropped its states.",
    registry=REGISTRY,
)

RESTORED = Counter(
    "siaga_worker_restored_values",
    "Values read back from the changelog when partitions were assigned.",
    registry=REGISTRY,
)

SCRATCH = Gauge(
    "siaga_worker_scratch_bytes",
    "Size of the scratch files that hold the ids of earlier mentions.",
    registry=REGISTRY,
)

LATENCY = Histogram(
    "siaga_end_to_end_latency_seconds",
    "From a live mention's publication at its source to its score; the oldest of each record.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
    registry=REGISTRY,
)

COLLECTED_LATENCY = Histogram(
    "siaga_collected_to_scored_seconds",
    "From a live mention's collection by a connector to its score (our own share of the latency); "
    "the oldest of each record.",
    buckets=(0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)

RECORDS = Counter(
    "siaga_worker_records",
    "Records of the mentions topic that this worker has taken since it started.",
    registry=REGISTRY,
)

REPEATS = Counter(
    "siaga_worker_repeats",
    "Mentions dropped as repeats since this worker started.",
    registry=REGISTRY,
)

UP = Gauge(
    "siaga_worker_up",
    "1 while this worker runs.",
    registry=REGISTRY,
)

LAST_TICK = Gauge(
    "siaga_last_tick_timestamp_seconds",
    "Wall time at which this worker last took a tick of the shown run: the stream's heartbeat.",
    registry=REGISTRY,
)

# Cardinality: one per partition that this worker owns.
LAG = Gauge(
    "siaga_worker_lag_records",
    "Records of the mentions topic that wait for this worker.",
    labelnames=("partition",),
    registry=REGISTRY,
)

MODEL = Gauge(
    "siaga_model_info",
    "Always 1; the label names the model version that reads the mentions.",
    labelnames=("version",),
    registry=REGISTRY,
)


READINGS = Counter(
    "siaga_readings",
    "Topics, languages and flags of the mentions that this worker read (again after a crash).",
    labelnames=("kind", "value"),
    registry=REGISTRY,
)
_reading = cache(READINGS.labels)
"""Looking a child up in the metric costs more than counting; all values are of closed sets."""


def _count_readings(mentions: Iterable[Scored]) -> None:
    for scored in mentions:
        if scored.mention.own or scored.fate == "revision":
            continue
        _reading("language", scored.language or "unknown").inc()
        for topic in scored.topics:
            _reading("topic", topic).inc()
        for flag in scored.flags:
            _reading("flag", flag).inc()


def observe(outcome: Outcome, now: datetime, *, shown_run: str) -> None:
    """Count what one record led to."""
    RECORDS.inc()
    REPEATS.inc(outcome.repeats)
    if outcome.tick and outcome.run == shown_run:
        LAST_TICK.set(now.timestamp())
    if outcome.run == shown_run:
        _count_readings(outcome.scored)
    if outcome.run != LIVE:
        return  # the latency of a replay says nothing
    fresh = [
        scored.mention
        for scored in outcome.scored
        if scored.fate == "on_time" and not scored.mention.simulated
    ]
    if fresh:
        # The oldest of each record stands for it: two observations a mention were a twentieth of
        # the worker's time.
        published = min(mention.published_at for mention in fresh)
        collected = min(mention.collected_at for mention in fresh)
        LATENCY.observe(max(0.0, (now - published).total_seconds()))
        COLLECTED_LATENCY.observe(max(0.0, (now - collected).total_seconds()))
