"""`siaga connect`: the service on its own, with its metrics."""

from prometheus_client import start_http_server

from streams.registry import REGISTRY
from streams.run import main
from streams.service import CannotStart
from streams.settings import RootSettings


def connect(settings: RootSettings, *, metrics_port: int) -> None:
    """Run all sources until a signal; the host of `[metrics]` serves /metrics if a port is given.

    Raises
    ------
    CannotStart
        If the port is taken.
    """
    if not metrics_port:
        main(settings, ["connect"])
        return
    host = settings.metrics.host
    try:
        server, thread = start_http_server(metrics_port, addr=host, registry=REGISTRY)
    except OSError as e:
        raise CannotStart(
            f"metrics cannot listen on {host}:{metrics_port}: {e.strerror}; "
            "stop what uses the port or choose another --metrics-port"
        ) from e
    try:
        main(settings, ["connect"])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=1)
