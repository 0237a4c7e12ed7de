"""The test kit itself: a sound connector passes, and each planted fault is caught by its test."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

import httpx
import msgspec
import pytest

from connectors.contract import Context, Fatal, Item, Page, Retryable, SourceSettings
from connectors.http import ask, client
from connectors.testkit import ConnectorSuite, HttpConnectorSuite, Server

TOKEN = "t0ken-abcdef"  # noqa: S105  # of the test's own forum
POSTS = [{"id": n, "at": 1_748_000_000 + n, "text": f"kopi {n}"} for n in range(1, 8)]


def forum(request: httpx.Request) -> httpx.Response:
    """A documented little API: `/posts?after=ID`, three a page, bearer token."""
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return httpx.Response(401)
    after = int(request.url.params.get("after", "0"))
    found = [p for p in POSTS if int(str(p["id"])) > after][:3]
    return httpx.Response(
        200, json={"posts": found, "more": bool(found) and found[-1] != POSTS[-1]}
    )


class Post(msgspec.Struct):
    id: int
    at: int
    text: str


class Reply(msgspec.Struct):
    posts: list[Post]
    more: bool


class ForumSettings(SourceSettings):
    type: Literal["forum"] = "forum"


class Forum:
    Settings: ClassVar[type[SourceSettings]] = ForumSettings

    def __init__(self, context: Context) -> None:
        self.context = context
        self.token = context.secret("FORUM_TOKEN")
        self.http = client(context)

    async def fetch(self, cursor: str | None) -> Page:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = await ask(
            self.http,
            "https://forum.example/posts",
            params={"after": cursor or "0"},
            headers=headers,
            now=self.context.now,
        )
        reply = answer.json(Reply)
        last = str(reply.posts[-1].id) if reply.posts else cursor
        return Page(tuple(map(self.item, reply.posts)), last, more=reply.more)

    def item(self, post: Post) -> Item:
        return Item(
            native_id=str(post.id),
            published_at=datetime.fromtimestamp(post.at, UTC),
            text=post.text,
        )

    async def close(self) -> None:
        await self.http.aclose()


class ForumSuite(HttpConnectorSuite):
    expected_ids = tuple(str(n) for n in range(1, 8))
    secrets = (TOKEN,)
    environ: ClassVar[dict[str, str]] = {"FORUM_TOKEN": TOKEN}
    kind: type[Forum] = Forum

    def connector(self, context: Context) -> Forum:
        return self.kind(context)

    def server(self) -> Server:
        return forum


class TestForum(ForumSuite):
    """The sound one passes everything."""


# ---- planted faults


class OffByOne(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        page = await super().fetch(cursor)
        return msgspec.structs.replace(page, cursor=str(int(page.cursor or 0) + 1))


class Rereads(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        page = await super().fetch(cursor)
        back = max(int(page.cursor or 0) - 1, int(cursor or 0))
        return msgspec.structs.replace(page, cursor=str(back) if page.more else page.cursor)


class LocalTime(Forum):
    def item(self, post: Post) -> Item:
        return msgspec.structs.replace(
            super().item(post),
            published_at=datetime.fromtimestamp(post.at),  # noqa: DTZ006  # the planted fault
        )


class OwnClock(Forum):
    def item(self, post: Post) -> Item:
        return msgspec.structs.replace(super().item(post), published_at=self.context.now())


class Swallows(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        try:
            return await super().fetch(cursor)
        except (Retryable, Fatal):
            return Page((), cursor)


class SwallowsOne(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        page = await super().fetch(cursor)
        return msgspec.structs.replace(page, items=page.items[:2])


class PositionalIds(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        page = await super().fetch(cursor)
        named = (msgspec.structs.replace(i, native_id=str(n)) for n, i in enumerate(page.items))
        return msgspec.structs.replace(page, items=tuple(named))


class TellsSecret(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        try:
            return await super().fetch(cursor)
        except Fatal as e:
            raise Fatal(f"the server refused token {self.token}: check it") from e


class LogsSecret(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        logging.getLogger("forum").debug("asking with %s", self.token)
        return await super().fetch(cursor)


class Crashes(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        try:
            return await super().fetch(cursor)
        except Retryable as e:
            raise KeyError("posts") from e


class NoWait(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        try:
            return await super().fetch(cursor)
        except Retryable as e:
            raise Retryable(str(e)) from e


class ClosesOnce(Forum):
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("already closed")
        self.closed = True


class BadLabel(Forum):
    class Settings(SourceSettings):
        type: Literal["My Forum"] = "My Forum"


class AdvancesOnError(Forum):
    skipped = 0

    async def fetch(self, cursor: str | None) -> Page:
        try:
            page = await super().fetch(str(int(cursor or 0) + self.skipped))
        except Retryable:
            self.skipped += 1
            raise
        self.skipped = 0
        return page


class Hangs(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        await asyncio.Event().wait()
        return await super().fetch(cursor)


class SwallowsTheCut(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        try:
            return await super().fetch(cursor)
        except asyncio.CancelledError:
            await asyncio.Event().wait()
            raise


class MovesWhenCut(Forum):
    async def fetch(self, cursor: str | None) -> Page:
        try:
            return await super().fetch(cursor)
        except asyncio.CancelledError:
            return Page((), "3")


class SkipsWhenCut(Forum):
    cut = False

    async def fetch(self, cursor: str | None) -> Page:
        try:
            page = await super().fetch("3" if self.cut and cursor is None else cursor)
        except asyncio.CancelledError:
            self.cut = True
            raise
        return page


FAULTS: list[tuple[type[Forum], str]] = [
    (OffByOne, "test_resuming_at_every_page_boundary_loses_and_repeats_nothing"),
    (OffByOne, "test_all_expected_items_come"),
    (Rereads, "test_resuming_at_every_page_boundary_loses_and_repeats_nothing"),
    (Rereads, "test_ids_are_unique_and_stable"),
    (LocalTime, "test_times_are_aware"),
    (OwnClock, "test_times_are_the_sources_own"),
    (Swallows, "test_429_without_retry_after_is_retryable"),
    (Swallows, "test_401_is_fatal_and_says_what_to_do"),
    (Swallows, "test_an_error_in_mid_reading_keeps_the_place"),
    (SwallowsOne, "test_all_expected_items_come"),
    (PositionalIds, "test_ids_are_unique_and_stable"),
    (TellsSecret, "test_401_is_fatal_and_says_what_to_do"),
    (LogsSecret, "test_secrets_are_never_told"),
    (NoWait, "test_429_with_seconds_waits_as_long"),
    (NoWait, "test_429_with_a_date_waits_until_then"),
    (ClosesOnce, "test_closing_twice_is_harmless"),
    (BadLabel, "test_name_is_label_safe"),
    (AdvancesOnError, "test_an_error_in_mid_reading_keeps_the_place"),
    (Hangs, "test_all_expected_items_come"),
    (Hangs, "test_a_fetch_that_hangs_can_be_cut_off_and_asked_again"),
    (SwallowsTheCut, "test_a_fetch_that_hangs_can_be_cut_off_and_asked_again"),
    (MovesWhenCut, "test_a_fetch_that_hangs_can_be_cut_off_and_asked_again"),
    (SkipsWhenCut, "test_a_fetch_that_hangs_can_be_cut_off_and_asked_again"),
]


@pytest.mark.parametrize(
    ("kind", "promise"), FAULTS, ids=[f"{k.__name__}-{p[5:30]}" for k, p in FAULTS]
)
def test_a_planted_fault_is_caught(
    kind: type[Forum], promise: str, caplog: pytest.LogCaptureFixture
) -> None:
    suite = ForumSuite()
    suite.kind = kind
    suite.limit_s = 2.0  # type: ignore[misc]  # a suite of its own for each fault
    test: Callable[..., Any] = getattr(suite, promise)
    arguments = {"caplog": caplog} if "secrets" in promise else {}
    with pytest.raises((AssertionError, pytest.fail.Exception, RuntimeError)):
        test(**arguments)


def test_a_crash_on_a_malformed_body_is_caught() -> None:
    suite = ForumSuite()
    suite.kind = Crashes
    with pytest.raises(KeyError):
        suite.test_a_malformed_body_is_an_empty_page_or_a_clean_error(b"<html>")


def test_the_clock_of_the_kit_is_the_contexts() -> None:
    late = ForumSuite().context(now=lambda: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=1))
    assert asyncio.run(Forum(late).fetch(None)).more


# ---- streams and deliveries

BEAT_S = 0.02


def page_item(n: int) -> Item:
    return Item(
        native_id=str(n), published_at=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=n)
    )


class Ticker:
    """Streams seven items, three a page, and heartbeats for ever."""

    Settings: ClassVar[type[SourceSettings]] = ForumSettings
    ahead = 0

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        at = int(cursor or 0)
        while True:
            found = tuple(page_item(n) for n in range(at, min(at + 3, 7)))
            at += len(found)
            yield Page(found, str(at + self.ahead if found else at))
            await asyncio.sleep(BEAT_S)

    async def close(self) -> None:
        pass


class TickerAhead(Ticker):
    ahead = 1


class TickerAgain(Ticker):
    ahead = -1


class StreamSuite(ConnectorSuite):
    expected_ids = tuple(map(str, range(7)))
    finite = False
    patience_s = 0.2
    kind: type[Ticker] = Ticker

    def connector(self, context: Context) -> Ticker:
        del context
        return self.kind()


class TestStream(StreamSuite):
    """The sound one passes everything."""


class Hook:
    """Is delivered to; a sender hears when its item is safe."""

    Settings: ClassVar[type[SourceSettings]] = ForumSettings

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[tuple[Item, asyncio.Future[None]]] = asyncio.Queue()

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        del cursor
        while True:
            try:
                async with asyncio.timeout(BEAT_S):
                    item, done = await self.waiting.get()
            except TimeoutError:
                yield Page((), None)
                continue
            self.before(done)
            yield Page((item,), None)
            self.after(done)

    def before(self, done: "asyncio.Future[None]") -> None:
        """The log does not have it yet."""

    def after(self, done: "asyncio.Future[None]") -> None:
        if not done.done():
            done.set_result(None)

    async def close(self) -> None:
        pass


class TellsEarly(Hook):
    def before(self, done: "asyncio.Future[None]") -> None:
        done.set_result(None)


class NeverTells(Hook):
    def after(self, done: "asyncio.Future[None]") -> None:
        pass


class DeliveredSuite(ConnectorSuite):
    expected_ids = ("0", "1", "2")
    finite = False
    delivered = True
    patience_s = 0.2
    kind: type[Hook] = Hook
    last: Hook | None = None

    def connector(self, context: Context) -> Hook:
        del context
        self.last = self.kind()
        return self.last

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async def send() -> None:
            for n in range(3):
                taken = False
                while not taken:
                    await asyncio.sleep(0.001)
                    if self.last is not None:
                        done = asyncio.get_running_loop().create_future()
                        self.last.waiting.put_nowait((page_item(n), done))
                        await asyncio.wait({done}, timeout=3 * BEAT_S)
                        taken = done.done()

        sender = asyncio.create_task(send())
        yield
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)


class TestDelivered(DeliveredSuite):
    """The sound one passes everything."""


@pytest.mark.parametrize("kind", [TickerAhead, TickerAgain])
def test_a_stream_whose_cursor_is_off_by_one_is_caught(kind: type[Ticker]) -> None:
    suite = StreamSuite()
    suite.kind = kind
    with pytest.raises(AssertionError, match="resuming after page 1"):
        suite.test_resuming_at_every_page_boundary_loses_and_repeats_nothing()


@pytest.mark.parametrize(("kind", "told"), [(TellsEarly, "before the log"), (NeverTells, "not")])
def test_a_sender_that_is_told_too_early_or_never_is_caught(kind: type[Hook], told: str) -> None:
    suite = DeliveredSuite()
    suite.kind = kind
    with pytest.raises(AssertionError, match=told):
        suite.test_resuming_at_every_page_boundary_loses_and_repeats_nothing()
