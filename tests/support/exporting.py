"""A stand-in for our processes' `/metrics`: real Prometheus metrics, set by the test."""

from prometheus_client import CollectorRegistry, Gauge, start_http_server


class Exporter:
    """Serves what the test sets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gauges: dict[str, Gauge] = {}
        self._server, _ = start_http_server(0, addr="127.0.0.1", registry=self.registry)
        self.port = int(self._server.server_port)
        self.address = f"127.0.0.1:{self.port}"

    def set(self, metric: str, value: float, **labels: str) -> None:
        if metric not in self.gauges:
            self.gauges[metric] = Gauge(metric, metric, list(labels), registry=self.registry)
        gauge = self.gauges[metric]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def brand(self, name: str, level: int, *, observed: float, expected: float) -> None:
        """A brand's level and its volume."""
        self.set("siaga_severity_level", level, brand=name)
        for metric, value in (
            ("siaga_observed", observed),
            ("siaga_expected", expected),
            ("siaga_upper", 3 * expected),
            ("siaga_anomaly_score", observed / expected),
        ):
            self.set(metric, value, brand=name, signal="volume")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
