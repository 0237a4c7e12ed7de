"""Feeds: every form of them, seen once, whatever they do with order, dates and XML."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.contract import Context, Item, Page, Retryable
from connectors.sources.feeds.feed import entries
from connectors.sources.feeds.xml import BadXml
from connectors.sources.rss import RssConnector, RssSettings
from connectors.testkit import NOW, HttpConnectorSuite, Server

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Kabar</title>
<language>id</language>{items}</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>News</title>
<entry><id>tag:example,2025:1</id><title type="html">Tokoraya &lt;b&gt;late&lt;/b&gt;</title>
<link rel="self" href="https://a.example/self"/>
<link href="https://www.google.com/url?rct=j&amp;url=https://news.example/1&amp;ct=ga"/>
<published>2025-05-01T10:00:00Z</published><updated>2025-05-01T11:00:00+01:00</updated>
<author><name>Siti</name></author>
<content type="html">&lt;p&gt;Parcels &amp;amp; more&lt;/p&gt;</content>
</entry></feed>"""

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<item rdf:about="x"><title>Satu</title><link>https://a.example/1</link>
<dc:date>2025-05-01T10:00:00+07:00</dc:date></item></rdf:RDF>"""


def item(n: int, text: str = "", date: str = "Thu, 01 May 2025 10:00:00 GMT") -> str:
    return (
        f"<item><guid isPermaLink='false'>id-{n}</guid><title>Tokoraya {n}{text}</title>"
        f"<link>https://a.example/{n}</link><pubDate>{date}</pubDate>"
        f"<description><![CDATA[isi <a href='x'>{n}</a>]]></description></item>"
    )


def feed(numbers: Iterable[int], **values: str) -> bytes:
    return RSS.format(items="".join(item(n, **values) for n in numbers)).encode()


def test_rss_two_is_read() -> None:
    [first] = entries(feed([1]))
    assert (first.id, first.text) == ("id-1", "Tokoraya 1\nisi 1")
    assert (first.url, first.lang) == ("https://a.example/1", "id")
    assert first.published == datetime(2025, 5, 1, 10, tzinfo=UTC)


def test_atom_and_google_alerts_are_read() -> None:
    [first] = entries(ATOM.encode())
    assert first.text == "Tokoraya late\nParcels & more"
    assert (first.url, first.author, first.lang) == ("https://news.example/1", "Siti", "en")
    assert first.updated == datetime(2025, 5, 1, 10, tzinfo=UTC)


def test_rdf_is_read() -> None:
    [first] = entries(RDF.encode())
    assert (first.id, first.text) == ("https://a.example/1", "Satu")
    assert first.published == datetime(2025, 5, 1, 3, tzinfo=UTC)


def test_html_is_no_feed() -> None:
    with pytest.raises(BadXml):
        entries(b"<!DOCTYPE html><html><body>login</body></html>")


class Web:
    """A feed's server with validators, as RFC 9110 says."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.etag = '"1"'
        self.conditional = 0
        self.served = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("If-None-Match") == self.etag:
            self.conditional += 1
            return httpx.Response(304, headers={"ETag": self.etag})
        self.served += 1
        return httpx.Response(200, content=self.body, headers={"ETag": self.etag})

    def change(self, body: bytes) -> None:
        self.body, self.etag = body, f'"{len(self.etag) + hash(body)}"'


def connector(web: Server) -> RssConnector:
    from connectors.testkit import Recorded

    context = Context("news", transport=Recorded(web), now=lambda: NOW)
    return RssConnector(RssSettings(url="https://a.example/feed"), context)


def fetch(web: Server, cursor: str | None) -> Page:
    return asyncio.run(connector(web).fetch(cursor))


def ids(page: Page) -> list[str]:
    return [i.native_id for i in page.items if isinstance(i, Item)]


def test_an_unchanged_feed_costs_one_conditional_request() -> None:
    web = Web(feed([3, 2, 1]))
    first = fetch(web, None)
    assert ids(first) == ["id-1", "id-2", "id-3"]
    again = fetch(web, first.cursor)
    assert (again.items, again.cursor, web.conditional, web.served) == ((), first.cursor, 1, 1)


def test_reordered_and_redated_entries_are_not_new_and_new_ones_are_found_anywhere() -> None:
    web = Web(feed([3, 2, 1]))
    first = fetch(web, None)
    web.change(feed([1, 4, 3, 2], date="Fri, 02 May 2025 10:00:00 GMT"))
    assert ids(fetch(web, first.cursor)) == ["id-4"]


def test_an_entry_that_was_updated_comes_again_as_a_revision() -> None:
    web = Web(ATOM.encode())
    first = fetch(web, None)
    web.change(ATOM.replace("11:00:00+01:00", "12:00:00+00:00").replace("Parcels", "All").encode())
    [edited] = fetch(web, first.cursor).items
    assert isinstance(edited, Item)
    assert edited.native_id == "tag:example,2025:1"
    assert edited.revision == 7200


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 May 2025 10:00:00 GMT"])
def test_an_entry_without_a_sensible_date_is_of_now(date: str) -> None:
    [only] = fetch(Web(feed([1], date=date)), None).items
    assert isinstance(only, Item)
    assert only.published_at == NOW
    assert only.keeps_time  # fetched again later, it is of the same time


def test_a_date_that_is_corrected_holds() -> None:
    [only] = fetch(Web(feed([1])), None).items
    assert isinstance(only, Item)
    assert not only.keeps_time


def test_a_date_without_zone_is_taken_as_utc() -> None:
    [only] = fetch(Web(feed([1], date="2025-05-01T10:00:00")), None).items
    assert isinstance(only, Item)
    assert only.published_at == datetime(2025, 5, 1, 10, tzinfo=UTC)


def test_the_same_id_twice_in_one_document_is_one_item() -> None:
    assert ids(fetch(Web(feed([1, 1, 2])), None)) == ["id-2", "id-1"]


def test_the_cursor_stays_small_and_still_knows_what_the_feed_shows() -> None:
    web, cursor = Web(b""), None
    for start in range(0, 6000, 500):
        web.change(feed(range(start, start + 500)))
        cursor = fetch(web, cursor).cursor
    assert cursor is not None
    assert len(cursor) < 50_000
    web.change(feed(range(5500, 6000)) + b"<!-- changed -->")
    assert ids(fetch(web, cursor)) == []


def test_broken_xml_is_retryable() -> None:
    with pytest.raises(Retryable, match="cannot be read"):
        fetch(Web(b"<rss><channel><item>"), None)


class TestRss(HttpConnectorSuite):
    expected_ids = tuple(f"id-{n}" for n in range(5))

    def connector(self, context: Context) -> RssConnector:
        return RssConnector(RssSettings(url="https://a.example/feed"), context)

    def server(self) -> Server:
        return Web(feed(range(5)))


def test_lateness_covers_what_feeds_show_late() -> None:
    assert timedelta(seconds=RssSettings(url="https://a.example").lateness_s) >= timedelta(
        minutes=5
    )
