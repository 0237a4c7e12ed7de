"""The webhook over real HTTP: 202 means that the log has it, and nothing else gets in."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.contract import Context, Fatal
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.ingest.runner import Runner
from connectors.ingest.schedule import Backoff
from connectors.memory_log import MemoryLog
from connectors.settings import ConnectorsSettings
from connectors.sources.webhook import WebhookConnector, WebhookSettings, sign
from streams import codec
from streams.records import Batch
from streams.settings import BrandSettings
from streams.topics import DEAD, MENTIONS

SECRET = "a secret of the test's own"  # noqa: S105  # as it says
GOOD = {"id": "1", "time": "2025-01-01T00:00:00Z", "text": "kopi enak", "author": "siti"}


def settings(**values: Any) -> WebhookSettings:
    return WebhookSettings.model_validate({"port": 0, **values})


@asynccontextmanager
async def running(
    log: MemoryLog, **values: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Runner, "asyncio.Task[None]"]]:
    await log.ensure()
    source = settings(**values)
    context = Context("hook", environ={"SIAGA_WEBHOOK_SECRET": SECRET})
    connector = WebhookConnector(source, context)
    door = Door("hook", Matcher({"kopi": BrandSettings(names=("kopi",))}))
    options = ConnectorsSettings(tick_every_s=60)
    runner = Runner("hook", connector, source, door, log, partitions=(0, 1), options=options)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(5):
        while not connector.port:  # noqa: ASYNC110  # set by the server
            await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{connector.port}") as http:
        yield http, runner, task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def post(http: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = {"X-Siaga-Signature": sign(SECRET.encode(), raw, now=datetime.now(UTC)), **headers}
    return await http.post("/", content=raw, headers=signed)


async def ids(log: MemoryLog) -> list[str]:
    found: list[str] = []
    async for chunk in log.read(MENTIONS):
        for record in chunk:
            batch = codec.mentions.decode(record.value or b"")
            if isinstance(batch, Batch):
                found += [m.id for m in batch.mentions]
    return found


def story(work: Callable[[MemoryLog], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await work(MemoryLog())

    asyncio.run(run())


def test_202_comes_when_the_log_has_it_and_not_before() -> None:
    async def work(log: MemoryLog) -> None:
        async with running(log) as (http, runner, _):
            runner._publisher._backoff = Backoff(base_s=0.01, cap_s=0.05)
            assert (await post(http, GOOD)).status_code == 202
            assert await ids(log) == ["hook:1"]
            log.away = True
            waiting = asyncio.create_task(post(http, {**GOOD, "id": "2"}))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            log.away = False
            assert (await waiting).status_code == 202
            assert sorted(await ids(log)) == ["hook:1", "hook:2"]

    story(work)


def test_a_batch_says_how_many_became_dead_letters() -> None:
    async def work(log: MemoryLog) -> None:
        async with running(log) as (http, _, _):
            rows = [GOOD, {**GOOD, "id": "2"}, {"id": "3", "text": "kopi"}, {"text": "x"}, 5]
            reply = await post(http, rows)
            assert reply.status_code == 202
            assert reply.json()["accepted"] == 2
            assert len(reply.json()["dead_letters"]) == 3
            dead = [r async for chunk in log.read(DEAD) for r in chunk]
            assert len(dead) == 3
            assert sorted(await ids(log)) == ["hook:1", "hook:2"]

    story(work)


def test_only_a_fresh_signature_of_the_very_body_gets_in_and_only_once() -> None:
    async def work(log: MemoryLog) -> None:
        async with running(log) as (http, _, _):
            raw = json.dumps(GOOD).encode()
            now = datetime.now(UTC)
            good = sign(SECRET.encode(), raw, now=now)
            for header in (
                "",
                "nonsense",
                "t=abc,v1=00",
                "t=" + "9" * 30 + ",v1=00",
                good[:-1] + ("0" if good[-1] != "0" else "1"),
                sign(b"another secret entirely", raw, now=now),
                sign(SECRET.encode(), raw + b" ", now=now),
                sign(SECRET.encode(), raw, now=now - timedelta(minutes=6)),
                sign(SECRET.encode(), raw, now=now + timedelta(minutes=6)),
            ):
                reply = await http.post("/", content=raw, headers={"X-Siaga-Signature": header})
                assert reply.status_code == 401, header
                assert SECRET not in reply.text
            once = await http.post("/", content=raw, headers={"X-Siaga-Signature": good})
            assert once.status_code == 202
            for repeat in (good, good + ",x=1", good.replace(",", " , ")):
                again = await http.post("/", content=raw, headers={"X-Siaga-Signature": repeat})
                assert again.status_code == 401
            assert await ids(log) == ["hook:1"]

    story(work)


def test_bodies_that_are_too_large_too_many_or_no_json_are_refused() -> None:
    async def work(log: MemoryLog) -> None:
        async with running(log, max_body_bytes=100_000) as (http, _, _):
            assert (await post(http, b"{broken")).status_code == 400
            assert (await post(http, b"[" * 5000)).status_code == 400
            assert (await post(http, b"x" * 200_000)).status_code == 413
            assert (await post(http, [1] * 501)).status_code == 413

            async def endless() -> AsyncIterator[bytes]:
                for _ in range(100):
                    yield b"x" * 10_000

            reply = await http.post("/", content=endless(), headers={"X-Siaga-Signature": "t=1"})
            assert reply.status_code == 413
            assert (await http.get("/")).status_code == 405
            assert await ids(log) == []

    story(work)


def test_under_pressure_senders_are_asked_to_come_again_and_may() -> None:
    async def work(log: MemoryLog) -> None:
        async with running(log, max_waiting=10) as (http, _, _):
            log.away = True
            first = asyncio.create_task(post(http, [{**GOOD, "id": f"a{n}"} for n in range(8)]))
            await asyncio.sleep(0.2)
            raw = json.dumps([{**GOOD, "id": f"b{n}"} for n in range(5)]).encode()
            header = {"X-Siaga-Signature": sign(SECRET.encode(), raw, now=datetime.now(UTC))}
            refused = await http.post("/", content=raw, headers=header)
            assert refused.status_code == 429
            assert refused.headers["Retry-After"] == "1"
            log.away = False
            assert (await first).status_code == 202
            assert (await http.post("/", content=raw, headers=header)).status_code == 202
            assert len(await ids(log)) == 13

    story(work)


def test_what_was_not_acknowledged_at_the_stop_is_told_to_the_sender() -> None:
    async def work(log: MemoryLog) -> None:
        async with running(log) as (http, _, task):
            log.away = True
            waiting = asyncio.create_task(post(http, GOOD))
            await asyncio.sleep(0.2)
            task.cancel()
            result = (await asyncio.gather(waiting, return_exceptions=True))[0]
            assert not (isinstance(result, httpx.Response) and result.status_code == 202)

    story(work)


def test_a_taken_port_and_a_missing_secret_are_sentences() -> None:
    async def first(context: Context, port: int) -> None:
        connector = WebhookConnector(settings(port=port), context)
        async for _ in connector.stream(None):
            return

    async def taken() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await first(Context("hook", environ={"SIAGA_WEBHOOK_SECRET": SECRET}), port)

    with pytest.raises(Fatal, match="port taken"):
        asyncio.run(taken())
    with pytest.raises(Fatal, match="SIAGA_WEBHOOK_SECRET"):
        asyncio.run(first(Context("hook", environ={}), 0))
