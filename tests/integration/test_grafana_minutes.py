"""A crisis on the real Grafana from beginning to end: who hears what, in which order, how often.

Some three minutes; `make test-grafana-long` takes ten and kills the exporter more often.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from exporting import Exporter
from posts import Mailbox, Post, Webhooks
from services import Grafana, Prometheus

from grafana.alerts import rules
from grafana.apply import apply, wait_for_health
from grafana.client import Client
from grafana.resources import wanted
from grafana.settings import GrafanaSettings

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]

LONG = os.environ.get("SIAGA_LONG") == "1"
NAME = "minutes"
REMIND_MIN, ESCALATE_MIN = (3, 6) if LONG else (1, 2)
HEAD_START_S = 0.0 if LONG else 45.0
"""The short one comes to an incident that has waited already."""
QUIET_S = 240 if LONG else 75
ACKNOWLEDGED_S = 60 * ESCALATE_MIN - HEAD_START_S + 25
OVER_S, WHOLE_S = (540.0, 600.0) if LONG else (ACKNOWLEDGED_S + 20, ACKNOWLEDGED_S + 40)
KILLS = ((20, 15), (100, 30), (230, 40), (290, 15), (440, 45)) if LONG else ((25, 10), (50, 15))
"""Seconds after the onset at which the exporter is killed, and how long it stays away."""
SINCE = "siaga_incident_unacknowledged_since_timestamp_seconds"


@dataclass
class Course:
    """What happened, in seconds since the onset."""

    hooks: Webhooks
    mailbox: Mailbox
    onset: float
    quiet_until: float
    acknowledged: float
    over: float

    def told(self, contact: str, brand: str = "") -> list[tuple[str, ...]]:
        """Notifications of a contact in their order, those about a brand if one is named."""
        return [
            post.told()
            for post in self.hooks.of(contact)
            if not brand or any(f" {brand} " in line for line in post.told())
        ]

    def first(self, contact: str, brand: str) -> float:
        """Seconds from the onset to the first notification about a brand."""
        return next(
            post.at - self.onset
            for post in self.hooks.of(contact)
            if any(f" {brand} " in line for line in post.told())
        )


@pytest.fixture(scope="module")
def course(grafana: Grafana, prometheus: Prometheus) -> Iterator[Course]:
    """Play it once; every test looks at what was told."""
    hooks, mailbox, exporter = Webhooks(), Mailbox(grafana.smtp_port), Exporter()
    _calm(exporter)
    prometheus.set_targets(NAME, [exporter.address])
    now = datetime.now(UTC)
    until = (now + timedelta(seconds=QUIET_S + 59)).replace(second=0, microsecond=0)
    settings = _settings(hooks.url, prometheus.address, now - timedelta(minutes=2), until)
    client = Client(grafana.address, (grafana.user, grafana.password))
    apply(client, NAME, wanted(settings, language="en", time_zone="UTC", env={}))
    wait_for_health(client, "Minutes", len(rules(settings.thresholds)))
    # A rule that is new fires for what it finds; from here on all is calm
    time.sleep(5)
    assert [post.told() for post in hooks.posts] == []
    found = Course(hooks, mailbox, time.time(), until.timestamp(), 0, 0)
    _play(exporter, found)
    yield found
    prometheus.set_targets(NAME, [])
    apply(client, NAME, [])
    for server in (hooks, mailbox, exporter):
        server.close()


def _calm(exporter: Exporter) -> None:
    exporter.set("siaga_worker_up", 1)
    exporter.set("siaga_last_tick_timestamp_seconds", time.time() + 3600)
    exporter.set(
        "siaga_connector_last_success_timestamp_seconds", time.time() + 3600, connector="forum"
    )
    for brand in ("krisis", "malam", "tenang"):
        exporter.brand(brand, 0, observed=11, expected=10)
    # An announced campaign: much is written, and the worker judges it normal
    exporter.brand("kampanye", 0, observed=900, expected=12)
    exporter.set("siaga_event_announced", 1, brand="kampanye")


def _settings(hooks: str, prometheus: str, start: datetime, until: datetime) -> GrafanaSettings:
    def hook(name: str, audience: str, **more: object) -> dict[str, object]:
        return {"type": "webhook", "url": f"{hooks}/{name}", "audience": audience, **more}

    return GrafanaSettings.model_validate(
        {
            "name": NAME,
            "title": "Minutes",
            "prometheus_url": prometheus,
            "page_url": "http://page.example",
            "contacts": {
                "channel": hook("channel", "channel"),
                "night": hook("night", "channel", quiet_hours=True),
                "oncall": hook("oncall", "oncall"),
                "boss": hook("boss", "management"),
                "letters": {
                    "type": "email",
                    "addresses": ["direksi@contoh.test"],
                    "audience": "management",
                },
                "sre": hook("sre", "operations"),
            },
            "quiet_hours": {"start": f"{start:%H:%M}", "until": f"{until:%H:%M}"},
            "thresholds": {
                "unacknowledged_crisis_minutes": (REMIND_MIN, ESCALATE_MIN),
                "unacknowledged_alert_minutes": (30, 60),
                "connector_silent_minutes": 1,
            },
        }
    )


def _play(exporter: Exporter, course: Course) -> None:
    course.onset = time.time()
    steps: list[tuple[float, Callable[[], None]]] = [
        (0, lambda: _crisis(exporter, course)),
        (5, lambda: _outage(exporter)),
        (ACKNOWLEDGED_S, lambda: _acknowledge(exporter, course)),
        (OVER_S, lambda: _recover(exporter, course)),
        (WHOLE_S, lambda: None),
    ]
    for at, away in KILLS:
        steps += [(at, exporter.kill), (at + away, exporter.revive)]
    for at, do in sorted(steps, key=lambda step: step[0]):
        time.sleep(max(0.0, course.onset + at - time.time()))
        do()


def _crisis(exporter: Exporter, course: Course) -> None:
    exporter.brand("krisis", 3, observed=400, expected=12)
    exporter.set(SINCE, course.onset - HEAD_START_S, brand="krisis", level="3")
    exporter.set("siaga_incident_acknowledged", 0, brand="krisis")
    exporter.brand("malam", 2, observed=60, expected=12)


def _outage(exporter: Exporter) -> None:
    exporter.set(
        "siaga_connector_last_success_timestamp_seconds", time.time() - 3600, connector="forum"
    )


def _acknowledge(exporter: Exporter, course: Course) -> None:
    course.acknowledged = time.time() - course.onset
    # The worker's series goes, and the clocks' says so before the lookback of two minutes is over
    exporter.forget(SINCE, brand="krisis", level="3")
    exporter.set("siaga_incident_acknowledged", 1, brand="krisis")


def _recover(exporter: Exporter, course: Course) -> None:
    course.over = time.time() - course.onset
    exporter.brand("krisis", 0, observed=11, expected=10)


LEVEL = "SiagaLevel krisis crisis"
WAITING = "SiagaUnacknowledged krisis"


def test_the_channel_and_on_call_hear_each_step_once_and_in_order(course: Course) -> None:
    expected = [
        (f"{LEVEL} firing",),
        (f"{WAITING} alert firing",),
        (f"{WAITING} alert resolved", f"{WAITING} crisis firing"),
        (f"{WAITING} crisis resolved",),
        (f"{LEVEL} resolved",),
    ]
    for contact in ("channel", "oncall"):
        assert course.told(contact, "krisis") == expected, contact


def test_management_hears_the_crisis_and_then_what_nobody_took(course: Course) -> None:
    assert course.told("boss") == [
        (f"{LEVEL} firing",),
        (f"{WAITING} crisis firing",),
        (f"{WAITING} crisis resolved",),
        (f"{LEVEL} resolved",),
    ]
    assert course.first("boss", "krisis") < 40
    [_, waiting, taken, over] = course.hooks.of("boss")
    assert waiting.at - course.onset >= 60 * ESCALATE_MIN - HEAD_START_S
    assert taken.at - course.onset >= course.acknowledged
    assert over.at - course.onset >= course.over


def test_an_outage_of_a_connector_reaches_the_sre_and_nobody_else(course: Course) -> None:
    assert course.told("sre") == [("SiagaConnectorFailing forum page firing",)]
    for contact in ("channel", "oncall", "boss", "night"):
        assert not any("forum" in line for lines in course.told(contact) for line in lines)


def test_a_campaign_and_a_quiet_brand_are_silent(course: Course) -> None:
    everything = [line for post in course.hooks.posts for line in post.told()]
    assert not any(" kampanye " in line or " tenang " in line for line in everything)


def test_quiet_hours_hold_an_alert_back_until_they_end_and_never_a_crisis(course: Course) -> None:
    crisis = course.first("night", "krisis")
    assert course.onset + crisis < course.quiet_until
    [alert] = [post for post in course.hooks.of("night") if _about(post, "malam")]
    assert alert.told() == ("SiagaLevel malam alert firing",)
    assert alert.at >= course.quiet_until
    # The same contact type without quiet hours heard it at once
    assert course.onset + course.first("channel", "malam") < course.quiet_until


def test_management_gets_letters_in_our_own_words(course: Course) -> None:
    letters = course.mailbox.got
    assert [letter["subject"] for letter in letters if "firing" not in letter] != []
    first = letters[0]
    assert isinstance(first, EmailMessage)
    assert first["to"] == "direksi@contoh.test"
    assert first["subject"] == "CRISIS: krisis. Mentions: 400 a minute, usually 12."
    body = first.get_body(("html", "plain"))
    assert body is not None
    text = body.get_content()
    assert "Observed 400 a minute, expected 12." in text
    assert "http://page.example/?brand=krisis" in text
    assert len(letters) == len(course.told("boss"))


def test_a_crisis_is_told_within_its_evaluation_and_nothing_else_is_told(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        f"{post.at - course.onset:6.1f} s  {post.contact:8} {', '.join(post.told())}"
        for post in course.hooks.posts
    ]
    with capsys.disabled():
        print(f"\n{WHOLE_S:.0f} s, exporter killed {len(KILLS)} times")  # noqa: T201 (the result)
        print("\n".join(lines))  # noqa: T201 (as above)
    assert {post.contact for post in course.hooks.posts} == {
        "channel", "night", "oncall", "boss", "sre",
    }  # fmt: skip


def _about(post: Post, brand: str) -> bool:
    return any(f" {brand} " in line for line in post.told())
