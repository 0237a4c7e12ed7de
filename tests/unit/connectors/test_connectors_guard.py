"""Guards: private addresses, redirects into them, bombs, entities, drips."""

import asyncio
import gzip
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Context, Fatal, Item, Retryable
from connectors.http import ask, client
from connectors.ingest import guard
from connectors.ingest.door import Door
from connectors.ingest.guard import is_public
from connectors.ingest.match import Matcher
from connectors.sources import sockets
from connectors.sources.feeds.xml import BadXml, parse
from connectors.sources.markup import to_text
from connectors.sources.sockets import connected
from streams.settings import BrandSettings


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  # an address to refuse
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "ff02::1",
    ],
)
def test_private_and_special_addresses_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_fine(address: str) -> None:
    assert is_public(address)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answering(raw: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    return handle


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def fetch(
    handler: Handler, *, private: bool = True, host: str = "127.0.0.1", **options: Any
) -> bytes:
    async def story() -> bytes:
        async with serving(handler) as port, client(Context("t"), allow_private=private) as http:
            return (await ask(http, f"http://{host}:{port}/", **options)).body

    return asyncio.run(story())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_our_own_network_is_not_asked(host: str) -> None:
    with pytest.raises(Fatal, match=r"not public|not an address") as caught:
        fetch(answering(response(b"secret")), private=False, host=host)
    assert "allow_private" in str(caught.value) or "address" in str(caught.value)


def test_an_operator_may_allow_their_own_network() -> None:
    assert fetch(answering(response(b"hello"))) == b"hello"


def test_a_name_that_resolves_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def resolves(*_: Any, **__: Any) -> list[Any]:
        public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))
        private = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
        return [public, private]

    async def story() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", resolves)
        async with client(Context("t")) as http:
            await ask(http, "http://feed.example/")

    with pytest.raises(Fatal, match=r"feed.example leads to 127.0.0.1"):
        asyncio.run(story())


def test_the_connection_goes_to_the_very_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that answers differently the next time (DNS rebinding) is never asked again."""
    checked: list[str] = []
    named: list[str] = []

    async def resolves(host: str, port: int, **_: Any) -> list[Any]:
        named.append(host)
        assert len(named) == 1, "the name was resolved once more"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def fine(address: str) -> bool:
        checked.append(address)
        return True

    async def story() -> bytes:
        async with serving(answering(response(b"ok"))) as port, client(Context("t")) as http:
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolves)
            return (await ask(http, f"http://feed.example:{port}/")).body

    monkeypatch.setattr(guard, "is_public", fine)
    assert asyncio.run(story()) == b"ok"
    assert (named, checked) == (["feed.example"], ["127.0.0.1"])


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "http://[::1]:1/", "file:///etc"]
)
def test_a_redirect_into_a_private_place_is_refused(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    first = iter([True])
    monkeypatch.setattr(guard, "is_public", lambda address: next(first, None) or is_public(address))
    moved = response(b"", f"Location: {target}", status="302 Found")
    with pytest.raises(Fatal):
        fetch(answering(moved), private=False)


def test_endless_redirects_end() -> None:
    with pytest.raises(Fatal, match="redirects"):
        fetch(answering(response(b"", "Location: /again", status="302 Found")))


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
def test_a_decompression_bomb_is_refused_early(packed: str) -> None:
    zeros = b"\0" * 50_000_000
    body = gzip.compress(zeros) if packed == "gzip" else zlib.compress(zeros)
    tracemalloc.start()
    try:
        with pytest.raises(Fatal, match="larger than"):
            fetch(answering(response(body, f"Content-Encoding: {packed}")), limit=1_000_000)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 10_000_000  # it was never unpacked as a whole


def test_a_body_beyond_the_limit_is_refused() -> None:
    with pytest.raises(Fatal, match="larger than"):
        fetch(answering(response(b"x" * 2_000_000)), limit=1_000_000)


def test_packed_answers_are_read() -> None:
    body = gzip.compress(b"halo" * 1000)
    assert fetch(answering(response(body, "Content-Encoding: gzip"))) == b"halo" * 1000


@pytest.mark.parametrize(
    "raw",
    [
        response(gzip.compress(b"x" * 1000)[:-10], "Content-Encoding: gzip"),
        response(b"no gzip", "Content-Encoding: gzip"),
        response(b"x", "Content-Encoding: br"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
        b"SSH-2.0-nonsense\r\n",
    ],
)
def test_damaged_answers_are_retried(raw: bytes) -> None:
    with pytest.raises(Retryable):
        fetch(answering(raw))


def test_a_dripping_body_is_given_up_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            writer.close()

    with pytest.raises(Retryable, match="no whole answer within"):
        fetch(drip, within_s=0.3)


def test_errors_never_hold_the_key_of_an_address() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url}", request=request)

    async def story() -> None:
        async with client(Context("t", transport=httpx.MockTransport(broken))) as http:
            await ask(http, "https://api.example/x", params={"key": "s3cret"})

    with pytest.raises(Retryable) as caught:
        asyncio.run(story())
    assert "s3cret" not in str(caught.value)


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<rss><channel><item><title>&b;</title></item></channel></rss>"""
EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss><channel><item><title>&x;</title></item></channel></rss>"""
PARAMETER = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]>
<rss/>"""


@pytest.mark.parametrize("document", [LAUGHS, EXTERNAL, PARAMETER])
def test_entities_of_a_document_are_refused(document: bytes) -> None:
    with pytest.raises(BadXml, match="entities"):
        parse(document)


def test_deep_and_broken_documents_are_refused() -> None:
    for document in (b"<a>" * 100_000, b"", b"<rss>", b"\xff\xfe<"):
        with pytest.raises(BadXml):
            parse(document)


@pytest.mark.parametrize(
    "document",
    [b"<a>" * 101 + b"</a>" * 101, b"<rss>" + b"<a/>" * 200_000 + b"</rss>"],
)
def test_whole_documents_that_are_too_deep_or_too_large_are_refused(document: bytes) -> None:
    with pytest.raises(BadXml, match="too deeply or too large"):
        parse(document)


def test_small_damage_is_mended() -> None:
    assert (
        parse(b"<rss><title>Toko & Raya \x01 \xff</title></rss>")
        .text("title")
        .startswith("Toko & R")
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_refused(noise: bytes) -> None:
    for document in (noise, b"<rss><channel>" + noise + b"</channel></rss>"):
        with suppress(BadXml):
            parse(document)


@pytest.mark.timeout(60)  # what grows with the square of the length would take hours
@pytest.mark.parametrize(
    "unit", ["a", "#", "#a", "aB", "<", "<br ", "&", "tokoraya", "siaga satu ", "@siaga", "\u200b"]
)
def test_a_text_that_is_made_to_be_slow_is_not(unit: str) -> None:
    brands = {"s": BrandSettings(names=("siaga", "tokoraya"), exclusions=("siaga satu",))}
    door = Door("s", Matcher(brands))
    text = (unit * 200_000)[:200_000]
    now = datetime(2025, 1, 1, tzinfo=UTC)
    for hostile in (text, f"#{text}", to_text(text)):
        item = Item(native_id="1", published_at=now, text=hostile)
        outcome = door.admit(item, now=now)
        assert outcome.mentions or outcome.dead or "unmatched" in outcome.notes


def test_a_dripping_head_is_given_up_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"X-Y: z\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()

    with pytest.raises(Retryable):
        fetch(drip, within_s=0.3)


def test_a_head_without_end_is_refused() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"X-Y: " + b"z" * 65_536 + b"\r\n")
                await writer.drain()
        writer.close()

    with pytest.raises(Retryable):
        fetch(flood, within_s=20)


def test_what_unpacks_in_layers_stays_packed() -> None:
    """Only what was asked for is unpacked, and once."""
    layers = gzip.compress(gzip.compress(b"\0" * 1_000_000))
    with pytest.raises(Retryable, match="not asked for"):
        fetch(answering(response(layers, "Content-Encoding: gzip, gzip")))


def streaming(url: str, **options: Any) -> None:
    async def story() -> None:
        async with connected(url, now=datetime(2025, 1, 1, tzinfo=UTC), **options):
            pytest.fail("connected")

    asyncio.run(story())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
def test_a_stream_into_our_own_network_is_not_opened(host: str) -> None:
    with pytest.raises(Fatal, match="not public"):
        streaming(f"ws://{host}:1/")


@pytest.mark.parametrize(
    "target", ["ws://169.254.169.254/", "ws://127.0.0.1:1/", "http://127.0.0.1:1/"]
)
def test_a_stream_that_redirects_into_a_private_place_is_refused(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    asked: list[str] = []

    def first_only(address: str) -> bool:
        asked.append(address)
        return len(asked) == 1

    monkeypatch.setattr(sockets, "is_public", first_only)

    async def story() -> None:
        moved = response(b"", f"Location: {target}", status="302 Found")
        async with (
            serving(answering(moved)) as port,
            connected(f"ws://127.0.0.1:{port}/", now=datetime(2025, 1, 1, tzinfo=UTC)),
        ):
            pytest.fail("connected")

    with pytest.raises(Fatal, match=r"another server|not the address"):
        asyncio.run(story())
    assert len(asked) == 1  # the first place alone was asked for
