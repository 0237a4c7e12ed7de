"""The test kit for connectors: subclass once, give a factory, and the contract is proven.

::

    class TestAcme(HttpConnectorSuite):
        secrets = ("t0ken",)

        def connector(self, context):
            return AcmeConnector(AcmeSettings(type="acme", url="https://acme.example"), context)

        def server(self):
            return AcmePages(pages=3)          # answers requests as the API's documentation says

        expected_ids = ("1", "2", "3", "4", "5", "6")

`ConnectorSuite` holds what is asked of every connector; `HttpConnectorSuite` adds what networks
and servers do wrong: rate limits, refusals, time-outs, cut and malformed bodies.
"""

import asyncio
import logging
import re
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar, cast

import httpx
import pytest

from connectors.contract import (
    BadItem,
    Connector,
    Context,
    Fatal,
    Item,
    Page,
    PushConnector,
    Retryable,
)
from connectors.ingest.door import REASONS

T = TypeVar("T")

Server = Callable[[httpx.Request], httpx.Response]
"""Answers a request as the source would; raises an httpx error to act as a broken network."""

LABEL = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
"""The wall clock of the suite."""

MAX_PAGES = 10_000

CUT_OFF_S = 0.2
"""How long the suite lets a fetch hang before it is cancelled."""


class ConnectorSuite:
    """What every connector promises. Subclass it, name the class `Test...`, and run pytest."""

    expected_ids: ClassVar[tuple[str, ...] | None] = None
    """Native ids of all items that the recorded source holds, in any order; None: not checked."""

    overlap: ClassVar[bool] = False
    """True for a source that reads a closed range again, since its order is not strict: its pages
    may repeat items, which the stream drops by id."""

    secrets: ClassVar[tuple[str, ...]] = ()
    """Values (tokens, keys) that may never appear in a log line or an error."""

    environ: ClassVar[Mapping[str, str]] = {}
    """Environment variables that the connector reads."""

    finite: ClassVar[bool] = True
    """False for a pushed source that never ends: it is read until `expected_ids` are there."""

    patience_s: ClassVar[float] = 0.5
    """How long a source that never ends is listened to for what may still come."""

    limit_s: ClassVar[float] = 30.0
    """A connector that hangs fails its test after so long, instead of holding the suite for ever.
    Raise it for a slow one; the service's own limit is `timeout_s` of the source."""

    def connector(self, context: Context) -> Connector | PushConnector:
        """Return a new connector over the recorded source."""
        raise NotImplementedError("give the suite a connector over recorded pages")

    # ---- what the tests use

    def context(self, **values: Any) -> Context:
        """Return the world that the connector sees."""
        return Context(**{"name": "kit", "environ": self.environ, "now": lambda: NOW, **values})

    def made(self, context: Context | None = None) -> Connector | PushConnector:
        """Return a new connector."""
        return self.connector(context or self.context())

    async def pages(self, cursor: str | None = None, *, most: int = MAX_PAGES) -> list[Page]:
        """Read on from a cursor until the source is drained, or for so many pages."""
        connector = self.made()
        try:
            if hasattr(connector, "fetch"):
                return await _polled(cast("Connector", connector), cursor, most)
            return await self._pushed(connector, cursor, most)
        finally:
            await connector.close()

    async def _pushed(self, connector: PushConnector, cursor: str | None, most: int) -> list[Page]:
        found: list[Page] = []
        missing = set(self.expected_ids or ())
        stream = cast("AsyncGenerator[Page, None]", connector.stream(cursor))
        try:
            limit_s = 10.0 if self.finite else self.patience_s
            async with asyncio.timeout(limit_s), aclosing(stream) as pages:
                async for page in pages:
                    found.append(page)
                    missing -= {i.native_id for i in page.items if isinstance(i, Item)}
                    if page.ended or len(found) >= most or (not self.finite and not missing):
                        break
        except TimeoutError:
            if self.finite:
                raise
        return found

    def _run(self, story: Coroutine[Any, Any, T]) -> T:
        async def limited() -> T:
            try:
                async with asyncio.timeout(self.limit_s) as limit:
                    return await story
            except TimeoutError:
                assert not limit.expired(), f"the connector hangs: nothing within {self.limit_s} s"
                raise

        return asyncio.run(limited())

    # ---- the promises

    def test_name_is_label_safe(self) -> None:
        """The type names a metric label and a table of the configuration."""
        kind = type(self.made()).Settings.model_fields["type"].default
        assert isinstance(kind, str), "Settings.type needs a default: Literal['name'] = 'name'"
        assert LABEL.match(kind), f"{kind!r} is no label: lower case, digits, - and _ only"

    def test_times_are_aware(self) -> None:
        """A local time without zone is hours wrong as soon as the server moves."""
        for item in _items(self._run(self.pages())):
            assert item.published_at.utcoffset() is not None, f"naive time in {item.native_id}"

    def test_times_are_the_sources_own(self) -> None:
        """A skewed clock of this machine must not move the items' times."""
        there = {(i.native_id, i.revision): i.published_at for i in _items(self._run(self.pages()))}
        ahead = self.context(now=lambda: NOW + timedelta(hours=7))
        skewed = self._run(self._with(ahead))
        moved = [k for k, at in skewed.items() if k in there and there[k] != at]
        assert not moved, f"times follow this machine's clock: {moved[:3]}"

    def test_ids_are_unique_and_stable(self) -> None:
        """The id is what a repeat is known by: it may never depend on position or time."""
        once = [(i.native_id, i.revision) for i in _items(self._run(self.pages()))]
        again = [(i.native_id, i.revision) for i in _items(self._run(self.pages()))]
        assert all(native_id for native_id, _ in once), "an item without id"
        assert self.overlap or len(set(once)) == len(once), "an id came twice"
        assert once == again, "the ids changed from one reading to the next"

    def test_all_expected_items_come(self) -> None:
        """Nothing of the recorded source is swallowed."""
        if self.expected_ids is None:
            pytest.skip("the suite names no expected_ids")
        found = {i.native_id for i in _items(self._run(self.pages()))}
        assert found == set(self.expected_ids)

    def test_resuming_at_every_page_boundary_loses_and_repeats_nothing(self) -> None:
        """A new process that knows only a cursor goes on with the very next item."""
        whole = self._run(self.pages())
        everything = set(self.expected_ids or (i.native_id for i in _items(whole)))
        seen: set[tuple[str, int]] = set()
        for n, page in enumerate(whole[:-1], start=1):
            seen |= _keys([page])
            rest = _keys(self._run(self.pages(page.cursor)))
            lost = everything - {i for i, _ in seen | rest}
            assert not lost, f"resuming after page {n} loses {sorted(lost)[:3]}"
            repeated = set() if self.overlap else rest & seen
            assert not repeated, f"resuming after page {n} repeats {sorted(repeated)[:3]}"

    def test_drained_is_stable(self) -> None:
        """Asking again when there is nothing new gives nothing and keeps the place."""
        last = self._run(self.pages())[-1]
        for _ in range(2):
            again = self._run(self.pages(last.cursor, most=2))
            assert not _items(again), "items came again after the end"
            if again:  # a stream may have nothing to say at all
                assert not again[-1].more, "a drained source asks to be fetched again at once"
                last = again[-1]

    def test_bad_items_name_a_known_reason(self) -> None:
        """Reasons are a metric label: a closed set."""
        for page in self._run(self.pages()):
            for item in page.items:
                if isinstance(item, BadItem):
                    assert item.reason in REASONS, f"{item.reason!r} is none of {REASONS}"

    def test_closing_twice_is_harmless(self) -> None:
        """Also when it was never used."""

        async def story() -> None:
            unused = self.made()
            await unused.close()
            await unused.close()

        self._run(story())

    def test_two_connectors_do_not_share_state(self) -> None:
        """Many sources of one type live in one process."""
        first = _items(self._run(self.pages()))
        second = _items(self._run(self.pages()))
        assert [i.native_id for i in first] == [i.native_id for i in second]

    def test_secrets_are_never_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """Neither by `repr` nor in the log."""
        caplog.set_level(logging.DEBUG)
        connector = self.made()
        self._run(self.pages())
        told = repr(connector) + caplog.text
        self.no_secret(told)

    def no_secret(self, told: str) -> None:
        """Fail if a text holds a secret."""
        for secret in self.secrets:
            assert secret not in told, "a secret was told"

    async def _with(self, context: Context) -> dict[tuple[str, int], datetime]:
        connector = self.made(context)
        try:
            if hasattr(connector, "fetch"):
                pages = await _polled(cast("Connector", connector), None, MAX_PAGES)
            else:
                pages = await self._pushed(connector, None, MAX_PAGES)
        finally:
            await connector.close()
        return {(i.native_id, i.revision): i.published_at for i in _items(pages)}


class Recorded(httpx.AsyncBaseTransport):
    """A network that consists of one server, whose answers are read as streams as real ones are."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.hangs = False
        """Whether requests get no answer, ever."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let the server answer."""
        await request.aread()
        if self.hangs:
            await asyncio.Event().wait()
        answer = self._server(request)
        body = b"".join(cast("httpx.SyncByteStream", answer.stream))
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body)
        )


class HttpConnectorSuite(ConnectorSuite):
    """What a polled connector promises when its server or the network fails.

    The connector has to use `connectors.http.client(context)`, which takes the suite's server.
    """

    def server(self) -> Server:
        """Return the recorded source."""
        raise NotImplementedError("give the suite a server that answers as the documentation says")

    def context(self, **values: Any) -> Context:
        """Return a world whose network is the recorded server."""
        answering = values.pop("server", None) or self.server()
        return super().context(**{"transport": Recorded(answering), **values})

    def first(self, server: Server) -> Page:
        """Fetch the first page from another server."""

        async def story() -> Page:
            connector = cast("Connector", self.made(self.context(server=server)))
            try:
                return await connector.fetch(None)
            finally:
                await connector.close()

        return self._run(story())

    def failing(self, server: Server, *kinds: type[Exception]) -> Exception:
        """Fetch from a failing server; the error must be of these kinds and hold no secret."""
        with pytest.raises(kinds) as caught:
            self.first(server)
        self.no_secret("".join(traceback.format_exception(caught.value)))
        return caught.value

    def test_429_without_retry_after_is_retryable(self) -> None:
        """The runner backs off by itself."""
        error = self.failing(lambda _: httpx.Response(429), Retryable)
        assert isinstance(error, Retryable)
        assert error.after_s is None, "the server named no time"

    def test_429_with_seconds_waits_as_long(self) -> None:
        """`Retry-After: 7`."""
        error = self.failing(lambda _: httpx.Response(429, headers={"Retry-After": "7"}), Retryable)
        assert isinstance(error, Retryable)
        assert error.after_s == 7

    def test_429_with_a_date_waits_until_then(self) -> None:
        """`Retry-After: Sun, 01 Jun 2025 12:00:30 GMT`, by the context's clock."""
        date = (NOW + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        error = self.failing(
            lambda _: httpx.Response(429, headers={"Retry-After": date}), Retryable
        )
        assert isinstance(error, Retryable)
        assert error.after_s == 30

    def test_401_is_fatal_and_says_what_to_do(self) -> None:
        """Trying again with a refused key gets accounts locked."""
        error = self.failing(lambda _: httpx.Response(401, text="no"), Fatal)
        assert len(str(error)) > 15, "a Fatal says what a person has to do"

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_server_errors_are_retryable(self, status: int) -> None:
        """They pass."""
        self.failing(lambda _: httpx.Response(status, text="<html>oops</html>"), Retryable)

    @pytest.mark.parametrize(
        "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError]
    )
    def test_network_trouble_is_retryable(self, error: type[httpx.TransportError]) -> None:
        """It passes, too."""

        def broken(request: httpx.Request) -> httpx.Response:
            raise error("the network is down", request=request)

        self.failing(broken, Retryable)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"<html>", b"null", b"[]", b"\xff\xfe\x00", b'{"unexpected": true}']
    )
    def test_a_malformed_body_is_an_empty_page_or_a_clean_error(self, body: bytes) -> None:
        """A page, `Retryable` or `Fatal`: nothing else, and no item out of nothing."""
        try:
            page = self.first(lambda _: httpx.Response(200, content=body))
        except (Retryable, Fatal) as e:
            self.no_secret("".join(traceback.format_exception(e)))
        else:
            assert not _items([page])

    def test_a_truncated_body_never_moves_the_cursor_past_what_was_cut(self) -> None:
        """Half an answer is no answer."""
        answering = self.server()

        def cut(request: httpx.Request) -> httpx.Response:
            whole = answering(request)
            headers = {k: v for k, v in whole.headers.items() if k.lower() != "content-length"}
            half = whole.content[: len(whole.content) // 2]
            return httpx.Response(whole.status_code, headers=headers, content=half)

        try:
            page = self.first(cut)
        except (Retryable, Fatal):
            return
        there = {i.native_id for i in _items(self._run(self.pages()))}
        rest = {i.native_id for i in _items(self._run(self.pages(page.cursor)))}
        got = {i.native_id for i in _items([page])}
        assert there <= got | rest, "a cut answer lost items"

    def test_a_fetch_that_hangs_can_be_cut_off_and_asked_again(self) -> None:
        """The runner cancels a fetch after `timeout_s` and asks again with the same cursor."""

        async def story() -> None:
            network = Recorded(self.server())
            connector = cast("Connector", self.made(self.context(transport=network)))
            try:
                network.hangs = True
                task = asyncio.create_task(connector.fetch(None))
                await asyncio.wait({task}, timeout=CUT_OFF_S)
                task.cancel()
                await asyncio.wait({task}, timeout=CUT_OFF_S)
                assert task.done(), "a cancelled fetch goes on: it swallows the cancellation"
                if not task.cancelled() and task.exception() is None:
                    assert not _items([task.result()]), "items without an answer"
                    assert task.result().cursor is None, "the cursor moved without an answer"
                network.hangs = False
                found = _items(await _polled(connector, None, MAX_PAGES))
            finally:
                await connector.close()
            expected = self.expected_ids or (i.native_id for i in _items(await self.pages()))
            assert {i.native_id for i in found} == set(expected), "a cut-off fetch lost items"

        self._run(story())

    def test_an_error_in_mid_reading_keeps_the_place(self) -> None:
        """The same cursor, asked again after a failure, gives what was due."""

        async def story() -> None:
            answering = self.server()
            fail = False

            def flaky(request: httpx.Request) -> httpx.Response:
                return httpx.Response(503) if fail else answering(request)

            connector = cast("Connector", self.made(self.context(server=flaky)))
            try:
                first = await connector.fetch(None)
                fail = True
                with pytest.raises(Retryable):
                    await connector.fetch(first.cursor)
                fail = False
                found = [first, *await _polled(connector, first.cursor, MAX_PAGES)]
            finally:
                await connector.close()
            ids = {i.native_id for i in _items(found)}
            expected = self.expected_ids or (i.native_id for i in _items(await self.pages()))
            assert ids == set(expected), "a failure in between lost items"

        self._run(story())


async def _polled(connector: Connector, cursor: str | None, most: int) -> list[Page]:
    found: list[Page] = []
    while len(found) < most:
        page = await connector.fetch(cursor)
        assert page.cursor != cursor or not page.more, (
            "more is promised but the cursor stands still"
        )
        found.append(page)
        cursor = page.cursor
        if page.ended or not page.more:
            return found
    return found


def _items(pages: list[Page]) -> list[Item]:
    return [i for page in pages for i in page.items if isinstance(i, Item)]


def _keys(pages: list[Page]) -> set[tuple[str, int]]:
    return {(i.native_id, i.revision) for i in _items(pages)}
