"""`/metrics` of this process, whatever services run in it.

The client library writes every line anew and compresses with gzip's level 9: at 10,000 brands 4 s
of a core for each scrape, in the process that carries the stream. Here it is exposition.py that
writes (`make bench-brands` measures a scrape as a whole).
"""

import logging
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, ThreadingWSGIServer
from prometheus_client.registry import CollectorRegistry

from streams.exposition import head, lines
from streams.registry import REGISTRY
from streams.service import CannotStart
from streams.settings import RootSettings

log = logging.getLogger(__name__)

GZIP_LEVEL = 1
"""Nearly as small as level 9 (a twentieth) in a fifteenth of its time."""
GZIP_WINDOW = 31
"""zlib's number for a window of 32 KB in gzip's format."""


class _Quiet(WSGIRequestHandler):
    """Logs no request."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _OverIPv6(ThreadingWSGIServer):
    address_family = socket.AF_INET6


@asynccontextmanager
async def exporter(settings: RootSettings) -> AsyncIterator[None]:
    """Serve `/metrics` in a thread of its own while the block runs.

    Raises
    ------
    CannotStart
        If the address is taken.
    """
    host, port = settings.metrics.host, settings.metrics.port
    kind: type[WSGIServer] = _OverIPv6 if ":" in host else ThreadingWSGIServer
    try:
        server = make_server(host, port, _answer, kind, handler_class=_Quiet)
    except OSError as e:
        msg = (
            f"metrics cannot listen on {host}:{port}: {e.strerror}; "
            "stop what uses it or set [metrics] port"
        )
        raise CannotStart(msg) from e
    thread = threading.Thread(target=server.serve_forever, name="siaga-metrics", daemon=True)
    thread.start()
    log.info("Metrics at http://%s:%d/metrics", host, server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=1)


def _answer(asked: dict[str, Any], begin: Callable[..., Any]) -> Iterable[bytes]:
    if asked["REQUEST_METHOD"] not in ("GET", "HEAD"):
        begin("405 Method Not Allowed", [("Allow", "GET, HEAD")])
        return [b""]
    body = render(REGISTRY)
    headers = [("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)]
    if "gzip" in asked.get("HTTP_ACCEPT_ENCODING", ""):
        squeeze = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WINDOW)
        body = squeeze.compress(body) + squeeze.flush()
        headers.append(("Content-Encoding", "gzip"))
    begin("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [b"" if asked["REQUEST_METHOD"] == "HEAD" else body]


def render(registry: CollectorRegistry) -> bytes:
    """Everything in a registry."""
    return "".join([head(metric) + lines(metric) for metric in registry.collect()]).encode()
