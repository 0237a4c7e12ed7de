"""Our rules, routes and dashboards on a real Grafana and Prometheus."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from services import Grafana, Prometheus

from grafana.alerts import rules
from grafana.apply import Incomplete, apply, compare, versions, wait_for_health
from grafana.client import Client, Refused
from grafana.dashboards import dashboards
from grafana.kinds import find_all
from grafana.plan import Resource
from grafana.resources import wanted
from grafana.settings import GrafanaSettings

pytestmark = pytest.mark.services

NAME = "trial"
Post = tuple[str, dict[str, Any]]


class Worker:
    """A stand-in for the workers' `/metrics`: real Prometheus metrics, set by the test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gauges: dict[str, Gauge] = {}
        self.server, _ = start_http_server(0, addr="127.0.0.1", registry=self.registry)
        self.address = f"127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def set(self, metric: str, value: float, **labels: str) -> None:
        if metric not in self.gauges:
            self.gauges[metric] = Gauge(metric, metric, list(labels), registry=self.registry)
        gauge = self.gauges[metric]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def level(self, brand: str, level: int, *, observed: float, expected: float) -> None:
        self.set("siaga_severity_level", level, brand=brand)
        for metric, value in (
            ("siaga_observed", observed),
            ("siaga_expected", expected),
            ("siaga_upper", 3 * expected),
            ("siaga_anomaly_score", observed / expected),
        ):
            self.set(metric, value, brand=brand, signal="volume")
            self.set(metric, value / 1000, brand=brand, signal="negative_share")


class Receiver:
    """What the contacts get: each post with the last part of its path."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append((self.path.strip("/"), json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")  # Slack's answer; any other is sent again

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def heard(self, contact: str, brand: str = "", *, alert: str = "") -> list[dict[str, Any]]:
        """Notifications of one contact that are about a brand, or hold an alert."""
        return [
            body
            for path, body in list(self.posts)
            if path == contact
            and any(
                each["labels"].get("brand", "") == brand
                and each["labels"]["alertname"].startswith(alert)
                for each in body["alerts"]
            )
        ]


@pytest.fixture(scope="module")
def worker(prometheus: Prometheus) -> Iterator[Worker]:
    """Scraped each second."""
    exporter = Worker()
    exporter.set("siaga_worker_up", 1)
    exporter.set("siaga_last_tick_timestamp_seconds", time.time() + 3600)
    for brand in ("tenang", "melati"):
        exporter.level(brand, 0, observed=11, expected=10)
    prometheus.set_targets(NAME, [exporter.address])
    yield exporter
    prometheus.set_targets(NAME, [])
    exporter.close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A local receiver for all contacts."""
    local = Receiver()
    yield local
    local.server.shutdown()
    local.server.server_close()


@pytest.fixture(scope="module")
def client(grafana: Grafana) -> Client:
    """An administrator."""
    return Client(grafana.address, (grafana.user, grafana.password))


@pytest.fixture(scope="module")
def resources(prometheus: Prometheus, receiver: Receiver) -> list[Resource]:
    """What is wanted, under a name of the test's own."""
    contacts = {
        "channel": {"type": "slack", "url_env": "SLACK", "audience": "channel"},
        "oncall": {"type": "webhook", "url": f"{receiver.url}/oncall", "audience": "oncall"},
        "boss": {"type": "webhook", "url": f"{receiver.url}/boss", "audience": "management"},
        "sre": {"type": "webhook", "url": f"{receiver.url}/sre", "audience": "operations"},
    }
    settings = GrafanaSettings.model_validate(
        {
            "name": NAME,
            "title": "Trial",
            "prometheus_url": prometheus.address,
            "page_url": "http://page.example",
            "contacts": contacts,
        }
    )
    env = {"SLACK": f"{receiver.url}/channel"}
    return wanted(settings, language="en", time_zone="Asia/Jakarta", env=env)


@pytest.fixture(scope="module")
def provisioned(
    client: Client, resources: list[Resource], worker: Worker, prometheus: Prometheus
) -> Iterator[Client]:
    """Applied, evaluated and healthy; removed at the end."""
    _eventually(lambda: _asked(prometheus, "count(siaga_severity_level)") >= 2, within_s=30)
    apply(client, NAME, resources)
    wait_for_health(client, "Trial", len(rules(GrafanaSettings().thresholds)))
    yield client
    apply(client, NAME, [])


def test_a_second_apply_changes_no_version(provisioned: Client, resources: list[Resource]) -> None:
    before = versions(provisioned, NAME)
    assert len(before) == len(rules(GrafanaSettings().thresholds)) + 4 + 1  # dashboards, source
    assert apply(provisioned, NAME, resources) == ()
    assert versions(provisioned, NAME) == before


@pytest.mark.parametrize(("role", "enough"), [("Admin", True), ("Editor", False)])
def test_the_least_role_that_suffices_is_admin(
    provisioned: Client, resources: list[Resource], grafana: Grafana, role: str, enough: bool
) -> None:
    account = provisioned.post("/serviceaccounts", {"name": f"siaga-{role}", "role": role})["id"]
    token = provisioned.post(f"/serviceaccounts/{account}/tokens", {"name": "t"})["key"]
    theirs = Client(grafana.address, token)
    if enough:
        assert apply(theirs, NAME, resources) == ()
    else:
        with pytest.raises(Refused, match=r"403.*needs the role Admin"):
            compare(theirs, NAME, resources)
    provisioned.delete(f"/serviceaccounts/{account}")


def test_a_refused_step_is_named_and_the_next_apply_mends_it_and_destroy_leaves_nothing(
    client: Client, prometheus: Prometheus
) -> None:
    settings = GrafanaSettings.model_validate(
        {"name": "broken", "title": "Broken", "prometheus_url": prometheus.address}
    )
    whole = wanted(settings, language="id", time_zone="Asia/Jakarta", env={})
    broken = [
        Resource(each.kind, each.key, {**each.body, "for": "-1s"})
        if each.key == "broken-drill"
        else each
        for each in whole
    ]
    with pytest.raises(Incomplete, match="could not create rule broken-drill"):
        apply(client, "broken", broken)
    assert any(step.resource.key == "broken-drill" for step in apply(client, "broken", whole))
    assert apply(client, "broken", whole) == ()
    apply(client, "broken", [])
    assert find_all(client, "broken") == []


def test_an_edit_by_hand_is_shown_and_mended_and_others_things_are_left_alone(
    provisioned: Client, resources: list[Resource]
) -> None:
    theirs = {"uid": "theirs", "title": "Someone else's"}
    provisioned.post("/folders", theirs)
    path = f"/v1/provisioning/alert-rules/{NAME}-drill"
    provisioned.put(path, {**provisioned.get(path), "for": "5m"})

    drift = [step for step in compare(provisioned, NAME, resources) if step.action != "keep"]
    assert [(step.resource.key, step.differences) for step in drift] == [
        (f"{NAME}-drill", ("for: '5m' instead of '0s'",))
    ]
    assert [step.action for step in apply(provisioned, NAME, resources)] == ["update"]
    assert provisioned.get(path)["for"] == "0s"
    assert provisioned.get("/folders/theirs")["title"] == "Someone else's"
    provisioned.delete("/folders/theirs")


def test_a_crisis_is_told_once_a_level_to_the_right_people_and_ends_once(
    provisioned: Client, worker: Worker, receiver: Receiver, prometheus: Prometheus
) -> None:
    # An incident that nobody takes, and a connector that fails, run beside
    worker.level("kenanga", 3, observed=400, expected=10)
    worker.set(
        "siaga_incident_unacknowledged_since_timestamp_seconds",
        time.time() - 16 * 60, brand="kenanga", level="3",
    )  # fmt: skip
    worker.set(
        "siaga_connector_last_success_timestamp_seconds", time.time() - 3600, connector="forum"
    )

    worker.level("melati", 2, observed=118, expected=12)
    _eventually(lambda: bool(receiver.heard("oncall", "melati")), within_s=60)
    _eventually(lambda: bool(_slack(receiver)), within_s=20)
    [first] = receiver.heard("oncall", "melati")
    [alert] = first["alerts"]
    assert alert["labels"]["brand"] == "melati"
    assert alert["labels"]["severity"] == "alert"
    assert alert["annotations"]["summary"] == ("ALERT: melati. Mentions: 118 a minute, usually 12.")
    assert (alert["annotations"]["observed"], alert["annotations"]["expected"]) == ("118", "12")
    assert alert["annotations"]["page_url"] == "http://page.example/?brand=melati"
    assert "viewPanel=" in alert["panelURL"]

    # Its worker dies and another takes over: nobody hears of that
    prometheus.set_targets(NAME, [])
    time.sleep(15)
    prometheus.set_targets(NAME, [worker.address])
    assert len(receiver.heard("oncall", "melati")) == 1

    worker.level("melati", 3, observed=400, expected=12)
    _eventually(lambda: bool(receiver.heard("boss", "melati")), within_s=60)
    _eventually(lambda: len(receiver.heard("oncall", "melati")) == 2, within_s=30)
    raised = receiver.heard("oncall", "melati")[1]
    told = {each["labels"]["severity"]: each["status"] for each in raised["alerts"]}
    assert told == {"crisis": "firing", "alert": "resolved"}
    assert raised["title"] == "CRISIS: melati. Mentions: 400 a minute, usually 12."

    worker.level("melati", 0, observed=11, expected=10)
    _eventually(lambda: len(receiver.heard("oncall", "melati")) == 3, within_s=60)
    _eventually(lambda: len(receiver.heard("boss", "melati")) == 2, within_s=30)
    assert [body["status"] for body in receiver.heard("oncall", "melati")] == [
        "firing", "firing", "resolved",
    ]  # fmt: skip
    assert [body["status"] for body in receiver.heard("boss", "melati")] == ["firing", "resolved"]

    # Unacknowledged past its time: on call and management, once
    for contact in ("oncall", "boss"):
        [waiting] = receiver.heard(contact, "kenanga", alert="SiagaUnacknowledged")
        assert [each["labels"]["alertname"] for each in waiting["alerts"]] == [
            "SiagaUnacknowledged"
        ]
    # What is wrong with the service reaches the SRE and not the comms team
    _eventually(lambda: bool(receiver.heard("sre", alert="SiagaConnectorFailing")), within_s=60)
    for contact in ("oncall", "boss"):
        assert not receiver.heard(contact, alert="SiagaConnectorFailing")
    assert not any("forum" in json.dumps(text) for text in _slack(receiver))
    # The quiet brand stayed quiet
    assert not any("tenang" in json.dumps(body) for _, body in receiver.posts)


def test_slack_gets_our_own_words(provisioned: Client, receiver: Receiver) -> None:
    # Posted by the crisis before
    texts = [json.dumps(body) for body in _slack(receiver)]
    about = [text for text in texts if "melati" in text]
    assert len(about) == 3
    assert "ALERT: melati. Mentions: 118 a minute, usually 12." in about[0]
    assert "Incident: http://page.example/?brand=melati" in about[0]
    assert "CRISIS: melati" in about[1]
    assert "Over: " in about[2]


def test_the_tv_has_a_playlist_that_destroy_takes_away(provisioned: Client) -> None:
    [ours] = [p for p in provisioned.get("/playlists") if p["name"] == f"{NAME}: TV"]
    items = provisioned.get(f"/playlists/{ours['uid']}")["items"]
    assert [item["value"] for item in items].count(f"{NAME}-wall") == 3
    boards = {board["uid"] for board in dashboards(NAME, "en")}
    assert {item["value"] for item in items} <= boards


@pytest.fixture(scope="module")
def full_worker(worker: Worker, prometheus: Prometheus) -> Iterator[Worker]:
    """Every metric that the services export, with some history."""
    now = time.time()
    for brand in ("tenang", "melati"):
        worker.set("siaga_topic_level", 1, brand=brand, topic="security")
        worker.set("siaga_unanswered_complaints", 4, brand=brand, age="1h")
        worker.set("siaga_oldest_unanswered_timestamp_seconds", now - 600, brand=brand)
        worker.set("siaga_response_overdue", 0, brand=brand, level="2")
        worker.set("siaga_incident_onset_timestamp_seconds", now - 600, brand=brand)
        worker.set(
            "siaga_incident_unacknowledged_since_timestamp_seconds",
            now - 60,
            brand=brand,
            level="2",
        )
        worker.set("siaga_drill_level", 0, brand=brand, management="no")
        worker.set("siaga_theme_authors", 12, brand=brand, rank="1")
        for signal in ("negative", "reach", "authors", "velocity", "slow_burn"):
            for metric in ("observed", "expected", "upper", "anomaly_score"):
                worker.set(f"siaga_{metric}", 1, brand=brand, signal=signal)
    worker.set("siaga_connector_last_success_timestamp_seconds", now, connector="forum")
    # `siaga connect` has a lag of its own, by another label
    connect = Worker()
    connect.set("siaga_source_lag_seconds", 3, connector="forum")
    prometheus.set_targets(NAME, [worker.address, connect.address])
    worker.set("siaga_source_blind", 0, source="forum")
    worker.set("siaga_source_lag_seconds", 3, source="forum")
    worker.set("siaga_worker_lag_records", 7, partition="0")
    worker.set("siaga_model_info", 1, version="1")
    registry = worker.registry
    counters = (
        Counter("siaga_mentions", "-", ["brand", "channel", "sentiment"], registry=registry)
        .labels("melati", "forum", "negative"),
        Counter("siaga_dead_letters", "-", ["stage", "reason"], registry=registry)
        .labels("decode", "no_json"),
        Counter("siaga_connector_dead_letters", "-", ["connector", "reason"], registry=registry)
        .labels("forum", "no_text"),
        Counter("siaga_connector_failures", "-", ["connector", "kind"], registry=registry)
        .labels("forum", "fatal"),
        Counter("siaga_stream_gaps", "-", ["kind"], registry=registry).labels("healed"),
    )  # fmt: skip
    histograms = [
        Histogram(name, "-", registry=registry)
        for name in (
            "siaga_end_to_end_latency_seconds",
            "siaga_collected_to_scored_seconds",
            "siaga_first_response_seconds",
        )
    ]
    for _ in range(4):
        for counter in counters:
            counter.inc()
        for histogram in histograms:
            histogram.observe(0.2)
        time.sleep(1)
    # Each of the two for itself: Prometheus takes up new targets every five seconds, not at once
    for awaited in (
        "sum(rate(siaga_mentions_total[1m]))",
        'sum(siaga_source_lag_seconds{source!=""})',
        'sum(siaga_source_lag_seconds{connector!=""})',
    ):
        _eventually(lambda expr=awaited: _asked(prometheus, expr) > 0, within_s=60)
    yield worker
    connect.close()


@pytest.mark.parametrize("board", dashboards(NAME, "en"), ids=lambda board: str(board["uid"]))
def test_every_panel_returns_series(
    provisioned: Client, full_worker: Worker, board: dict[str, Any]
) -> None:
    saved = provisioned.get(f"/dashboards/uid/{board['uid']}")["dashboard"]
    empty = []
    for panel in (each for each in saved["panels"] if each["type"] != "row"):
        assert panel["description"]
        for target in panel["targets"]:
            chosen = {**target, "expr": _chosen(target["expr"]), "intervalMs": 1000}
            asked = {"queries": [chosen], "from": str(_ms(-120)), "to": str(_ms(0))}
            result = provisioned.post("/ds/query", asked)["results"][target["refId"]]
            assert result["status"] == 200, (panel["title"], result)
            if not any(len(frame["data"]["values"]) > 1 for frame in result["frames"]):
                empty.append((panel["title"], target["expr"]))
    assert empty == []


def _chosen(expr: str) -> str:
    return re.sub(r"\$(channel|topic)", ".*", expr.replace("$brand", "melati"))


def _ms(offset_s: float) -> int:
    return int(1000 * (time.time() + offset_s))


def _slack(receiver: Receiver) -> list[dict[str, Any]]:
    return [body for path, body in list(receiver.posts) if path == "channel"]


def _asked(prometheus: Prometheus, expr: str) -> float:
    import httpx

    reply = httpx.get(f"{prometheus.address}/api/v1/query", params={"query": expr}).json()
    result = reply["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def _eventually(holds: Callable[[], bool], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)
