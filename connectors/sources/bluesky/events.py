"""Jetstream's events to items; pure.

Two wires: `subscribeEvents` (Jetstream 2; its lexicon network.bsky.jetstream.subscribeEvents and
section 5.2 of docs/README.md in bluesky-social/jetstream were read) and the older `/subscribe`
(section 5.1). Only what is used is decoded: that is what makes the firehose cheap.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from connectors.contract import LAST_REVISION, BadItem, Item
from connectors.sources.bluesky.tid import at, micros

COLLECTION = "app.bsky.feed.post"


class _Parent(msgspec.Struct, frozen=True):
    uri: str = ""


class _Reply(msgspec.Struct, frozen=True):
    parent: _Parent = _Parent()


class Post(msgspec.Struct, frozen=True):
    """https://docs.bsky.app/docs/advanced-guides/posts: what is used of a post."""

    text: str = ""
    langs: tuple[str, ...] | None = None
    reply: _Reply | None = None


class Payload(msgspec.Struct, frozen=True, rename={"type": "$type", "witnessed": "witnessedAt"}):
    """The message of a frame of `subscribeEvents`."""

    type: str = ""
    seq: int = 0
    did: str = ""
    time: str = ""
    witnessed: str = ""
    rev: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: Post | None = None
    name: str = ""
    message: str = ""


class Frame(msgspec.Struct, frozen=True, rename={"type": "$type"}):
    """A frame of `subscribeEvents`."""

    type: str = ""
    payload: Payload | None = None
    error: str = ""
    message: str = ""


class Commit(msgspec.Struct, frozen=True):
    """The commit of an event of `/subscribe`."""

    rev: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: Post | None = None


class Old(msgspec.Struct, frozen=True):
    """An event of `/subscribe`."""

    did: str = ""
    time_us: int = 0
    kind: str = ""
    commit: Commit | None = None


class Event(NamedTuple):
    """What a frame says."""

    item: Item | BadItem | None = None
    seq: int = 0
    """Position on the host that sent it; 0 if the wire has none."""
    time: str | int = 0
    """When the host saw it: RFC 3339 or microseconds; read by `time_us` when needed."""
    notice: str = ""
    """An advisory (`OutdatedCursor`, `FutureCursor`)."""
    error: str = ""
    """The stream ends with this."""


Read = Callable[[bytes], Event]

_frames = msgspec.json.Decoder(Frame)
_olds = msgspec.json.Decoder(Old)


def read_new(raw: bytes) -> Event:
    """Read a frame of `subscribeEvents`."""
    try:
        frame = _frames.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        return Event(_bad(raw, e))
    p = frame.payload
    if p is None:
        return Event(error=frame.error or "Unknown") if frame.type == "error" else Event()
    if p.type.endswith("#info"):
        return Event(notice=p.name)
    item = None
    if p.collection == COLLECTION:
        item = _item(p.did, p.rkey, p.rev, p.operation, p.record, raw)
    return Event(item, p.seq, p.witnessed or p.time)


def read_old(raw: bytes) -> Event:
    """Read an event of `/subscribe`."""
    try:
        event = _olds.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        return Event(_bad(raw, e))
    c = event.commit
    item = None
    if c is not None and c.collection == COLLECTION:
        item = _item(event.did, c.rkey, c.rev, c.operation, c.record, raw)
    return Event(item, 0, event.time_us)


def time_us(time: str | int) -> int:
    """Return microseconds since 1970; 0 if there is no time to read."""
    if isinstance(time, int):
        return max(time, 0)
    try:
        told = datetime.fromisoformat(time)
    except ValueError:
        return 0
    return max(int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1e6), 0)


def _item(
    did: str, rkey: str, rev: str, operation: str, post: Post | None, raw: bytes
) -> Item | BadItem:
    uri = f"at://{did}/{COLLECTION}/{rkey}"
    # The key of a post is a TID and the same for its edits and its deletion; what a client claims
    # (`createdAt`) is told only when it is made.
    made_us = micros(rkey)
    if made_us is None or not did:
        return BadItem("missing_field", "no author, or a key that tells no time", uri, raw)
    if operation == "delete":
        return Item(native_id=uri, published_at=at(made_us), deleted=True, revision=LAST_REVISION)
    if post is None:
        return BadItem("broken_row", f"a {operation[:20]} without a record", uri, raw)
    revision = 0
    if operation == "update":
        # The repository's own counter: the same on every host, unlike the time it was seen.
        revision = micros(rev) or 1
    return Item(
        native_id=uri,
        published_at=at(made_us),
        text=post.text,
        author=did,
        url=f"https://bsky.app/profile/{did}/post/{rkey}",
        lang=post.langs[0] if post.langs else "",
        revision=revision,
        in_reply_to=post.reply.parent.uri if post.reply else "",
    )


def _bad(raw: bytes, error: Exception) -> BadItem:
    return BadItem("broken_row", f"not an event as documented: {error}", "", raw)
