"""The service `alerts`, against a local server that speaks a webhook's and Telegram's form."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from response.metrics import ALERTS_SENT
from response.notify import service
from response.notify.targets import Telegram, Webhook, configured
from response.settings import AlertsSettings
from streams.config import parse
from streams.service import CannotStart
from streams.topics import TOPICS

WITHIN_S = 20
LADDER = '[oncall.people.dewi]\n[[oncall.ladder]]\nafter_minutes = 15\nwho = ["dewi"]\n'


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAGA_TELEGRAM_TOKEN", "123:secret")
    monkeypatch.setattr(service, "WAIT_INITIAL_S", 0.01)
    monkeypatch.setattr("streams.log.patience.AGAIN_S", 0.01)


@contextlib.asynccontextmanager
async def serving(settings: Any, log: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(service.serve(settings, log))
    await asyncio.sleep(0.1)
    try:
        yield
    finally:
        assert not task.done(), task.exception()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def alerting(
    make: SimpleNamespace,
    folder: Path,
    *,
    only: str = "",
    more: str = "",
    answers: Sequence[tuple[int, float | None]] = (),
) -> AsyncIterator[tuple[Any, Any]]:
    """The service over a log without incidents, and the receiver of its targets.

    `only`: "webhooks" or "telegram", by default both; `more`: further configuration.
    """
    async with make.receiving() as receiver:
        log = make.log()
        await log.ensure(TOPICS)
        receiver.answers = list(answers)
        hook, chat = receiver.toml().split("[alerts.telegram")
        toml = {"webhooks": hook, "telegram": f"[alerts.telegram{chat}"}.get(only, receiver.toml())
        async with serving(make.settings(more + toml, folder), log):
            yield receiver, log


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, WITHIN_S))


def test_an_incident_reaches_webhook_and_telegram_once(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    async def test() -> None:
        async with alerting(make, tmp_path) as (receiver, log):
            await log.append([make.entry(make.incident())] * 2)
            refresh = make.incident(sequence=1, change="evidence", observed=99.0)
            await log.append([make.entry(refresh)])
            over = make.incident(sequence=2, level=0, closed_at=make.now, change="closed")
            await log.append([make.entry(over)])
            await receiver.heard(4)
            await asyncio.sleep(0.1)
        hooks = [body for path, _, body in receiver.got if path == "/hook"]
        chats = [body for path, _, body in receiver.got if path != "/hook"]
        assert [h["status"] for h in hooks] == ["firing", "resolved"]
        assert hooks[0]["summary"] == "Mentions of Kirana surge."
        assert hooks[0]["acknowledge"].startswith(hooks[0]["link"].split("/incident/")[0] + "/a/")
        assert hooks[1]["acknowledge"] is None
        assert [c["chat_id"] for c in chats] == ["-42", "-42"]
        assert "CRISIS" in chats[0]["text"]
        # one incident is one thread
        assert chats[1]["reply_parameters"]["message_id"] >= 1001

    run(test())


def test_a_restart_tells_what_came_meanwhile_and_nothing_twice(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    async def test() -> None:
        async with make.receiving() as receiver:
            log = make.log()
            settings = make.settings(receiver.toml(), tmp_path)
            await log.append([make.entry(make.incident(id="live/kirana/old"))])
            async with serving(settings, log):
                await asyncio.sleep(0.1)
                assert not receiver.got, "an incident from before the first start pages nobody"
            await log.append([make.entry(make.incident(level=2))])
            async with serving(settings, log):
                await receiver.heard(2)
                await asyncio.sleep(0.1)  # told and saved; in between it would be told again
            async with serving(settings, log):
                await log.append(
                    [make.entry(make.incident(sequence=1, change="evidence", level=2))]
                )
                await log.append([make.entry(make.incident(sequence=2, level=3))])
                await receiver.heard(4)
                await asyncio.sleep(0.1)
        told = sorted((b["sequence"], b["level"]) for p, _, b in receiver.got if p == "/hook")
        assert told == [(0, 2), (2, 3)]

    run(test())


def test_a_failing_target_is_tried_again_and_holds_up_nobody(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    async def test() -> None:
        async with make.receiving() as receiver, make.receiving() as broken:
            log = make.log()
            await log.ensure(TOPICS)
            toml = receiver.toml() + (
                f'[alerts.webhooks.away]\nurl = "http://127.0.0.1:{broken.port}/hook"\n'
            )
            broken.answers = [(503, None), (500, None), (429, 0.05)]
            before = _sent("webhook", "retried")
            async with serving(make.settings(toml, tmp_path), log):
                await log.append([make.entry(make.incident())])
                await receiver.heard(2)
                await broken.heard(4)
            assert _sent("webhook", "retried") - before == 3
            assert len({h["idempotency-key"] for _, h, _ in broken.got}) == 1

    run(test())


def test_telegrams_own_retry_after_is_obeyed(make: SimpleNamespace, tmp_path: Path) -> None:
    async def test() -> None:
        slow = [(429, 1.0)]
        async with alerting(make, tmp_path, only="telegram", answers=slow) as (receiver, log):
            await log.append([make.entry(make.incident())])
            await receiver.heard(1)
            began = asyncio.get_running_loop().time()
            await receiver.heard(2)
            assert asyncio.get_running_loop().time() - began >= 0.9

    run(test())


def test_a_refused_message_is_skipped_and_the_next_one_is_told(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    async def test() -> None:
        before = _sent("webhook", "refused")
        refusing = [(400, None)]
        async with alerting(make, tmp_path, only="webhooks", answers=refusing) as (receiver, log):
            await log.append([make.entry(make.incident(level=2))])
            await receiver.heard(1)
            await log.append([make.entry(make.incident(level=3, sequence=1))])
            await receiver.heard(2)
        assert _sent("webhook", "refused") - before == 1

    run(test())


def test_only_the_configured_runs_are_told(make: SimpleNamespace, tmp_path: Path) -> None:
    async def test() -> None:
        demo = '[alerts]\nruns = ["demo"]\n'
        async with alerting(make, tmp_path, only="webhooks", more=demo) as (receiver, log):
            await log.append([make.entry(make.incident())])
            await log.append([make.entry(make.incident(id="demo/kirana/1", run="demo"))])
            await receiver.heard(1)
            await asyncio.sleep(0.1)
        assert [body["run"] for _, _, body in receiver.got] == ["demo"]

    run(test())


def test_an_unreadable_record_stops_nothing(make: SimpleNamespace, tmp_path: Path) -> None:
    async def test() -> None:
        async with alerting(make, tmp_path) as (receiver, log):
            bad = make.entry(make.incident())._replace(value=b'{"id": 3')
            await log.append([bad, bad._replace(value=None), make.entry(make.incident())])
            await receiver.heard(2)

    run(test())


def test_nobody_acknowledged_so_the_next_step_is_told_once(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    async def test() -> None:
        dewi = LADDER.replace("dewi]\n", 'dewi]\ntelegram = "dewi_pr"\n')
        async with alerting(make, tmp_path, only="webhooks", more=dewi) as (receiver, log):
            # opened long ago by the wall clock: its time is over at once
            await log.append([make.entry(make.incident())])
            await receiver.heard(2)
            await asyncio.sleep(0.2)
        bodies = [body for _, _, body in receiver.got]
        assert [b["status"] for b in bodies] == ["firing", "escalated"]
        assert bodies[1]["oncall"] == ["@dewi_pr"]
        assert bodies[0]["key"] != bodies[1]["key"]

    run(test())


def test_an_acknowledged_incident_does_not_climb(make: SimpleNamespace, tmp_path: Path) -> None:
    async def test() -> None:
        async with alerting(make, tmp_path, only="webhooks", more=LADDER) as (receiver, log):
            await log.append([make.entry(make.incident(acknowledged_by="sari"))])
            await receiver.heard(1)
            await asyncio.sleep(0.2)
        assert [body["status"] for _, _, body in receiver.got] == ["firing"]

    run(test())


def test_a_snoozed_incident_does_not_climb_until_the_snooze_ends(
    make: SimpleNamespace, tmp_path: Path
) -> None:
    async def test() -> None:
        async with alerting(make, tmp_path, only="webhooks", more=LADDER) as (receiver, log):
            until = datetime.now(UTC) + timedelta(hours=1)
            await log.append([make.entry(make.incident(snoozed_until=until))])
            await receiver.heard(1)
            await asyncio.sleep(2.5)  # the ladder is looked at every 2 s
            assert len(receiver.got) == 1
            over = datetime.now(UTC) - timedelta(seconds=1)
            await log.append([make.entry(make.incident(sequence=1, snoozed_until=over))])
            await receiver.heard(2)
        assert [body["status"] for _, _, body in receiver.got] == ["firing", "escalated"]

    run(test())


def test_who_takes_it_is_told_to_the_others(make: SimpleNamespace, tmp_path: Path) -> None:
    async def test() -> None:
        async with alerting(make, tmp_path) as (receiver, log):
            await log.append([make.entry(make.incident())])
            await receiver.heard(2)
            taken = make.incident(sequence=1, change="acknowledged", acknowledged_by="Sari <b>")
            await log.append([make.entry(taken)])
            await receiver.heard(4)
        texts = [body["text"] for path, _, body in receiver.got if path != "/hook"]
        assert texts[1].startswith("✅ <b>Sari &lt;b&gt; is on it</b>")
        hooks = [body for path, _, body in receiver.got if path == "/hook"]
        assert [hook["status"] for hook in hooks] == ["firing", "acknowledged"]
        assert hooks[1]["acknowledged_by"] == "Sari <b>"

    run(test())


def test_a_missing_secret_is_a_sentence() -> None:
    settings = parse('[alerts.telegram.chat]\nchat_id = "1"\ntoken_env = "NO_SUCH_VARIABLE"')
    with pytest.raises(CannotStart, match=r"alerts\.telegram\.chat.*NO_SUCH_VARIABLE"):
        configured(settings.section(AlertsSettings))


def test_levels_are_a_targets_own_or_the_sections() -> None:
    settings = parse(
        '[alerts]\nmin_level = "alert"\n[alerts.webhooks.a]\nurl = "http://h.test/"\n'
        '[alerts.telegram.b]\nchat_id = "1"\nmin_level = "crisis"\n'
    )
    hook, chat = configured(settings.section(AlertsSettings))
    assert isinstance(hook, Webhook)
    assert isinstance(chat, Telegram)
    assert (hook.min_level, chat.min_level) == (2, 3)


def test_the_bots_token_never_reaches_a_log(
    make: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "httpx")
    caplog.set_level("DEBUG", "siaga.alerts")

    async def test() -> None:
        away = [(500, None)]
        async with alerting(make, tmp_path, only="telegram", answers=away) as (receiver, log):
            await log.append([make.entry(make.incident())])
            await receiver.heard(2)

    run(test())
    assert "bot***" in caplog.text
    assert "123:secret" not in caplog.text


def _sent(kind: str, outcome: str) -> float:
    value = ALERTS_SENT.labels(kind, outcome)._value.get()
    return float(value)
