"""The connectors' metrics, all in one place. Labels come from the configuration only.

Cardinality: `connector` is one per configured source; reasons and kinds of repair are closed sets
in `connectors/ingest/door.py`.
"""

from collections.abc import Iterable
from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

from streams.registry import REGISTRY

FETCHED = Counter(
    "siaga_connector_fetched_total",
    "Items that the source returned, before matching and dedupe.",
    labelnames=("connector",),
    registry=REGISTRY,
)
MATCHED = Counter(
    "siaga_connector_matched_total",
    "Items that are about at least one configured brand.",
    labelnames=("connector",),
    registry=REGISTRY,
)
UNMATCHED = Counter(
    "siaga_connector_unmatched_total",
    "Items that are about no configured brand.",
    labelnames=("connector",),
    registry=REGISTRY,
)
PUBLISHED = Counter(
    "siaga_connector_published_total",
    "Mentions (one per item and brand) that the log has acknowledged.",
    labelnames=("connector",),
    registry=REGISTRY,
)
DUPLICATES = Counter(
    "siaga_connector_duplicates_total",
    "Mentions left out because this runner has just published the same id and revision.",
    labelnames=("connector",),
    registry=REGISTRY,
)
DEAD = Counter(
    "siaga_connector_dead_letters_total",
    "Input that could not become a mention, kept in siaga.dead.v1.",
    labelnames=("connector", "reason"),
    registry=REGISTRY,
)
REPAIRED = Counter(
    "siaga_connector_repaired_total",
    "Items that were changed at the door: time clamped, text cut, characters removed.",
    labelnames=("connector", "repair"),
    registry=REGISTRY,
)
FAILURES = Counter(
    "siaga_connector_failures_total",
    "Fetches that failed and are tried again, and sources that stopped (kind: retryable, fatal).",
    labelnames=("connector", "kind"),
    registry=REGISTRY,
)
UP = Gauge(
    "siaga_connector_up",
    "1 while the source answers, 0 while it fails or has stopped for a person to mend.",
    labelnames=("connector",),
    registry=REGISTRY,
)
LAST_SUCCESS = Gauge(
    "siaga_connector_last_success_timestamp_seconds",
    "When a page was last fetched and published.",
    labelnames=("connector",),
    registry=REGISTRY,
)
LAG = Gauge(
    "siaga_connector_lag_seconds",
    "The source's clock minus its watermark: how old what it has not shown yet may be.",
    labelnames=("connector",),
    registry=REGISTRY,
)
QUOTA_LEFT = Gauge(
    "siaga_connector_quota_remaining",
    "Units that the source's budget still grants in its window, where it has one.",
    labelnames=("connector",),
    registry=REGISTRY,
)
FETCH_SECONDS = Histogram(
    "siaga_connector_fetch_seconds",
    "Time of one fetch.",
    labelnames=("connector",),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60),
    registry=REGISTRY,
)


def begin(connector: str, reasons: Iterable[str]) -> None:
    """Show a source from its start on: a counter that appears with its first event has no rate."""
    for counter in (FETCHED, MATCHED, UNMATCHED, PUBLISHED, DUPLICATES):
        counter.labels(connector)
    for reason in reasons:
        DEAD.labels(connector, reason)
    for kind in ("retryable", "fatal"):
        FAILURES.labels(connector, kind)
    UP.labels(connector).set(0)


def quota_left(connector: str) -> float | None:
    """Return what the budget of a source still grants, if it has one that was told."""
    for family in QUOTA_LEFT.collect():
        for sample in family.samples:
            if sample.labels.get("connector") == connector:
                return float(sample.value)
    return None


def forget(connector: str) -> None:
    """Drop the series of a source that is configured no more."""
    for metric in (FETCHED, MATCHED, UNMATCHED, PUBLISHED, DUPLICATES, DEAD, REPAIRED, FAILURES,
                   UP, LAST_SUCCESS, LAG, QUOTA_LEFT, FETCH_SECONDS):  # fmt: skip
        with suppress(KeyError):
            metric.remove_by_labels({"connector": connector})
