"""`/metrics` of this process, whatever services run in it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import start_http_server

from streams.registry import REGISTRY
from streams.service import CannotStart
from streams.settings import RootSettings

log = logging.getLogger(__name__)


@asynccontextmanager
async def exporter(settings: RootSettings) -> AsyncIterator[None]:
    """Serve `/metrics` in a thread of its own while the block runs.

    Raises
    ------
    CannotStart
        If the address is taken.
    """
    host, port = settings.metrics.host, settings.metrics.port
    try:
        server, thread = start_http_server(port, addr=host, registry=REGISTRY)
    except OSError as e:
        msg = (
            f"metrics cannot listen on {host}:{port}: {e.strerror}; "
            "stop what uses it or set [metrics] port"
        )
        raise CannotStart(msg) from e
    log.info("Metrics at http://%s:%d/metrics", host, server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=1)
