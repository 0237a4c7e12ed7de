"""The service `page`: the feed and the web server in one task each."""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import uvicorn

from response.address import address
from response.notify.relay import Relay
from response.notify.writer import Writer
from response.page.app import build
from response.page.feed import Feed
from response.page.guard import Guard, is_loopback
from response.page.people import People, users_path
from response.page.view import View
from response.page.web import Page
from response.secret import secret
from response.settings import AlertsSettings, PageSettings
from streams.log.port import Log
from streams.service import CannotStart
from streams.settings import RootSettings

log = logging.getLogger("siaga.page")

DRAIN_S = 2.0
"""For open requests when the service stops (services drain within 5 s)."""


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to whoever runs the services."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: RootSettings, log_: Log) -> None:
    """Serve the live page until cancelled.

    Raises
    ------
    CannotStart
        If the port is taken or the address is not ours, or if others could read without a login.
    """
    page = settings.section(PageSettings)
    guard = _guard(settings, page)
    listener = _listen(page)
    view = View(page.history_minutes)
    feed = Feed(log_, view, brands=len(settings.brands), clock=time.time)
    http = httpx.AsyncClient(timeout=settings.section(AlertsSettings).timeout_s)
    try:
        relay = Relay(settings, view, log_, Writer(settings, _utc_now), http)
    except CannotStart:
        listener.close()
        raise
    shared = Page(settings, view, log_, guard, time.time, relay=relay)
    config = uvicorn.Config(
        build(shared),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(DRAIN_S),
        proxy_headers=False,
    )
    server = _Server(config)
    log.info("live page: %s", address(page, listener))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed.run(), name="page feed")
            group.create_task(relay.run(), name="page relay")
            web = group.create_task(_web(server, listener, shared), name="page web")
            await web
    finally:
        listener.close()
        await http.aclose()


async def _web(server: _Server, listener: socket.socket, shared: Page) -> None:
    running = asyncio.create_task(server.serve(sockets=[listener]), name="page uvicorn")
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        shared.closing.set()
        server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running, DRAIN_S + 1)
        raise


def _guard(settings: RootSettings, page: PageSettings) -> Guard:
    people = People(users_path(settings))
    if not is_loopback(page.host) and not people.users():
        raise CannotStart(
            f"the live page would be open to everyone who reaches {page.host}: add people first "
            "(siaga user add NAME), or set [page] host to 127.0.0.1"
        )
    tv_token = os.environ.get(page.tv_token_env, "").strip()
    return Guard(page, people, secret(settings), tv_token=tv_token, clock=time.time)


def _listen(page: PageSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in page.host else socket.AF_INET
    try:
        return socket.create_server((page.host, page.port), family=family)
    except OSError as e:
        raise CannotStart(
            f"the live page cannot listen on {page.host}:{page.port} ({e.strerror}): "
            "stop what uses it or set another [page] port in siaga.toml (0: any free one)"
        ) from e


def _utc_now() -> datetime:
    return datetime.now(UTC)
