"""The one Prometheus registry. A package's metrics stand in its `metrics.py`; what is worked out at
a scrape is a collector beside what it tells of."""

from prometheus_client import CollectorRegistry

REGISTRY = CollectorRegistry(auto_describe=True)
