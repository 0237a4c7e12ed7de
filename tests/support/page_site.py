"""The page as a site that a test fills, and a browser that keeps cookies and follows nothing."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from response.links import Ticket, sign
from response.page.app import build
from response.page.guard import Guard
from response.page.people import People
from response.page.view import View
from response.page.web import Page
from response.settings import PageSettings
from streams import codec
from streams.records import Action, ScoredBatch
from streams.topics import ACTIONS

SIGNING = "0123456789abcdef-test"
TV_WORD = "tv-secret"
GOOD = "hujan di pagi hari"
HTML = {"accept": "text/html"}


class Browser:
    """Sends requests to the application, keeps cookies, follows no redirect."""

    def __init__(self, app: Any, host: str, address: str) -> None:
        self.app, self.base, self.address = app, f"http://{host}", address
        self.cookies = httpx.Cookies()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._send("GET", path, options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._send("POST", path, options))

    async def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(self.address, 5000))
        async with httpx.AsyncClient(
            transport=transport, base_url=self.base, cookies=self.cookies
        ) as client:
            answer = await client.request(method, path, **options)
            self.cookies = client.cookies
        return answer


class Site:
    """A page over a view that the test fills, with a browser."""

    def __init__(self, make: SimpleNamespace, data: Path, toml: str = "") -> None:
        self.settings = make.settings(toml, data)
        self.now = make.now.timestamp() + 60
        self.log, self.view = make.log(), View()
        self.people = People(data / "users.json")
        section = self.settings.section(PageSettings)
        guard = Guard(section, self.people, SIGNING, tv_token=TV_WORD, clock=lambda: self.now)
        self.page = Page(self.settings, self.view, self.log, guard, lambda: self.now)
        self.app = build(self.page)
        self.incident = make.incident()
        self.view.incident(self.incident, self.now)
        self.view.minute(make.minute(0), self.now)
        self.view.scored(
            ScoredBatch("x", "kirana", (make.scored("f:1", "<img src=x onerror=alert(1)>"),)),
            self.now,
        )
        self.path = f"/incident/{self.incident.id}"

    def browser(self, host: str = "127.0.0.1:8787", address: str = "127.0.0.1") -> Browser:
        return Browser(self.app, host, address)

    def logged_in(self, role: str = "responder", name: str = "sari") -> Browser:
        self.people.put(name, GOOD, role)
        browser = self.browser()
        answer = browser.post("/login", data={"name": name, "password": GOOD})
        assert answer.status_code == 303
        return browser

    def csrf(self, browser: Browser) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', browser.get(self.path).text)
        assert found
        return found[1]

    def token(self, **changes: Any) -> str:
        values: dict[str, Any] = {
            "purpose": "ack",
            "incident": self.incident.id,
            "target": "telegram/chat",
            "expires": int(self.now) + 3600,
        }
        return sign(SIGNING, Ticket(**(values | changes)))

    def recorded(self) -> list[Action]:
        parts = [kept for (topic, _), kept in self.log.partitions.items() if topic == ACTIONS]
        return [codec.action.decode(r.value or b"") for kept in parts for r in kept]
