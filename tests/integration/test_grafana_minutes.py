"""A crisis from the real Kafka to the phones: who hears what, in which order, how often.

A real `siaga worker` is killed with -9 and started again while Grafana watches it. Some three
minutes; `make test-grafana-long` takes eleven, in which it is also stopped in order and paused
beyond its session, a second one joins and leaves, and the broker is killed.
"""

import asyncio
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chain import SIAGA, free_port, samples, siaga, siaga_once, wait_for
from posts import Mailbox, Post, Webhooks
from services import Grafana, Kafka, Prometheus
from traffic import MINUTE_S, Burst, Traffic

from grafana.client import Client
from grafana.dashboards import dashboards
from streams import codec
from streams.log.kafka import KafkaLog
from streams.records import Incident
from streams.settings import LogSettings
from streams.topics import INCIDENTS

pytestmark = [pytest.mark.services, pytest.mark.timeout(1500)]

LONG = os.environ.get("SIAGA_LONG") == "1"
PARTITIONS = 4
BRANDS = {"melati": 1.0, "kenanga": 1.0, "dahlia": 1.0, "teratai": 1.0}
"""Mentions a minute. Melati has a crisis, kenanga an alert, dahlia a campaign, teratai nothing."""
PAST_DAYS = 7.0 if LONG else 2.0
HEAD_START_S = 0.0 if LONG else 7 * MINUTE_S
"""The short one begins with what a worker finds that was away for some minutes."""
REMIND_MIN, ESCALATE_MIN = 1, 2
QUIET_S = 470 if LONG else 150
ACKNOWLEDGED_S = 560 if LONG else 215
"""Nobody acknowledges before, nor before the ladder has come to management."""
AFTER_S = 35
FAILURES = (
    (
        (20, "kill", 15),
        (100, "join", 60),
        (230, "kill", 40),
        (300, "term", 15),
        (350, "pause", 15),
        (410, "broker", 20),
        (470, "kill", 30),
    )
    if LONG
    else ((25, "kill", 10), (60, "kill", 5))
)
"""Seconds after the onset at which something fails, what, and for how long."""
WORD = "a-word-that-grafana-shows"
UNSEEN = {"New phrases"}
"""Panels of what this course has none of; `test_grafana_real.py` sees them with series."""
LEVELS = ("normal", "watch", "alert", "crisis")


@dataclass
class Course:
    """What was done and told; times are epoch seconds."""

    hooks: Webhooks
    phones: Webhooks
    mailbox: Mailbox
    traffic: Traffic
    onset: float = 0.0
    quiet_until: float = 0.0
    acknowledged: float = 0.0
    over: float = 0.0
    incidents: list[tuple[float, Incident]] = field(default_factory=list)
    """As the worker wrote them, with the time at which each was on the log."""

    def told(self, contact: str, brand: str, alert: str) -> list[tuple[str, ...]]:
        """Severities and states of a thread's notifications, in their order."""
        about = f"{alert} {brand} "
        return [
            tuple(line.removeprefix(about) for line in post.told())
            for post in self.hooks.of(contact)
            if any(line.startswith(about) for line in post.told())
        ]

    def levels(self, contact: str, brand: str) -> list[str]:
        """Severities that a contact heard begin, in their order."""
        posts = self.told(contact, brand, "SiagaLevel")
        return [line.split()[0] for post in posts for line in post if line.endswith("firing")]

    def reached(self, brand: str) -> dict[str, float]:
        """When each level of a brand was first on the log."""
        found: dict[str, float] = {}
        for at, incident in self.incidents:
            if incident.brand == brand and incident.closed_at is None:
                found.setdefault(LEVELS[incident.level], at)
        return found


Do = Callable[[], object]


class Feed:
    """A news site whose feed is there until it is closed."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<rss version='2.0'><channel><title>-</title></channel></rss>")

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/feed.xml"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Worker:
    """A real `siaga worker`, once it is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [SIAGA, "worker"], cwd=self.folder, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> "subprocess.Popen[bytes]":
        assert self.process is not None
        assert self.process.poll() is None, "the worker ended by itself"
        self.process.send_signal(number)
        return self.process

    def kill(self) -> None:
        self.send(signal.SIGKILL).wait()

    def stop(self) -> None:
        self.send(signal.SIGTERM).wait(30)

    def away(self) -> None:
        """Stop it if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def pause(self) -> None:
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)


@pytest.fixture(scope="module")
def course(
    kafka: Kafka, prometheus: Prometheus, grafana: Grafana, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Course]:
    """Play it once; every test looks at what was told."""
    prefix, now = f"minutes{int(time.time())}.", time.time()
    log = LogSettings(
        kind="kafka", bootstrap=(kafka.address,), prefix=prefix, partitions=PARTITIONS
    )
    hold = now - HEAD_START_S
    with ExitStack() as stack:
        hooks, phones, mailbox, feed = Webhooks(), Webhooks(), Mailbox(grafana.smtp_port), Feed()
        for server in (hooks, phones, mailbox):
            stack.callback(server.close)
        traffic = Traffic(log, BRANDS, cursor=hold - PAST_DAYS * 86_400, until=hold)
        stack.callback(traffic.stop)
        found = Course(hooks, phones, mailbox, traffic)
        page, ports = (
            free_port(),
            {name: free_port() for name in ("worker", "second", "connect", "clocks")},
        )
        folders = {}

        def configure(name: str) -> None:
            folder = folders.setdefault(name, tmp_path_factory.mktemp(name))
            port = ports.get(name) or free_port()
            text = _config(log, port, page, prometheus, grafana, found, feed)
            (folder / "siaga.toml").write_text(text)

        for name in (*ports, "page", "alerts"):
            configure(name)
        stack.enter_context(_env(SIAGA_RELAY_TOKEN=WORD, PHONE=f"{phones.url}/sari"))
        traffic.wait(300)
        siaga_once(folders["worker"], "event", "add", "dahlia", "--from", _iso(now - 3600),
                   "--until", _iso(now + 7200), "--who", "sari")  # fmt: skip
        worker, second = Worker(folders["worker"]), Worker(folders["second"])
        worker.start()
        for each in (worker, second):
            stack.callback(each.away)
        for name in ("connect", "clocks", "page", "alerts"):
            stack.enter_context(siaga(folders[name], name, name=name))
        past = PAST_DAYS * 1440 * 0.9
        wait_for("the past", lambda: _heard(ports["worker"]) > past * len(BRANDS), timeout_s=400)
        targets = {name: f"127.0.0.1:{port}" for name, port in ports.items()}

        def scrape(*without: str) -> None:
            wanted = [target for name, target in targets.items() if name not in without]
            prometheus.set_targets("minutes", wanted)

        scrape("second")
        found.quiet_until = _minute(time.time() + QUIET_S + 60).timestamp()
        configure("people")
        password = {"SIAGA_GRAFANA_PASSWORD": grafana.password}
        siaga_once(folders["people"], "grafana", "apply", **password)
        stack.callback(siaga_once, folders["people"], "grafana", "destroy", "--yes", **password)
        stack.callback(prometheus.set_targets, "minutes", [])
        # A rule that is new fires for what it finds; from here on all is calm
        time.sleep(12)
        assert [post.told() for post in hooks.posts] == []
        _play(found, _failures(worker, second, kafka, scrape), feed, folders["people"])
        found.incidents = asyncio.run(_incidents(log))
        yield found


def _minute(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(second=0, microsecond=0)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@contextmanager
def _env(**values: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield


def _heard(port: int) -> float:
    return sum(samples(port, "siaga_mentions_total").values())


def _config(
    log: LogSettings,
    port: int,
    page: int,
    prometheus: Prometheus,
    grafana: Grafana,
    course: Course,
    feed: Feed,
) -> str:
    quiet = _minute(time.time() - 120), _minute(course.quiet_until)

    def contact(name: str, audience: str, more: str = "") -> str:
        return (
            f'[grafana.contacts.{name}]\ntype = "webhook"\nurl = "{course.hooks.url}/{name}"\n'
            f'audience = "{audience}"\n{more}\n'
        )

    brands = "\n".join(f'[brands.{name}]\nnames = ["{name}"]' for name in BRANDS)
    return f"""
language = "en"
time_zone = "UTC"
{brands}
[log]
kind = "kafka"
bootstrap = ["{log.bootstrap[0]}"]
prefix = "{log.prefix}"
partitions = {log.partitions}
[metrics]
port = {port}
[worker]
blind_after_s = 30
[sources.news]
type = "rss"
url = "{feed.url}"
poll_s = 10
lateness_s = 0
allow_private = true
[page]
port = {page}
[alerts.webhooks.direct]
url = "{course.phones.url}/direct"
min_level = "crisis"
[oncall.people.sari]
url_env = "PHONE"
[[oncall.shifts]]
who = ["sari"]
[grafana]
url = "{grafana.address}"
name = "minutes"
title = "Minutes"
prometheus_url = "{prometheus.address}"
page_url = "http://page.example"
{contact("channel", "channel")}
{contact("night", "channel", "quiet_hours = true")}
{contact("oncall", "oncall")}
{contact("boss", "management")}
{contact("sre", "operations")}
[grafana.contacts.letters]
type = "email"
addresses = ["direksi@contoh.test"]
audience = "management"
[grafana.contacts.rota]
type = "webhook"
url = "http://127.0.0.1:{page}/relay/rota"
user = "grafana"
password_env = "SIAGA_RELAY_TOKEN"
audience = "oncall"
[grafana.quiet_hours]
start = "{quiet[0]:%H:%M}"
until = "{quiet[1]:%H:%M}"
[grafana.thresholds]
unacknowledged_crisis_minutes = [{REMIND_MIN}, {ESCALATE_MIN}]
unacknowledged_alert_minutes = [30, 60]
connector_silent_minutes = 1
"""


def _failures(
    worker: Worker, second: Worker, broker: Kafka, scrape: Callable[..., None]
) -> list[tuple[float, Do]]:
    """When to do what: each failure, and its end."""

    def join() -> None:
        second.start()
        scrape()

    def leave() -> None:
        second.stop()
        scrape("second")

    kinds: dict[str, tuple[Do, Do]] = {
        "kill": (worker.kill, worker.start),
        "term": (worker.stop, worker.start),
        "pause": (worker.pause, worker.resume),
        "join": (join, leave),
        "broker": (broker.kill, broker.start),
    }
    steps: list[tuple[float, Do]] = []
    for at, kind, for_s in FAILURES:
        begin, end = kinds[kind]
        steps += [(at, begin), (at + for_s, end)]
    return steps


def _play(course: Course, failures: list[tuple[float, Do]], feed: Feed, people: Path) -> None:
    course.onset = time.time()
    begin, end = course.onset - HEAD_START_S, course.onset + 3600
    course.traffic.bursts += [
        Burst("melati", begin, end, a_minute=60, angry=True),
        Burst(
            "kenanga",
            course.onset - HEAD_START_S / 2,
            course.onset + (150 if LONG else 120),
            a_minute=9 if LONG else 7,
            angry=True,
        ),
        Burst("dahlia", begin, end, a_minute=40, angry=False),
    ]
    course.traffic.go()

    for at, do in sorted([(5.0, feed.close), *failures], key=lambda step: step[0]):
        time.sleep(max(0.0, course.onset + at - time.time()))
        do()
    wait_for(
        "management to hear that nobody has acknowledged",
        lambda: course.told("boss", "melati", "SiagaUnacknowledged"),
        timeout_s=400,
    )
    time.sleep(max(0.0, course.onset + ACKNOWLEDGED_S - time.time()))
    course.acknowledged = time.time()
    siaga_once(people, "incident", "ack", "melati", "--who", "sari")
    course.traffic.bursts.clear()
    time.sleep(AFTER_S)
    course.over = time.time()
    siaga_once(people, "incident", "close", "melati", "--who", "sari", "--why", "all arrived")
    time.sleep(AFTER_S)


async def _incidents(settings: LogSettings) -> list[tuple[float, Incident]]:
    log = KafkaLog(settings)
    try:
        return [
            (record.timestamp_ms / 1000, codec.incident.decode(record.value))
            async for chunk in log.read(INCIDENTS)
            for record in chunk
            if record.value is not None
        ]
    finally:
        await log.close()


def test_seconds_from_kafka_to_each_notification(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    log = {brand: course.reached(brand) for brand in ("melati", "kenanga")}
    first = course.traffic.first["melati"]
    whole = time.time() - course.onset
    lines = [f"{whole:.0f} s, failures: {[kind for _, kind, _ in FAILURES]}"]
    lines += [
        f"melati {level} on the log {at - first:.1f} s after the first complaint"
        for level, at in log["melati"].items()
    ]
    lines += [
        f"{post.at - course.onset:6.1f} s  {post.contact:8} {_late(post, log)} "
        f"{', '.join(post.told())}"
        for post in course.hooks.posts
    ]
    lines += [
        f"{post.at - course.onset:6.1f} s  {post.contact:8} "
        f"{' '.join(str(post.body.get(key)) for key in ('status', 'brand', 'severity', 'summary'))}"
        for post in course.phones.posts
    ]
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201 (the result)
    heard = {post.contact for post in course.hooks.posts}
    assert heard == {"channel", "night", "oncall", "boss", "sre"}
    assert {post.contact for post in course.phones.posts} == {"sari", "direct"}


def test_the_crisis_is_one_incident_and_quiet_and_campaign_are_none(course: Course) -> None:
    opened = Counter(i.brand for _, i in course.incidents if i.change == "opened")
    assert opened == {"melati": 1, "kenanga": 1}
    assert max(course.reached("melati"), key=LEVELS.index) == "crisis"
    assert max(course.reached("kenanga"), key=LEVELS.index) == "alert"


@pytest.mark.parametrize(
    ("contact", "least"), [("channel", "watch"), ("oncall", "alert"), ("boss", "crisis")]
)
def test_each_level_is_told_once_in_order_to_those_who_hear_it(
    course: Course, contact: str, least: str
) -> None:
    told = course.levels(contact, "melati")
    # A level that lasts for less than an evaluation is none that people hear of
    assert told == sorted(set(told) & set(course.reached("melati")), key=LEVELS.index)
    assert told[-1] == "crisis"
    assert LEVELS.index(told[0]) >= LEVELS.index(least)
    # Each in a message of its own, with the end of the one before; then one end of all
    ended = [(), *((f"{level} resolved",) for level in told)]
    expected = [(*end, f"{level} firing") for end, level in zip(ended, told, strict=False)]
    posts = course.told(contact, "melati", "SiagaLevel")
    assert posts == [*map(tuple, map(sorted, expected)), ("crisis resolved",)]
    assert course.hooks.of(contact)[-1].at >= course.over


def test_who_does_not_acknowledge_is_reminded_then_passed_over(course: Course) -> None:
    alert = ("melati", "SiagaUnacknowledged")
    steps = [("alert firing",), ("alert resolved", "crisis firing"), ("crisis resolved",)]
    for contact in ("channel", "oncall"):
        told = course.told(contact, *alert)
        # One who comes late to an incident hears the step at which it is
        assert told in (steps, [("crisis firing",), *steps[2:]]), contact
    assert course.told("boss", *alert) == [("crisis firing",), ("crisis resolved",)]
    [first, last] = _posts(course, "boss", *alert)
    assert first.at >= course.reached("melati")["crisis"]
    assert last.at >= course.acknowledged


def test_an_outage_of_a_connector_reaches_the_sre_and_nobody_else(course: Course) -> None:
    told = {line for post in course.hooks.of("sre") for line in post.told()}
    assert "SiagaConnectorFailing news page firing" in told
    known = ["SiagaConnectorFailing", "SiagaSourceBlind"]
    if LONG:  # what waited for the broker was late indeed, and a jump was healed
        known += ["SiagaLatency", "SiagaStreamGap"]
    assert all(line.startswith(tuple(known)) for line in told)
    for contact in ("channel", "oncall", "boss", "night"):
        assert not any(_about(post, "Connector", "Source") for post in course.hooks.of(contact))


def test_nothing_else_is_told_to_the_comms_team(course: Course) -> None:
    told = {
        line.split()[0]
        for post in course.hooks.posts
        if post.contact != "sre"
        for line in post.told()
    }
    assert told == {"SiagaLevel", "SiagaUnacknowledged"}


@pytest.mark.parametrize("board", dashboards("minutes", "en"), ids=lambda board: str(board["uid"]))
def test_panels_return_series_over_real_data(
    course: Course, grafana: Grafana, board: dict[str, Any]
) -> None:
    client = Client(grafana.address, (grafana.user, grafana.password))
    saved = client.get(f"/dashboards/uid/{board['uid']}")["dashboard"]
    empty = set()
    for panel in (each for each in saved["panels"] if each["type"] != "row"):
        found = 0
        for target in panel["targets"]:
            expr = re.sub(r"\$(channel|topic)", ".*", target["expr"].replace("$brand", "melati"))
            span = {
                "from": str(int(1000 * (course.onset - 60))),
                "to": str(int(1000 * course.over)),
            }
            asked = {"queries": [{**target, "expr": expr, "intervalMs": 5000}], **span}
            result = client.post("/ds/query", asked)["results"][target["refId"]]
            assert result["status"] == 200, (panel["title"], result)
            found += sum(len(frame["data"]["values"]) > 1 for frame in result["frames"])
        empty |= set() if found else {panel["title"]}
    assert empty <= UNSEEN


def test_a_campaign_and_a_quiet_brand_are_silent(course: Course) -> None:
    for post in course.hooks.posts:
        assert not _about(post, "dahlia", "teratai")


def test_quiet_hours_hold_an_alert_back_until_they_end_and_never_a_crisis(course: Course) -> None:
    [alert] = _posts(course, "night", "kenanga", "SiagaLevel")
    assert alert.told() == ("SiagaLevel kenanga alert firing",)
    assert alert.at >= course.quiet_until
    # The same audience without quiet hours heard it at once
    assert _posts(course, "channel", "kenanga", "SiagaLevel")[0].at < course.quiet_until
    crisis = _posts(course, "night", "melati", "SiagaLevel")
    assert [post.told() for post in crisis] == [
        ("SiagaLevel melati crisis firing",),
        # Again as the quiet hours end: by day it is a thread that hears every level
        ("SiagaLevel melati crisis firing",),
        ("SiagaLevel melati crisis resolved",),
    ]
    assert crisis[0].at < course.quiet_until <= crisis[1].at


def test_management_gets_letters_in_our_own_words(course: Course) -> None:
    letters = course.mailbox.got
    first = letters[0]
    assert isinstance(first, EmailMessage)
    assert first["to"] == "direksi@contoh.test"
    assert first["subject"].startswith("CRISIS: melati. ")
    assert "usually" in first["subject"]
    body = first.get_body(("html", "plain"))
    assert body is not None
    assert "http://page.example/?brand=melati" in body.get_content()
    assert len(letters) == len(course.hooks.of("boss"))


def test_grafana_reaches_whoever_is_on_call_now_by_the_relay(course: Course) -> None:
    posts = [post.body for post in course.phones.of("sari")]
    told = [body for body in posts if body.get("brand") == "melati"]
    assert "sari" in str(told[0]["oncall"])
    levels = [body["severity"] for body in told if body["status"] == "firing"]
    assert levels[-1] == "CRISIS"
    assert len(levels) == len(set(levels))
    assert told[0]["samples"]
    assert any(body["status"] == "acknowledged" for body in told)


def _late(post: Post, log: dict[str, dict[str, float]]) -> str:
    """Seconds from the record of a level to its notification."""
    for line in post.told():
        alert, brand, severity, state = line.split()
        if (alert, state) == ("SiagaLevel", "firing") and severity in log.get(brand, {}):
            return f"(+{post.at - log[brand][severity]:.1f} s)"
    return ""


def _posts(course: Course, contact: str, brand: str, alert: str) -> list[Post]:
    return [post for post in course.hooks.of(contact) if _about(post, f"{alert} {brand} ")]


def _about(post: Post, *words: str) -> bool:
    return any(word in line for line in post.told() for word in words)
