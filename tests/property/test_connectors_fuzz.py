"""Whatever a source sends: an item, a dead letter, or a clean Retryable or Fatal; nothing else.

`make fuzz` tries 10,000 inputs each, CI fewer. The parsers of Bluesky, Mastodon, YouTube, Google
Play and Meta have tests of the same kind beside their own (`tests/contract/`).
"""

import asyncio
import gzip
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import BadItem, Context, Engagement, Fatal, Item, Page, Retryable
from connectors.http import check
from connectors.ingest.door import REASONS, Door
from connectors.ingest.match import Matcher
from connectors.memory_log import MemoryLog
from connectors.sources.file import FileConnector, FileSettings
from connectors.sources.kafka import KafkaConnector, KafkaSettings
from connectors.sources.markup import to_text
from connectors.sources.rss import RssConnector, RssSettings
from connectors.sources.webhook import WebhookConnector, WebhookSettings, _signature
from connectors.testkit import Recorded
from streams import codec
from streams.config import ConfigError, parse
from streams.log.port import LogRecord
from streams.records import Batch
from streams.settings import BrandSettings

NOW = datetime(2025, 6, 1, tzinfo=UTC)
BRANDS = {
    "kopi": BrandSettings(names=("kopi",), own_accounts=("kopi",), exclusions=("kopi luwak",))
}
MATCHER = Matcher(BRANDS)

words = st.sampled_from(
    ["kopi", "@kopi", "#Kopi", "\x00", "\ud800", "\u202e", "2025-01-01", '"', ""]
)
texts = st.text(max_size=60) | words
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
fields = st.sampled_from(
    ["id", "time", "text", "author", "brand", "rating", "likes", "url", "kind"]
)
times = st.sampled_from([0, 1_748_000_000, "2025-01-01T00:00:00Z", "2025-01-01", "1e400", "nan"])
rows = st.fixed_dictionaries(
    {"id": json_values, "time": times | json_values, "text": json_values},
    optional={"author": json_values, "rating": json_values, "brand": json_values},
)


def cut(raw: bytes, at: int) -> bytes:
    return raw[: at % (len(raw) + 1)]


def judged(items: Any) -> None:
    """What every item has to become, and go through the log as."""
    door = Door("fuzz", MATCHER)
    for item in items:
        assert isinstance(item, Item | BadItem)
        outcome = door.admit(item, now=NOW)
        assert (
            outcome.mentions
            or outcome.dead
            or "unmatched" in outcome.notes
            or "after_deletion" in outcome.notes
        )
        if outcome.dead:
            assert outcome.dead.reason in REASONS
            assert codec.dead_letter.decode(codec.encode(outcome.dead)) == outcome.dead
        for brand, mention in outcome.mentions:
            batch = Batch(brand, (mention,))
            assert codec.mentions.decode(codec.encode(batch)) == batch


def read_file(path: Path, raw: bytes, **values: Any) -> None:
    path.write_bytes(raw)

    async def story() -> None:
        connector = FileConnector(
            FileSettings(path=path, **values), Context("fuzz", now=lambda: NOW)
        )
        try:
            cursor: str | None = None
            for _ in range(1000):
                page = await connector.fetch(cursor)
                judged(page.items)
                cursor = page.cursor
                if page.ended or not page.more:
                    return
            pytest.fail("the file has no end")
        except (Fatal, Retryable):
            pass
        finally:
            await connector.close()

    asyncio.run(story())


csv_lines = st.lists(
    st.binary(max_size=40)
    | st.lists(texts, max_size=4).map(lambda r: ",".join(r).encode("utf-8", "surrogatepass"))
    | st.just(b"1,2025-01-01T00:00:00Z,kopi"),
    max_size=8,
)
json_lines = st.lists(
    st.binary(max_size=40) | (rows | json_values).map(lambda v: json.dumps(v).encode()), max_size=8
)
per_test_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@per_test_folder
@given(csv_lines, st.booleans(), st.integers(1, 5), st.sampled_from(["auto", "as_is", "time"]))
def test_whatever_a_csv_file_holds(
    tmp_path: Path, lines: list[bytes], head: bool, size: int, order: str
) -> None:
    first = [b"id,time,text"] if head else []
    raw = b"\n".join([*first, *lines])
    read_file(tmp_path / "a.csv", raw, page_items=size, order=order)


@per_test_folder
@given(json_lines, st.integers(1, 5), st.sampled_from(["auto", "as_is", "time"]))
def test_whatever_a_json_lines_file_holds(
    tmp_path: Path, lines: list[bytes], size: int, order: str
) -> None:
    read_file(tmp_path / "a.jsonl", b"\n".join(lines), page_items=size, order=order)


@per_test_folder
@given(json_lines, st.integers(0), st.sampled_from(["gzip", "zstd"]), st.integers(0, 255))
def test_whatever_damage_a_packed_file_has(
    tmp_path: Path, lines: list[bytes], at: int, packer: str, byte: int
) -> None:
    import zstandard

    plain = b"\n".join(lines)
    pack = gzip.compress if packer == "gzip" else zstandard.ZstdCompressor().compress
    packed = bytearray(pack(plain))
    packed[at % len(packed)] = byte
    read_file(tmp_path / "a.jsonl", cut(bytes(packed), at // 7 or len(packed)))


feeds = st.lists(
    st.sampled_from(
        ["<rss>", "</rss>", "<channel>", "</channel>", "<item>", "</item>", "<feed>", "</feed>",
         "<entry>", "</entry>", "<title>kopi", "</title>", "<guid>1</guid>", "<link href='x'/>",
         "<pubDate>Wed, 01 Jan 2025 00:00:00 GMT</pubDate>", "<updated>2025-01-01</updated>",
         "<published>2025-01-01T00:00:00+99:99</published>", "<![CDATA[", "]]>", "&nbsp;", "&#0;",
         "<!DOCTYPE x>", "<?xml version='1.0' encoding='x'?>", "<rdf:RDF>", "</rdf:RDF>"]
    )
    | texts,
    max_size=20,
).map("".join)  # fmt: skip


@given(st.binary(max_size=200) | feeds.map(lambda t: t.encode("utf-8", "replace")))
def test_whatever_a_feed_answers(body: bytes) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body)

    async def story() -> Page:
        context = Context("fuzz", now=lambda: NOW, transport=Recorded(answer))
        connector = RssConnector(RssSettings(url="https://feed.example/"), context)
        try:
            return await connector.fetch(None)
        finally:
            await connector.close()

    with suppress(Retryable, Fatal):
        judged(asyncio.run(story()).items)


markup = st.text(max_size=300) | st.from_regex(
    r"(<[a-z/!?]{0,6}[^>]{0,5}>?|&[a-z#0-9]{0,5};?|<!--|-->|[\"']|</?script>?)*"
)


@given(markup)
def test_whatever_markup_a_post_holds_becomes_text_and_stays_so(text: str) -> None:
    found = to_text(text)
    assert all(line == " ".join(line.split()) for line in found.split("\n"))
    assert len(found) <= len(text)


@given(rows | json_values, st.integers(0, 500))
def test_whatever_a_webhook_is_sent(row: Any, place: int) -> None:
    # As the body is decoded: what JSON cannot hold never comes here.
    with suppress(msgspec.MsgspecError, UnicodeError):
        sent = msgspec.json.decode(json.dumps(row).encode())
        judged([WebhookConnector(WebhookSettings(port=0), Context("fuzz"))._item(sent, place)])


@given(st.text(max_size=100), st.binary(max_size=50))
def test_whatever_signature_is_sent_none_of_chance_is_valid(header: str, body: bytes) -> None:
    connector = WebhookConnector(WebhookSettings(port=0), Context("fuzz", now=lambda: NOW))
    assert connector._refused(_signature(header), body, b"a secret of the test")


@given(
    st.binary(max_size=200) | (rows | json_values).map(lambda v: json.dumps(v).encode()),
    st.integers(0, 2**62),
)
def test_whatever_a_topic_holds(raw: bytes, stamp_ms: int) -> None:
    connector = KafkaConnector(KafkaSettings(topic="t"), Context("fuzz"))
    judged([connector._item(LogRecord("t", 0, 1, None, raw, stamp_ms))])


cursor_texts = (
    st.text(max_size=60) | json_values.map(json.dumps) | st.integers().map("since {}".format)
)


@per_test_folder
@given(cursor_texts)
def test_whatever_cursor_was_saved(tmp_path: Path, cursor: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 1, "time": 1748000000, "text": "kopi"}\n')

    def nothing_new(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<rss/>")

    async def story() -> None:
        context = Context("fuzz", now=lambda: NOW, transport=Recorded(nothing_new))
        file = FileConnector(FileSettings(path=tmp_path / "a.jsonl"), context)
        feed = RssConnector(RssSettings(url="https://feed.example/"), context)
        topic = KafkaConnector(KafkaSettings(topic="t"), context)
        topic._log = MemoryLog()
        for ask in (file.fetch, feed.fetch):
            with suppress(Retryable, Fatal):
                judged((await ask(cursor)).items)
        with suppress(Retryable, Fatal):
            async for page in topic.stream(cursor):
                judged(page.items)
        await file.close()
        await feed.close()

    asyncio.run(story())


anything = st.none() | st.integers() | st.floats() | st.binary(max_size=9) | texts


@given(
    st.builds(
        Item,
        native_id=texts | anything,
        published_at=st.datetimes() | st.datetimes(timezones=st.just(UTC)) | anything,
        text=texts | anything,
        author=texts | anything,
        url=texts | anything,
        lang=texts | anything,
        revision=st.integers() | anything,
        in_reply_to=texts | anything,
        rating=st.none() | st.floats() | anything,
        engagement=st.builds(Engagement, likes=st.integers() | anything) | anything,
        deleted=st.booleans(),
        brand=texts,
        channel=texts,
    )
)
def test_whatever_item_a_connector_makes(item: Item) -> None:
    judged([item])


headers = st.dictionaries(
    st.sampled_from(
        ["Retry-After", "x-ratelimit-remaining", "X-RateLimit-Reset", "RateLimit-Remaining"]
    ),
    st.text(max_size=30) | st.sampled_from(["0", "1e999", "nan", "-1", "Wed, 01 Jan 99999"]),
)


@given(st.integers(100, 999), headers)
def test_whatever_status_and_headers_a_server_sends(status: int, sent: dict[str, str]) -> None:
    told: Exception | None = None
    try:
        check(status, sent, where="api.example", now=NOW)
    except (Retryable, Fatal) as e:
        told = e
    if told is None:
        assert 200 <= status < 300
    else:
        assert str(told).startswith("api.example")
        after_s = getattr(told, "after_s", None)
        assert after_s is None or 0 <= after_s <= 3600


lines = [
    "[brands.a]", "[sources.a]", "[[brands]]", "[sources]", "sources = 1", 'type = "rss"',
    "type = []", "names = [", '"x"]', 'url = "https://x/"', "port = 1", "a.b.c = 1", "poll_s = -1",
    "[severity.brands.b]", "log.kind = 'kafka'", "enabled = 3",
]  # fmt: skip
toml = st.lists(st.sampled_from([f"{line}\n" for line in lines]) | texts, max_size=12).map("".join)


@given(toml)
def test_whatever_the_configuration_holds_is_settings_or_sentences(text: str) -> None:
    problems: tuple[str, ...] = ()
    try:
        parse(text)
    except ConfigError as e:
        problems = e.problems or ("",)
    assert all(p.startswith("siaga.toml") for p in problems)
