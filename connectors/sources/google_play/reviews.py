"""Google Play's reviews to items; pure.

https://developers.google.com/android-publisher/api-ref/rest/v3/reviews
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from connectors.contract import BadItem, Item
from connectors.sources.overlap import stamp_ms
from connectors.sources.tabular.times import epoch
from streams.records import Engagement


class _Stamp(msgspec.Struct, frozen=True):
    seconds: str | int = 0
    nanos: int = 0


class UserComment(msgspec.Struct, frozen=True, rename="camel"):
    """What is used of what a person wrote."""

    last_modified: _Stamp
    text: str = ""
    star_rating: int | None = None
    reviewer_language: str = ""
    original_text: str = ""
    """What was written, when `text` is a translation."""
    thumbs_up_count: int = 0


class DeveloperComment(msgspec.Struct, frozen=True, rename="camel"):
    """The team's reply."""

    last_modified: _Stamp
    text: str = ""


class _Comment(msgspec.Struct, frozen=True, rename="camel"):
    user_comment: UserComment | None = None
    developer_comment: DeveloperComment | None = None


class Review(msgspec.Struct, frozen=True, rename="camel"):
    review_id: str
    author_name: str = ""
    comments: tuple[_Comment, ...] = ()


class Read(NamedTuple):
    """What a review holds."""

    items: tuple[Item | BadItem, ...]
    newest_ms: int = 0
    """When the person last changed it: what the list is ordered by."""


_reviews = msgspec.json.Decoder(Review)


def read_review(raw: bytes, *, package: str, brand: str = "") -> Read:
    """Turn a review into items: what the person wrote, and the team's reply to it.

    The API tells when a review was last changed, not when it was first written: an edit is a new
    statement of that moment, under the same id.
    """
    try:
        review = _reviews.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        bad = BadItem("broken_row", f"not a review as documented: {e}", "", raw)
        return Read((bad,))
    items: list[Item | BadItem] = []
    newest_ms = 0
    for comment in review.comments:
        try:
            if comment.user_comment is not None:
                item = _statement(review, comment.user_comment, package, brand)
                newest_ms = max(newest_ms, stamp_ms(item))
                items.append(item)
            if comment.developer_comment is not None:
                items.append(_reply(review, comment.developer_comment, package, brand))
        except (ValueError, OverflowError) as e:
            items.append(BadItem("broken_row", f"no time: {e}", review.review_id, raw))
    if not items:
        items.append(BadItem("empty_text", "a review without comments", review.review_id, raw))
    return Read(tuple(items), newest_ms)


def _statement(review: Review, said: UserComment, package: str, brand: str) -> Item:
    at = _time(said.last_modified)
    text = said.original_text or said.text
    return Item(
        native_id=review.review_id,
        published_at=at,
        # The title comes before a tab; without one the tab stands first.
        text="\n".join(part for part in map(str.strip, text.split("\t")) if part),
        author=review.author_name,
        url=f"https://play.google.com/store/apps/details?id={package}&reviewId={review.review_id}",
        lang=said.reviewer_language.replace("_", "-"),
        kind="review",
        revision=int(at.timestamp()),
        engagement=Engagement(likes=max(said.thumbs_up_count, 0)),
        rating=float(said.star_rating) if said.star_rating else None,
        brand=brand,
    )


def _reply(review: Review, said: DeveloperComment, package: str, brand: str) -> Item:
    at = _time(said.last_modified)
    return Item(
        native_id=f"{review.review_id}/reply",
        published_at=at,
        text=said.text.strip(),
        author=package,
        kind="reply",
        revision=int(at.timestamp()),
        in_reply_to=review.review_id,
        brand=brand,
    )


def _time(stamp: _Stamp) -> datetime:
    return epoch(int(stamp.seconds) + stamp.nanos / 1e9)
