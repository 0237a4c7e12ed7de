"""Entries of RSS 0.9x/1.0/2.0 and Atom 1.0 documents (rssboard.org/rss-specification, RFC 4287).

Google Alerts deliver Atom whose links are redirects of Google's with the real address inside.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from connectors.sources.feeds.xml import BadXml, Node, parse
from connectors.sources.markup import to_text


class Entry(NamedTuple):
    """What a feed says of one article."""

    id: str
    text: str
    url: str
    author: str
    published: datetime | None
    updated: datetime | None
    lang: str


def entries(body: bytes) -> list[Entry]:
    """Return the entries of a feed in its own order.

    Raises
    ------
    BadXml
        If it is no feed.
    """
    root = parse(body)
    if root.name == "rss":
        channel = next(iter(root.all("channel")), root)
        return [_entry(n, channel.text("language")) for n in channel.all("item")]
    if root.name == "rdf":
        return [_entry(n, "") for n in root.all("item")]
    if root.name == "feed":
        return [_entry(n, root.attributes.get("lang", "")) for n in root.all("entry")]
    raise BadXml(f"<{root.name[:40]}> is no feed: RSS or Atom is needed")


def _entry(node: Node, lang: str) -> Entry:
    title = to_text(node.text("title"))
    body = to_text(node.text("encoded", "description", "summary", "content"))
    text = body if body.startswith(title) else f"{title}\n{body}".strip()
    url = _link(node)
    native_id = node.text("guid", "id") or url
    if not native_id:
        native_id = sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
    author_node = next(iter(node.all("author")), None)
    author = (author_node.text("name") if author_node else "") or node.text("creator", "author")
    return Entry(
        id=native_id,
        text=text,
        url=url,
        author=to_text(author),
        published=_time(node.text("pubdate", "published", "date", "issued")),
        updated=_time(node.text("updated", "modified")),
        lang=node.attributes.get("lang", lang),
    )


def _link(node: Node) -> str:
    links = node.all("link")
    best = next((n for n in links if n.attributes.get("rel", "alternate") == "alternate"), None)
    found = ""
    if best is not None:
        found = best.attributes.get("href", "") or best.content().strip()
    try:
        parts = urlsplit(found)
        host, query = (parts.hostname or ""), parse_qs(parts.query)
    except ValueError:
        return found
    if host.endswith("google.com") and parts.path == "/url" and query.get("url"):
        return query["url"][0]
    return found


def _time(text: str) -> datetime | None:
    """Return a time; a zone that is missing or unknown is taken as UTC, as mail does."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
