"""Mastodon's statuses to items; pure.

Wire format: https://docs.joinmastodon.org/entities/Status/
"""

from datetime import UTC, datetime, timedelta

import msgspec

from connectors.accounts import account_days
from connectors.contract import LAST_REVISION, BadItem, Item
from connectors.sources.markup import to_text
from streams.records import Engagement

PUBLIC = frozenset({"public", "unlisted"})
"""Visibilities that may be collected; others are letters to people."""


class Account(msgspec.Struct, frozen=True):
    """https://docs.joinmastodon.org/entities/Account/: what is used of it."""

    acct: str = ""
    """`name`, or `name@host` for accounts of other servers."""
    followers_count: int | None = 0
    created_at: str | None = None
    """ISO 8601, since some version only the day; what it is not is unknown."""


class Status(msgspec.Struct, frozen=True):
    """What is used of a status."""

    id: str
    created_at: datetime
    account: Account = Account()
    content: str | None = ""
    spoiler_text: str | None = ""
    visibility: str = "public"
    language: str | None = None
    url: str | None = None
    uri: str | None = None
    in_reply_to_id: str | None = None
    edited_at: datetime | None = None
    replies_count: int | None = 0
    reblogs_count: int | None = 0
    favourites_count: int | None = 0


_decoder = msgspec.json.Decoder(Status)


def parse(raw: bytes, *, host: str) -> Item | BadItem | None:
    """Turn one status into an item; None if it is not public.

    Parameters
    ----------
    raw
        JSON of the status.
    host
        The server that was asked: accounts of its own carry no host.
    """
    try:
        status = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        return BadItem("broken_row", f"not a status as documented: {e}", _name(raw), raw)
    if status.visibility not in PUBLIC:
        return None
    warning, text = status.spoiler_text or "", to_text(status.content or "")
    acct = status.account.acct
    return Item(
        native_id=status.id,
        published_at=_aware(status.created_at),
        text=f"{warning}\n{text}".strip(),
        author=acct if "@" in acct or not acct else f"{acct}@{host}",
        url=status.url or status.uri or "",
        lang=status.language or "",
        revision=_ms(status.edited_at) if status.edited_at else 0,
        in_reply_to=status.in_reply_to_id or "",
        engagement=Engagement(
            likes=status.favourites_count or 0,
            replies=status.replies_count or 0,
            reposts=status.reblogs_count or 0,
            followers=status.account.followers_count or 0,
            account_days=account_days(_opened(status.account), at=_aware(status.created_at)),
        ),
    )


def _opened(account: Account) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(account.created_at or ""))
    except ValueError:
        return None


def deletion(status_id: str, *, published_at: datetime | None) -> Item | BadItem:
    """Turn a `delete` event into an item; the time of publication comes from the id if unknown."""
    at = published_at or time_of(status_id)
    if at is None or not status_id:
        return BadItem(
            "missing_field",
            "a deletion whose status was not seen here and whose id tells no time",
            status_id,
            status_id.encode("utf-8", "replace"),
        )
    return Item(native_id=status_id, published_at=at, deleted=True, revision=LAST_REVISION)


def order(status_id: str) -> tuple[int, str]:
    """Sort key of ids: longer ones are newer, those of a length sort as text (Mastodon's rule)."""
    return len(status_id), status_id


def time_of(status_id: str) -> datetime | None:
    """When a status was made, by its id (milliseconds, shifted by 16 bits); None if it is no such.

    https://docs.joinmastodon.org/api/guidelines/#id

    >>> time_of("103206804533200177").isoformat()
    '2019-11-26T23:27:40.186000+00:00'
    """
    if not (status_id.isascii() and status_id.isdigit() and len(status_id) < 20):
        return None
    ms = int(status_id) >> 16
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def id_at(time: datetime) -> str:
    """Return the least id that a status made at a time can have.

    >>> time_of(id_at(datetime(2025, 1, 1, tzinfo=UTC))).isoformat()
    '2025-01-01T00:00:00+00:00'
    """
    return str(max(int(time.timestamp() * 1000), 0) << 16)


def earlier(status_id: str, seconds: float) -> str:
    """Return an id that lies earlier by some time; ids that tell no time stay as they are."""
    if time_of(status_id) is None:
        return status_id
    return str(max(int(status_id) - (int(seconds * 1000) << 16), 0))


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _ms(at: datetime) -> int:
    return int(_aware(at).timestamp() * 1000)


class _Named(msgspec.Struct, frozen=True):
    id: str


def _name(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
