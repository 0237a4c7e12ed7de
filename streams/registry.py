"""The one Prometheus registry; each package declares its metrics in its `metrics.py`."""

from prometheus_client import CollectorRegistry

REGISTRY = CollectorRegistry(auto_describe=True)
