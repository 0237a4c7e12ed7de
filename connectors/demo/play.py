"""Runs the demo: the same services as `siaga run`, and a watcher beside them."""

import asyncio
import json
import logging
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo

from rich.console import RenderableType
from rich.live import Live

from connectors.demo import screen
from connectors.demo.options import Options, onset_of, settings_for
from connectors.demo.watch import Seen, watch
from detectors.incidents.severity import ALERT
from streams.log.open import open_log
from streams.log.port import Log
from streams.logs import set_up
from streams.records import Incident
from streams.run import run, services
from streams.service import Service
from streams.settings import RootSettings

REFRESH_S = 0.25


class Player:
    """The watcher as a service, and what came of it."""

    def __init__(self, options: Options, settings: RootSettings) -> None:
        self.options = options
        self.settings = settings
        self.seen = Seen()
        self.zone = ZoneInfo(settings.time_zone)
        self.console = screen.console(headless=options.headless)
        self.timed_out = False
        self._alerted = asyncio.Event()

    async def serve(self, settings: RootSettings, log: Log) -> None:
        """Watch until the alert, the end or the time-out; then, with a screen, until Ctrl-C."""
        limit_s = self.options.timeout_s or None
        try:
            async with asyncio.timeout(limit_s):
                await self._follow(settings, log)
        except TimeoutError:
            self.timed_out = True
            return
        if not self.options.headless and not self.options.until_alert:
            self.console.print("The scenario is over; the page stays. Ctrl-C ends it.", style="dim")
            await asyncio.Event().wait()

    async def _follow(self, settings: RootSettings, store: Log) -> None:
        watching = asyncio.create_task(watch(settings, store, self.seen, on_alert=self._tell))
        showing = asyncio.create_task(self._show())
        alerted = asyncio.create_task(self._alerted.wait())
        ends = {watching, alerted} if self.options.until_alert else {watching}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            for task in (watching, showing, alerted):
                task.cancel()
            await asyncio.gather(watching, showing, alerted, return_exceptions=True)

    async def _tell(self, incident: Incident) -> None:
        self.console.print(screen.alert(incident, self.zone, self.options.language))
        self._alerted.set()

    async def _show(self) -> None:
        began = monotonic()
        if self.options.headless:
            while True:
                await asyncio.sleep(5)
                self.console.print(self._line(began))
        with Live(console=self.console, refresh_per_second=4) as live:
            while True:
                live.update(self._line(began))
                await asyncio.sleep(REFRESH_S)

    def _line(self, began: float) -> RenderableType:
        rate = self.seen.mentions / max(monotonic() - began, 0.1)
        return screen.progress(self.seen, self.zone, self.options.language, rate)

    def exit_code(self) -> int:
        """Print the summary of a headless run and judge it: 0 if it did what was asked."""
        alert = self.seen.alert
        reason = ""
        if self.options.until_alert and alert is None:
            reason = (
                f"no alert within {self.options.timeout_s:g} s"
                if self.timed_out
                else "the scenario ended without an alert"
            )
        elif self.timed_out:
            reason = f"not finished within {self.options.timeout_s:g} s"
        if self.options.headless:
            sys.stdout.write(json.dumps(self._summary(alert, reason)) + "\n")
        elif reason:
            self.console.print(reason)
        return 1 if reason else 0

    def _summary(self, alert: Incident | None, reason: str) -> dict[str, object]:
        summary: dict[str, object] = {"mentions": self.seen.mentions}
        if reason:
            summary["reason"] = reason
        if alert is None:
            return {**summary, "alerts": 0}
        onset = onset_of(self.options) or alert.onset
        raised = _raised(alert)
        return {
            "brand": alert.brand,
            "severity": screen.LEVEL_NAMES["en"][alert.level],
            "signal": alert.signal,
            "observed": alert.observed,
            "expected": alert.expected,
            "event_time": raised.isoformat(),
            "seconds_since_onset": (raised - onset).total_seconds(),
            **summary,
            "alerts": sum(i.peak >= ALERT for i in self.seen.incidents.values()),
        }


def _raised(incident: Incident) -> datetime:
    """When the incident reached the level that it has."""
    return incident.history[-1].at if incident.history else incident.opened_at


def play(options: Options) -> int:
    """Play the demo; returns the exit code."""
    set_up(logging.WARNING)
    if not options.headless:
        logging.getLogger("siaga.page").setLevel(logging.INFO)  # says its address
    with tempfile.TemporaryDirectory(prefix="siaga-demo-") as folder:
        settings = settings_for(options, Path(folder))

        async def start() -> Player:
            player = Player(options, settings)
            wanted: dict[str, Service] = {**services(), "demo": player.serve}
            await run(settings, open_log(settings), wanted, until="demo")
            return player

        return asyncio.run(start()).exit_code()
