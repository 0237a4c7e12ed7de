"""The relay: Grafana's webhook in; evidence, samples and the signed link out; buttons back."""

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import ValidationError

from response.links import Ticket, short, sign
from response.notify.relay import Relay
from response.notify.writer import Writer
from response.page.app import build
from response.page.guard import Guard
from response.page.people import People
from response.page.view import View
from response.page.web import Page
from response.secret import secret
from response.settings import PageSettings
from streams import codec
from streams.topics import ACTIONS, CURSORS

TOKEN, SLACK, TELEGRAM = "relay-token-0123", "slack-signing-0123", "telegram-word-0123"
AUTH = {"authorization": f"Bearer {TOKEN}"}


class Site:
    """A page with a relay to a local receiver."""

    def __init__(self, make: SimpleNamespace, data: Path, receiver: Any, toml: str = "") -> None:
        chats = (
            '[page]\nurl = "https://siaga.contoh.test"\n[relay.slack.comms]\nurl_env = "HOOK"\n'
            f'[relay.telegram.desk]\nchat_id = -42\napi_url = "http://127.0.0.1:{receiver.port}"\n'
            f'[relay.webhooks.other]\nurl = "http://127.0.0.1:{receiver.port}/hook"\n'
        )
        settings = make.settings(chats + toml, data)
        self.make, self.receiver = make, receiver
        self.now = make.now.timestamp() + 60
        self.log, self.view = make.log(), View()
        self.secret = secret(settings)
        guard = Guard(
            settings.section(PageSettings), People(data / "users.json"), self.secret,
            tv_token="", clock=lambda: self.now,
        )  # fmt: skip
        writer = Writer(settings, lambda: datetime.fromtimestamp(self.now, UTC))
        self.http = httpx.AsyncClient()
        self.relay = Relay(settings, self.view, self.log, writer, self.http)
        page = Page(settings, self.view, self.log, guard, lambda: self.now, relay=self.relay)
        transport = httpx.ASGITransport(build(page), client=("127.0.0.1", 5000))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8787")
        self.incident = make.incident()
        self.view.incident(self.incident, self.now)

    async def post(self, name: str, body: Any = None, **headers: str) -> httpx.Response:
        hook = grafana() if body is None else body
        return await self.client.post(f"/relay/{name}", json=hook, headers=AUTH | headers)

    def texts(self) -> list[str]:
        return [json.dumps(body, ensure_ascii=False) for _, _, body in self.receiver.got]

    def acknowledged(self) -> list[tuple[str, str]]:
        parts = [kept for (topic, _), kept in self.log.partitions.items() if topic == ACTIONS]
        done = [codec.action.decode(r.value or b"") for kept in parts for r in kept]
        return [(a.who, a.via) for a in done]

    async def close(self) -> None:
        await self.http.aclose()
        await self.client.aclose()


def grafana(status: str = "firing", **changes: Any) -> dict[str, Any]:
    labels = {"alertname": "SiagaLevel", "brand": "kirana", "thread": "level", "severity": "crisis"}
    annotations = {"summary": "CRISIS: kirana.", "description": "Observed 84."}
    labels |= changes.pop("labels", {})
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations | changes.pop("annotations", {}),
        "startsAt": "2026-03-02T03:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": str(sorted(labels.items())),
        "dashboardURL": "http://grafana.test/d/siaga-brand",
        "values": {"A": 1},
    }
    body = {"receiver": "x", "status": status, "alerts": [alert], "groupKey": "{}:{}", "title": "t"}
    return body | changes


@pytest.fixture
def trial(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    monkeypatch.setenv("SIAGA_TELEGRAM_TOKEN", "123:secret")
    monkeypatch.setenv("SIAGA_RELAY_TOKEN", TOKEN)
    monkeypatch.setenv("SIAGA_SLACK_SIGNING_SECRET", SLACK)
    monkeypatch.setenv("SIAGA_TELEGRAM_SECRET", TELEGRAM)

    def run(work: Callable[[Site], Awaitable[None]], toml: str = "") -> None:
        async def whole() -> None:
            async with make.receiving() as receiver:
                monkeypatch.setenv("HOOK", f"http://127.0.0.1:{receiver.port}/hook")
                site = Site(make, tmp_path, receiver, toml)
                try:
                    await work(site)
                finally:
                    await site.close()

        asyncio.run(asyncio.wait_for(whole(), 20))

    return run


def test_a_notification_of_grafana_gains_evidence_samples_and_a_link_that_acknowledges(
    trial: Callable[..., None],
) -> None:
    async def work(site: Site) -> None:
        for name in ("comms", "desk", "other"):
            assert (await site.post(name)).json() == {"told": 1}
        slack, telegram, other = site.texts()
        for text in (slack, telegram, other):
            assert "Mentions of Kirana surge." in text
            assert "belum datang" in text
            assert "\\u202e" not in text
            assert "<script>" not in text or text is other
        assert '"action_id": "siaga_ack"' in slack
        assert '"callback_data": "ack.' in telegram
        link = site.receiver.got[2][2]["acknowledge"].removeprefix("https://siaga.contoh.test")
        answer = await site.client.post(link, data={"who": "Sari"})
        assert answer.json()["acknowledged_by"] == "Sari"
        assert site.acknowledged() == [("Sari", "link/webhook/other")]

    trial(work)


def test_who_takes_it_is_told_once_in_each_chat_that_was_told_also_after_a_restart(
    trial: Callable[..., None],
) -> None:
    async def work(site: Site) -> None:
        await site.post("comms")
        await site.post("desk")
        await site.relay.echo()
        assert len(site.receiver.got) == 2
        form = {"payload": json.dumps(pressed(site))}
        assert (await slack(site, form)).json()["text"] == "dewi is on it"
        # Another process takes over: it knows from the log which chats were told
        writer = site.relay.writer
        fresh = Relay(site.relay.settings, site.view, site.log, writer, site.http)
        await fresh._load()
        for _ in range(3):
            await fresh.echo()
        told = site.texts()[2:]
        assert len(told) == 2
        assert all("✅" in text and "dewi is on it" in text for text in told)
        [reply] = [body for _, _, body in site.receiver.got[2:] if "chat_id" in body]
        assert reply["reply_parameters"]["message_id"] == 1002
        assert any(topic == CURSORS for topic, _ in site.log.partitions)

    trial(work)


def test_the_same_news_twice_is_told_once_and_a_chat_that_fails_is_asked_again(
    trial: Callable[..., None],
) -> None:
    async def work(site: Site) -> None:
        site.receiver.answers.append((503, None))
        assert (await site.post("comms")).status_code == 502
        assert (await site.post("comms")).json() == {"told": 1}
        assert (await site.post("comms")).json() == {"told": 0}
        assert len(site.receiver.got) == 2
        site.now += 12 * 3600
        assert (await site.post("comms")).json() == {"told": 1}

    trial(work)


def test_the_end_is_told_once_and_what_is_about_no_incident_keeps_grafanas_words(
    trial: Callable[..., None],
) -> None:
    async def work(site: Site) -> None:
        await site.post("comms")
        over = site.make.incident(
            level=0, sequence=5, closed_at=site.make.now + timedelta(hours=1), change="closed"
        )
        site.view.incident(over, site.now)
        await site.post("comms", grafana("resolved"))
        late = {"alertname": "SiagaResponseOverdue", "thread": "response"}
        await site.post("comms", grafana("resolved", labels=late))
        assert [("OVER" in t or "Over" in t) for t in site.texts()] == [False, True]
        source = {"alertname": "SiagaSourceBlind", "brand": "", "thread": "source"}
        told = {"summary": "Source <forum> is blind.", "runbook_url": "https://r.test/x"}
        await site.post("comms", grafana(labels=source, annotations=told))
        text = site.receiver.got[-1][2]["text"]
        assert "*Source &lt;forum&gt; is blind.*" in text
        assert "<https://r.test/x|Runbook>" in text
        assert "siaga_ack" not in text

    trial(work)


def test_a_snooze_pauses_reminders_and_not_the_level_itself(trial: Callable[..., None]) -> None:
    async def work(site: Site) -> None:
        until = datetime.fromtimestamp(site.now, UTC) + timedelta(minutes=30)
        site.view.incident(site.make.incident(sequence=2, snoozed_until=until), site.now)
        waiting = {"alertname": "SiagaUnacknowledged", "thread": "unacknowledged"}
        await site.post("comms", grafana(labels=waiting))
        assert site.receiver.got == []
        await site.post("comms")
        assert len(site.receiver.got) == 1
        site.now += 31 * 60
        await site.post("comms", grafana(labels=waiting))
        assert "Nobody has acknowledged this yet." in site.texts()[-1]

    trial(work)


ROTA = """
[oncall.people.sari]
title = "Sari"
chat_id = 7
chat_api_url = "http://127.0.0.1:{port}"
[oncall.people.dewi]
title = "Dewi"
url_env = "HOOK"
[[oncall.shifts]]
start = {start}
until = {until}
who = ["sari"]
[[oncall.shifts]]
who = ["dewi"]
[[oncall.ladder]]
after_minutes = 15
who = ["dewi"]
"""


def test_the_rota_says_who_hears_and_the_ladder_who_is_called_next(
    make: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIAGA_TELEGRAM_TOKEN", "123:secret")
    monkeypatch.setenv("SIAGA_RELAY_TOKEN", TOKEN)

    async def whole() -> None:
        async with make.receiving() as receiver:
            monkeypatch.setenv("HOOK", f"http://127.0.0.1:{receiver.port}/hook")
            # The incident is at 10:00 in Jakarta
            toml = ROTA.format(port=receiver.port, start=time(8), until=time(20))
            site = Site(make, tmp_path, receiver, toml)
            try:
                assert (await site.post("rota")).json() == {"told": 1}
                assert receiver.got[0][2]["chat_id"] == "7"
                site.now += 12 * 3600
                assert (await site.post("rota")).json() == {"told": 1}
                assert receiver.got[1][0] == "/hook"
                site.now -= 12 * 3600 - 20 * 60
                waiting = {"alertname": "SiagaUnacknowledged", "thread": "unacknowledged"}
                assert (await site.post("rota", grafana(labels=waiting))).json() == {"told": 2}
                assert [path for path, _, _ in receiver.got[2:]] == [
                    "/bot123:secret/sendMessage",
                    "/hook",
                ]
            finally:
                await site.close()

    asyncio.run(asyncio.wait_for(whole(), 20))


# --- refusals ----------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic not-base64"},
        {"authorization": "Basic " + b64encode(b"grafana:wrong").decode()},
    ],
)
def test_without_its_token_the_relay_tells_nobody(
    trial: Callable[..., None], headers: dict[str, str]
) -> None:
    async def work(site: Site) -> None:
        answer = await site.client.post("/relay/comms", json=grafana(), headers=headers)
        assert answer.status_code == 401
        assert site.receiver.got == []

    trial(work)


def test_guessing_the_relays_token_is_slow(trial: Callable[..., None]) -> None:
    async def work(site: Site) -> None:
        guess = {"authorization": "Bearer guess"}
        answers = [
            (await site.client.post("/relay/comms", json=grafana(), headers=guess)).status_code
            for _ in range(201)
        ]
        assert answers == [401] * 200 + [429]

    trial(work)


def test_basic_authentication_as_grafana_sends_it_is_enough(trial: Callable[..., None]) -> None:
    async def work(site: Site) -> None:
        basic = "Basic " + b64encode(f"grafana:{TOKEN}".encode()).decode()
        assert (await site.post("comms", authorization=basic)).status_code == 200

    trial(work)


def test_an_unknown_chat_a_strange_body_and_a_missing_token_variable_are_refused(
    trial: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(site: Site) -> None:
        assert (await site.post("nobody")).status_code == 404
        assert (await site.post("comms", {"hello": 1})).status_code == 400
        assert (await site.post("comms", grafana(alerts=[]))).status_code == 404
        big = {"status": "firing", "alerts": [], "title": "x" * (1 << 20)}
        assert (await site.post("comms", big)).status_code == 413
        monkeypatch.delenv("SIAGA_RELAY_TOKEN")
        assert (await site.post("comms")).status_code == 404
        assert site.receiver.got == []

    trial(work)


def pressed(site: Site, **changes: Any) -> dict[str, Any]:
    ticket = Ticket("ack", site.incident.id, "slack/comms", int(site.now) + 3600)
    value = changes.pop("value", sign(site.secret, ticket))
    action = {"action_id": changes.pop("action_id", "siaga_ack"), "value": value}
    return {"user": {"username": "dewi"}, "actions": [action]}


async def slack(
    site: Site, form: dict[str, str], *, key: str = SLACK, age: float = 0
) -> httpx.Response:
    body, stamp = urlencode(form), str(int(site.now - age))
    mac = hmac.new(key.encode(), f"v0:{stamp}:{body}".encode(), sha256).hexdigest()
    headers = {
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={mac}",
        "content-type": "application/x-www-form-urlencoded",
    }
    return await site.client.post("/chat/slack", content=body, headers=headers)


def test_a_button_of_slack_needs_slacks_signature_freshness_and_our_token(
    trial: Callable[..., None],
) -> None:
    async def work(site: Site) -> None:
        form = {"payload": json.dumps(pressed(site))}
        assert (await slack(site, form, key="other")).status_code == 401
        assert (await slack(site, form, age=301)).status_code == 401
        assert (await slack(site, {"payload": "[]"})).status_code == 400
        forged = {"payload": json.dumps(pressed(site, value="forged"))}
        assert "not valid" in (await slack(site, forged)).json()["text"]
        link = {"payload": json.dumps(pressed(site, action_id="siaga_page"))}
        assert (await slack(site, link)).json() == {}
        assert site.acknowledged() == []
        assert (await slack(site, form)).json()["text"] == "dewi is on it"
        assert (await slack(site, form)).json()["text"] == "dewi is on it"
        assert site.acknowledged() == [("dewi", "chat/slack")]

    trial(work)


def test_a_button_of_telegram_needs_the_secret_and_a_token_of_an_incident_that_is_open(
    trial: Callable[..., None],
) -> None:
    async def work(site: Site) -> None:
        expires = int(site.now) + 60
        good = short(site.secret, Ticket("ack", site.incident.id, "telegram/desk", expires))
        assert len(good.encode()) <= 64

        async def press(data: str, secret: str = TELEGRAM) -> httpx.Response:
            update = {
                "callback_query": {"id": "9", "from": {"id": 1, "username": "sari"}, "data": data}
            }
            headers = {"x-telegram-bot-api-secret-token": secret}
            return await site.client.post("/chat/telegram", json=update, headers=headers)

        assert (await press(good, "wrong")).status_code == 401
        late = good.replace(f"{expires:x}", f"{expires + 9999:x}")
        for bad in ("", "ack", "ack.zz.1", late, good[:-1] + "x"):
            assert "not valid" in (await press(bad)).json()["text"]
        assert site.acknowledged() == []
        assert (await press(good)).json() == {
            "method": "answerCallbackQuery", "callback_query_id": "9", "text": "sari is on it",
        }  # fmt: skip
        assert site.acknowledged() == [("sari", "chat/telegram")]
        site.now += 61
        assert "not valid" in (await press(good)).json()["text"]
        headers = {"x-telegram-bot-api-secret-token": TELEGRAM}
        other = await site.client.post("/chat/telegram", json={"message": {}}, headers=headers)
        assert other.json() == {}

    trial(work)


def test_two_chats_of_one_name_are_a_mistake(make: SimpleNamespace, tmp_path: Path) -> None:
    toml = '[relay.slack.a]\nurl_env = "X"\n[relay.telegram.a]\nchat_id = 1\n'
    with pytest.raises((ValidationError, Exception), match="must differ"):
        make.settings(toml, tmp_path)
