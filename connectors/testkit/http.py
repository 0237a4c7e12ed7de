"""What networks and servers do wrong, and what a polled connector makes of it."""

import asyncio
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest

from connectors.contract import Connector, Context, Fatal, Page, Retryable
from connectors.testkit.suite import MAX_PAGES, NOW, ConnectorSuite, items_of, polled

Server = Callable[[httpx.Request], httpx.Response]
"""Answers a request as the source would; raises an httpx error to act as a broken network."""

CUT_OFF_S = 0.2
"""How long the suite lets a fetch hang before it is cancelled."""


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
            assert not items_of([page])

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
        there = {i.native_id for i in items_of(self._run(self.pages()))}
        rest = {i.native_id for i in items_of(self._run(self.pages(page.cursor)))}
        got = {i.native_id for i in items_of([page])}
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
                    assert not items_of([task.result()]), "items without an answer"
                    assert task.result().cursor is None, "the cursor moved without an answer"
                network.hangs = False
                found = items_of(await polled(connector, None, MAX_PAGES))
            finally:
                await connector.close()
            expected = self.expected_ids or (i.native_id for i in items_of(await self.pages()))
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
                found = [first, *await polled(connector, first.cursor, MAX_PAGES)]
            finally:
                await connector.close()
            ids = {i.native_id for i in items_of(found)}
            expected = self.expected_ids or (i.native_id for i in items_of(await self.pages()))
            assert ids == set(expected), "a failure in between lost items"

        self._run(story())
