"""YouTube's resources to items; pure.

https://developers.google.com/youtube/v3/docs/commentThreads, .../comments, .../search
"""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from connectors.contract import BadItem, Item
from streams.records import Engagement


class _Channel(msgspec.Struct, frozen=True):
    value: str = ""


class CommentSnippet(msgspec.Struct, frozen=True, rename="camel"):
    """What is used of a comment."""

    published_at: datetime
    updated_at: datetime | None = None
    text_display: str = ""
    text_original: str | None = None
    """Told to the author only; the same as the display in plain text."""
    author_display_name: str = ""
    author_channel_id: _Channel | None = None
    like_count: int = 0
    parent_id: str = ""
    video_id: str = ""


class Comment(msgspec.Struct, frozen=True):
    id: str
    snippet: CommentSnippet


class _ThreadSnippet(msgspec.Struct, frozen=True, rename="camel"):
    top_level_comment: Comment
    video_id: str = ""
    total_reply_count: int = 0


class _Replies(msgspec.Struct, frozen=True):
    comments: tuple[msgspec.Raw, ...] = ()


class Thread(msgspec.Struct, frozen=True):
    id: str
    snippet: _ThreadSnippet
    replies: _Replies = _Replies()


class _VideoId(msgspec.Struct, frozen=True, rename="camel"):
    video_id: str


class _VideoSnippet(msgspec.Struct, frozen=True, rename="camel"):
    published_at: datetime
    title: str = ""
    description: str = ""
    channel_title: str = ""


class Found(msgspec.Struct, frozen=True):
    """A search result of type video."""

    id: _VideoId
    snippet: _VideoSnippet


class Read(NamedTuple):
    """What one resource held."""

    items: tuple[Item | BadItem, ...]
    made_ms: int = 0
    """When the thread was made."""
    thread: str = ""
    missing: int = 0
    """How many replies the thread has, if more than came with it; 0: all are here."""


_threads = msgspec.json.Decoder(Thread)
_comments = msgspec.json.Decoder(Comment)
_found = msgspec.json.Decoder(Found)

_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_thread(raw: bytes, *, brand: str = "") -> Read:
    """Read a thread: its first comment and the replies that came with it."""
    try:
        thread = _threads.decode(raw)
    except _DAMAGED as e:
        return Read((_bad(raw, "thread", e),))
    snippet = thread.snippet
    video = snippet.video_id
    first = _item(snippet.top_level_comment, video, brand, replies=snippet.total_reply_count)
    replies = [read_comment(bytes(r), brand=brand, video=video) for r in thread.replies.comments]
    missing = snippet.total_reply_count if snippet.total_reply_count > len(replies) else 0
    return Read((first, *replies), _ms(first.published_at), thread.id, missing)


def read_comment(raw: bytes, *, brand: str = "", video: str = "") -> Item | BadItem:
    """Read a reply."""
    try:
        return _item(_comments.decode(raw), video, brand)
    except _DAMAGED as e:
        return _bad(raw, "comment", e)


def read_video(raw: bytes) -> Item | BadItem:
    """Read a search result: the video itself is a mention, by its title and description."""
    try:
        found = _found.decode(raw)
    except _DAMAGED as e:
        return _bad(raw, "video", e)
    s = found.snippet
    return Item(
        native_id=found.id.video_id,
        published_at=_aware(s.published_at),
        text=f"{s.title}\n{s.description}".strip(),
        author=s.channel_title,
        url=f"https://www.youtube.com/watch?v={found.id.video_id}",
        kind="video",
    )


def _item(comment: Comment, video: str, brand: str, *, replies: int = 0) -> Item:
    s = comment.snippet
    video = s.video_id or video
    edited = s.updated_at is not None and s.updated_at > s.published_at
    channel = s.author_channel_id.value if s.author_channel_id else ""
    return Item(
        native_id=comment.id,
        published_at=_aware(s.published_at),
        text=s.text_original or s.text_display,
        author=s.author_display_name or channel,
        url=f"https://www.youtube.com/watch?v={video}&lc={comment.id}" if video else "",
        kind="comment",
        revision=_ms(s.updated_at) // 1000 if s.updated_at and edited else 0,
        in_reply_to=s.parent_id,
        engagement=Engagement(likes=max(s.like_count, 0), replies=max(replies, 0)),
        brand=brand,
    )


def _bad(raw: bytes, what: str, error: Exception) -> BadItem:
    return BadItem("broken_row", f"not a {what} as documented: {error}", "", raw)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _ms(at: datetime) -> int:
    return int(_aware(at).timestamp() * 1000)
