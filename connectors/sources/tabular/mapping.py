"""Which column is what: a row's values to an item, or a reason why it is none."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from connectors.accounts import account_days
from connectors.contract import Item
from connectors.ingest.fold import slug
from streams.records import Engagement

Field = Literal[
    "id",
    "time",
    "text",
    "author",
    "brand",
    "channel",
    "url",
    "lang",
    "kind",
    "in_reply_to",
    "rating",
    "likes",
    "replies",
    "reposts",
    "views",
    "followers",
    "account_since",
]
FIELDS: tuple[Field, ...] = get_args(Field)

GUESSES: Mapping[Field, tuple[str, ...]] = {
    "id": ("id", "id_str", "tweet_id", "post_id", "review_id", "comment_id"),
    "time": (
        "published_at",
        "created_at",
        "time",
        "timestamp",
        "datetime",
        "date",
        "at",
        "waktu",
        "tanggal",
    ),
    "text": (
        "text",
        "full_text",
        "content",
        "body",
        "message",
        "tweet",
        "review",
        "comment",
        "teks",
        "isi",
        "ulasan",
        "komentar",
    ),
    "author": ("author", "username", "user_name", "screen_name", "user", "name", "penulis"),
    "brand": ("brand", "brand_name", "merek"),
    "channel": ("channel", "kanal"),
    "url": ("url", "link", "permalink"),
    "lang": ("lang", "language", "bahasa"),
    "in_reply_to": ("in_reply_to", "in_reply_to_status_id", "parent_id"),
    "rating": ("rating", "stars", "score"),
    "likes": ("likes", "like_count", "favorite_count"),
    "replies": ("replies", "reply_count"),
    "reposts": ("reposts", "retweets", "retweet_count", "shares", "share_count"),
    "views": ("views", "view_count", "impressions"),
    "followers": ("followers", "followers_count"),
    "account_since": ("account_since", "account_created_at", "user_created_at"),
}
"""Usual names of columns, tried in order where the configuration maps none."""

Values = Mapping[str, object]


class Broken(NamedTuple):
    """Why a row is no item: a reason of the door's closed set and a sentence."""

    reason: str
    detail: str


class Columns:
    """Column names by field: as configured, the rest guessed from the names that are there.

    Parameters
    ----------
    configured
        Column by field. A dotted name (`user.name`) looks into nested objects.
    present
        The names that the header (or the first object) has.
    """

    def __init__(self, configured: Mapping[Field, str], present: Iterable[str]) -> None:
        by_folded = {slug(name).replace("-", "_"): name for name in present}
        self.names: dict[Field, str] = dict(configured)
        # A column that was only guessed may be empty: then the text is matched.
        self._brand_is_required = "brand" in configured
        for field, guesses in GUESSES.items():
            if field not in self.names:
                found = next((by_folded[g] for g in guesses if g in by_folded), None)
                if found is not None:
                    self.names[field] = found

    def missing(self, present: Iterable[str]) -> list[str]:
        """Return what is configured but not there, and what is needed but not found."""
        there = set(present)
        lost = [f'column "{n}" (for {f})' for f, n in self.names.items() if n not in there]
        needed: tuple[Field, ...] = ("text", "time")
        return lost + [f"a column for {f}" for f in needed if f not in self.names]

    def value(self, values: Values, field: Field) -> str:
        """Return a field's text, "" if it is missing or null."""
        name = self.names.get(field)
        if name is None:
            return ""
        found = values.get(name)
        if found is None and "." in name:
            found = _dig(values, name)
        if found is None:
            return ""
        return found if isinstance(found, str) else _text(found)

    def time(self, values: Values, parse_time: Callable[[str], datetime]) -> datetime | Broken:
        """Return the row's time."""
        written = self.value(values, "time")
        if not written.strip():
            return Broken("missing_field", f"no time in {self.names.get('time', 'any column')!r}")
        try:
            return parse_time(written)
        except ValueError as e:
            return Broken("broken_row", f"{e}: set time_format, or mend the row")

    def item(
        self,
        values: Values,
        *,
        native_id: str,
        parse_time: Callable[[str], datetime],
        brand: str = "",
        channels: frozenset[str] = frozenset(),
    ) -> Item | Broken:
        """Return the row's item; `native_id` stands in where no id is mapped."""
        time = self.time(values, parse_time)
        if isinstance(time, Broken):
            return time
        if "brand" in self.names and not brand:
            brand = self.value(values, "brand").strip()
            if not brand and self._brand_is_required:
                return Broken("missing_field", f"no brand in column {self.names['brand']!r}")
        channel = slug(self.value(values, "channel")) if channels else ""
        return Item(
            native_id=self.value(values, "id").strip() or native_id,
            published_at=time,
            text=self.value(values, "text"),
            author=self.value(values, "author"),
            url=self.value(values, "url"),
            lang=self.value(values, "lang"),
            kind=self.value(values, "kind") or "post",
            in_reply_to=self.value(values, "in_reply_to"),
            engagement=self._engagement(values, self._account_days(values, time, parse_time)),
            rating=_number(self.value(values, "rating")) if "rating" in self.names else None,
            brand=brand,
            channel=channel if channel in channels else "",
        )

    def _account_days(
        self, values: Values, at: datetime, parse_time: Callable[[str], datetime]
    ) -> int:
        written = self.value(values, "account_since").strip()
        try:
            return account_days(parse_time(written), at=at) if written else 0
        except ValueError:
            return 0  # what only decorates a mention is no reason to lose it

    def _engagement(self, values: Values, days: int) -> Engagement:
        return Engagement(
            likes=self._count(values, "likes"),
            replies=self._count(values, "replies"),
            reposts=self._count(values, "reposts"),
            views=self._count(values, "views"),
            followers=self._count(values, "followers"),
            account_days=days,
        )

    def _count(self, values: Values, field: Field) -> int:
        if field not in self.names:
            return 0
        number = _number(self.value(values, field))
        return int(number) if number is not None else 0


def _dig(values: object, dotted: str) -> object:
    for part in dotted.split("."):
        if not isinstance(values, Mapping):
            return None
        values = values.get(part)
    return values


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
