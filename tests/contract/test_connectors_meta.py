"""Meta's webhooks over real HTTP: handshake, signature, 200 after the log, redelivery, pressure."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast
from unittest.mock import patch

import httpx
import pytest
from local_http import as_app, serving
from meta_sender import (
    AT,
    INSTAGRAM,
    MADE,
    PAGE,
    SECRET,
    VERIFY,
    body_of,
    deliver,
    instagram_comment,
    message,
    page_feed,
    read,
    signature,
    until_taken,
    whatsapp,
)

from connectors.contract import LAST_REVISION, BadItem, Context, Fatal, Item, Page
from connectors.ingest import memory
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.ingest.memory import BrandMemory
from connectors.ingest.runner import Runner
from connectors.memory_log import MemoryLog
from connectors.sources import inbox
from connectors.sources.meta.source import MetaConnector, MetaSettings
from connectors.testkit import ConnectorSuite
from streams import codec
from streams.records import Batch, Mention
from streams.settings import BrandSettings
from streams.topics import MENTIONS

VARIABLE = "IG"


def connector(**values: Any) -> MetaConnector:
    given_values: dict[str, Any] = {"port": 0, "brand": "tokoraya"} | values
    settings = MetaSettings(**given_values)
    environ = {"META_APP_SECRET": SECRET, "META_VERIFY_TOKEN": VERIFY, VARIABLE: "IG-t0ken"}
    return MetaConnector(settings, Context("meta", environ=environ))


@dataclass
class Desk:
    """A connector that runs, and a runner's part: pages are acknowledged when told to."""

    made: MetaConnector
    http: httpx.AsyncClient
    pages: list[Page] = field(default_factory=list)
    acknowledge: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def items(self) -> list[Item]:
        return [i for p in self.pages for i in p.items if isinstance(i, Item)]

    async def post(self, notice: dict[str, Any] | bytes, **headers: str) -> httpx.Response:
        return await deliver(self.http, self.made.port, notice, **headers)


@asynccontextmanager
async def running(*, acknowledge: bool = True, **values: Any) -> AsyncIterator[Desk]:
    async with httpx.AsyncClient() as http:
        desk = Desk(connector(**values), http)
        if acknowledge:
            desk.acknowledge.set()

        async def run() -> None:
            async for page in desk.made.stream(None):
                if page.items:
                    desk.pages.append(page)
                    await desk.acknowledge.wait()

        task = asyncio.create_task(run())
        while not desk.made.port and not task.done():  # noqa: ASYNC110  # the port is plain state
            await asyncio.sleep(0.005)
        try:
            yield desk
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class TestMeta(ConnectorSuite):
    """The kit, over a sender that delivers again what was not answered with 200."""

    notices = (page_feed(), instagram_comment(), whatsapp(message("wamid.1", "halo")))
    expected_ids = tuple(i.native_id for n in notices for i in read(n))
    finite = False
    delivered = True
    secrets = (SECRET, VERIFY)
    environ: ClassVar[dict[str, str]] = {"META_APP_SECRET": SECRET, "META_VERIFY_TOKEN": VERIFY}
    made_last: MetaConnector | None = None

    def connector(self, context: Context) -> MetaConnector:
        self.made_last = MetaConnector(MetaSettings(port=0, brand="tokoraya"), context)
        return self.made_last

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async def send() -> None:
            async with httpx.AsyncClient() as http:
                for notice in self.notices:
                    taken = False
                    while not taken:
                        await asyncio.sleep(0.005)
                        if self.made_last is not None and self.made_last.port:
                            with suppress(httpx.HTTPError):
                                answer = await deliver(http, self.made_last.port, notice)
                                taken = answer.status_code == 200

        with patch.object(inbox, "HEARTBEAT_S", 0.05):
            sender = asyncio.create_task(send())
            yield
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)


@dataclass
class Graph:
    """The Graph API's `mentioned_comment` and `mentioned_media`, as documented."""

    down: bool = False
    refuse: bool = False
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.down:
            return httpx.Response(500)
        if self.refuse or request.headers.get("authorization") != "Bearer IG-t0ken":
            return httpx.Response(400, json={"error": {"type": "OAuthException", "code": 190}})
        assert request.url.path == f"/v23.0/{INSTAGRAM}"
        fields = request.url.params["fields"]
        told = {
            "id": "18",
            "timestamp": MADE.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "username": "budi",
        }
        if fields.startswith("mentioned_comment.comment_id(18){"):
            return httpx.Response(200, json={"mentioned_comment": {**told, "text": "tolong dong"}})
        assert fields.startswith("mentioned_media.media_id(17){")
        return httpx.Response(200, json={"mentioned_media": {**told, "caption": "tolong @toko"}})


def mention(**value: str) -> dict[str, Any]:
    notice = instagram_comment()
    notice["entry"][0]["changes"].append({"field": "mentions", "value": value})
    return notice


@pytest.mark.parametrize(
    ("value", "kind"),
    [({"media_id": "17", "comment_id": "18"}, "comment"), ({"media_id": "17"}, "post")],
)
def test_with_a_token_the_words_of_a_mention_are_looked_up(
    value: dict[str, str], kind: str
) -> None:
    async def story() -> None:
        graph = Graph()
        async with (
            serving(as_app(graph)) as address,
            running(
                token_env=VARIABLE, graph_url=f"http://{address}/v23.0", allow_private=True
            ) as desk,
        ):
            graph.down = True
            assert (await desk.post(mention(**value))).status_code == 503  # Meta comes again
            assert desk.pages == []
            graph.down = False
            assert (await desk.post(mention(**value))).status_code == 200
            graph.refuse = True
            assert (await desk.post(mention(**value))).status_code == 200
        words = [i for i in desk.items if "tolong" in i.text]
        assert [(i.kind, i.author, i.published_at) for i in words] == [(kind, "budi", MADE)]
        assert any(isinstance(i, BadItem) for i in desk.pages[-1].items)  # a refused token is told
        assert all("IG-t0ken" not in str(r.url) for r in graph.requests)

    asyncio.run(story())


def test_the_handshake_echoes_the_challenge_to_who_knows_the_token_only() -> None:
    async def story() -> None:
        async with running() as desk:
            url = f"http://127.0.0.1:{desk.made.port}/"
            asked = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "115820"}
            good = await desk.http.get(url, params=asked)
            assert (good.status_code, good.text) == (200, "115820")
            assert good.headers["content-type"].startswith("text/plain")
            wrong = await desk.http.get(url, params={**asked, "hub.verify_token": "teh"})
            assert wrong.status_code == 403
            assert "115820" not in wrong.text
            other = await desk.http.get(url, params={**asked, "hub.mode": "unsubscribe"})
            assert other.status_code == 403

    asyncio.run(story())


@pytest.mark.parametrize(
    "header", ["", "sha256=", signature(b"x"), "sha1=abc", signature(b"{}", "f0" * 16), "sha256=ÿ"]
)
def test_what_meta_did_not_sign_is_refused_unread(header: str) -> None:
    async def story() -> None:
        async with running() as desk:
            raw = httpx.Headers([(b"X-Hub-Signature-256", header.encode("latin-1"))])
            url = f"http://127.0.0.1:{desk.made.port}/"
            answer = await desk.http.post(url, content=body_of(page_feed()), headers=raw)
            assert answer.status_code == 401
            assert desk.pages == []

    asyncio.run(story())


def test_200_is_said_only_when_the_log_has_it() -> None:
    async def story() -> None:
        async with running(acknowledge=False) as desk:
            posting = asyncio.create_task(desk.post(page_feed()))
            while not desk.pages:  # noqa: ASYNC110  # plain state
                await asyncio.sleep(0.005)
            done, _ = await asyncio.wait({posting}, timeout=0.1)
            assert not done
            desk.acknowledge.set()
            assert (await posting).status_code == 200

    asyncio.run(story())


@asynccontextmanager
async def service(log: MemoryLog, **values: Any) -> AsyncIterator[MetaConnector]:
    """A process of `siaga connect` that knows what is on the log, and no more."""
    await log.ensure()
    made = connector(**values)
    settings = MetaSettings(**{"port": 0, "brand": "tokoraya"} | values)
    matcher = Matcher({"tokoraya": BrandSettings(names=("Tokoraya",))})
    known = (await memory.load(log)).get(memory.key_prefix("meta", "live"), ())
    door = Door("meta", matcher, memory=BrandMemory("meta", saved=known))
    runner = Runner("meta", made, settings, door, log, partitions=(0, 1))
    task = asyncio.create_task(runner.run())
    while not made.port:  # noqa: ASYNC110  # the port is plain state
        await asyncio.sleep(0.005)
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def published(log: MemoryLog) -> list[Mention]:
    read = [codec.mentions.decode(r.value or b"") async for c in log.read(MENTIONS) for r in c]
    return [m for b in read if isinstance(b, Batch) for m in b.mentions]


def test_a_redelivery_counts_once_through_the_runner_and_the_log() -> None:
    async def story() -> None:
        log = MemoryLog()
        async with service(log) as made, httpx.AsyncClient() as http:
            for _ in range(3):
                assert await until_taken(http, made.port, page_feed()) == 1
            assert await until_taken(http, made.port, whatsapp(message("wamid.1", "halo"))) == 1
        assert sorted(m.id for m in await published(log)) == [
            f"meta:page:{PAGE}_1_77",
            "meta:whatsapp_business_account:wamid.1",
        ]

    asyncio.run(story())


LATER = AT + 7200
EDIT = page_feed(LATER, verb="edited", message="x", created_time=LATER)
REMOVAL = page_feed(LATER, verb="remove", created_time=LATER)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_edit_and_a_deletion_keep_the_time_of_their_comment(restarts: bool) -> None:
    """Meta tells when they happened; the stream knows a mention by the time it was published."""

    async def story() -> None:
        log = MemoryLog()
        deliveries = [page_feed(), EDIT, REMOVAL]
        for part in [[d] for d in deliveries] if restarts else [deliveries]:
            async with service(log) as made, httpx.AsyncClient() as http:
                for notice in part:
                    await until_taken(http, made.port, notice)
        found = await published(log)
        assert [m.published_at for m in found] == [MADE] * 3
        assert found[0].revision < found[1].revision < found[2].revision == LAST_REVISION
        assert [m.deleted for m in found] == [False, False, True]

    asyncio.run(story())


@pytest.mark.parametrize("seen", [False, True])
def test_what_was_deleted_stays_so_when_meta_delivers_again_after_a_restart(seen: bool) -> None:
    async def story() -> None:
        log = MemoryLog()
        async with service(log) as made, httpx.AsyncClient() as http:
            for notice in [page_feed(), REMOVAL] if seen else [REMOVAL]:
                await until_taken(http, made.port, notice)
        before = len(await published(log))
        async with service(log) as made, httpx.AsyncClient() as http:
            for notice in (page_feed(), EDIT):
                await until_taken(http, made.port, notice)
        found = await published(log)
        assert [m.text for m in found[before:]] == []
        assert [m.deleted for m in found] == ([False, True] if seen else [])

    asyncio.run(story())


def test_a_signed_body_that_cannot_be_read_is_a_dead_letter_and_not_sent_for_ever() -> None:
    async def story() -> None:
        async with running() as desk:
            assert (await desk.post(b'{"object": "page", "entry": 7}')).status_code == 200
            assert [type(i) for p in desk.pages for i in p.items] == [BadItem]

    asyncio.run(story())


def test_fields_that_are_not_read_are_acknowledged_at_once() -> None:
    async def story() -> None:
        async with running(acknowledge=False) as desk:
            notice = page_feed()
            notice["entry"][0]["changes"][0]["field"] = "ratings"
            assert (await desk.post(notice)).status_code == 200
            assert desk.pages == []

    asyncio.run(story())


def test_bodies_are_limited_also_when_their_length_is_not_told() -> None:
    async def story() -> None:
        async with running(max_body_bytes=2048) as desk:
            big = page_feed(message="x" * 4000)
            assert (await desk.post(big)).status_code == 413

            async def parts() -> AsyncIterator[bytes]:
                yield body_of(big)

            url = f"http://127.0.0.1:{desk.made.port}/"
            assert (await desk.http.post(url, content=parts())).status_code == 413

    asyncio.run(story())


def test_a_body_that_drips_does_not_hold_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "BODY_S", 0.1)

    async def story() -> None:
        async with running() as desk:
            reader, writer = await asyncio.open_connection("127.0.0.1", desk.made.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
            async with asyncio.timeout(5):
                assert b" 408 " in await reader.readline()
            writer.close()

    asyncio.run(story())


def test_under_pressure_meta_is_asked_to_come_again_and_nothing_is_lost() -> None:
    async def story() -> None:
        async with running(acknowledge=False, max_waiting=1) as desk:
            first = asyncio.create_task(desk.post(page_feed()))
            while not desk.pages:  # noqa: ASYNC110  # plain state
                await asyncio.sleep(0.005)
            second = page_feed(comment_id="2")
            refused = await desk.post(second)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            desk.acknowledge.set()
            assert (await first).status_code == 200
            await until_taken(desk.http, desk.made.port, second)
            assert len(desk.items) == 2

    asyncio.run(story())


def test_when_it_stops_what_the_log_does_not_have_is_not_acknowledged() -> None:
    async def story() -> None:
        async with running(acknowledge=False) as desk:
            posting = asyncio.create_task(desk.post(page_feed()))
            while not desk.pages:  # noqa: ASYNC110  # plain state
                await asyncio.sleep(0.005)
        answered = await asyncio.gather(posting, return_exceptions=True)
        told = answered[0]
        assert isinstance(told, httpx.HTTPError) or (
            isinstance(told, httpx.Response) and told.status_code == 503
        )

    asyncio.run(story())


def test_a_taken_port_and_a_missing_secret_are_fatal_and_say_what_to_do() -> None:
    async def first(made: MetaConnector) -> Page:
        return await anext(cast("AsyncGenerator[Page, None]", made.stream(None)))

    async def story() -> None:
        async with running() as desk:
            with pytest.raises(Fatal, match="port taken"):
                await first(connector(port=desk.made.port))
        bare = MetaConnector(MetaSettings(port=0), Context("meta", environ={}))
        with pytest.raises(Fatal, match="META_APP_SECRET"):
            await first(bare)

    asyncio.run(story())


def test_silence_is_a_page_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "HEARTBEAT_S", 0.05)

    async def story() -> None:
        stream = cast("AsyncGenerator[Page, None]", connector().stream(None))
        async with asyncio.timeout(5):
            assert [(await anext(stream)).items for _ in range(2)] == [(), ()]
        await stream.aclose()

    asyncio.run(story())
