"""Meta's notifications (`wire.py`) to items; pure."""

import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from connectors.contract import LAST_REVISION, BadItem, Item
from connectors.sources.meta.wire import (
    Change,
    Comment,
    Entry,
    Feed,
    Looked,
    Mentioned,
    Message,
    Messages,
    Notice,
    Words,
)
from connectors.sources.tabular.times import epoch

CHANNELS = {
    "page": "facebook",
    "instagram": "instagram",
    "whatsapp_business_account": "whatsapp",
}

UNTOLD = "Instagram tells only the ids of a mention"

POSTS = frozenset({"comment", "post", "status", "photo", "video", "share", "link", "album"})
"""Items of a page's feed that hold a text; reactions and likes hold none."""

REMOVED = frozenset({"remove", "delete"})
EDITED = frozenset({"edit", "edited", "update"})


_notices = msgspec.json.Decoder(Notice | list[Notice])
_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)


class Reader:
    """Reads notifications.

    Parameters
    ----------
    brand, accounts
        What everything is about, or what a page, account or business (by id) is about.
    key
        Under which phone numbers become pseudonyms.
    """

    def __init__(self, *, brand: str, accounts: Mapping[str, str], key: bytes) -> None:
        self._brand = brand
        self._accounts = accounts
        self._key = key
        self._fields: dict[tuple[str, str], Callable[[Entry, bytes], list[Item | BadItem]]] = {
            ("page", "feed"): self._feed,
            ("instagram", "comments"): self._comment,
            ("instagram", "live_comments"): self._comment,
            ("instagram", "mentions"): self._mention,
            ("whatsapp_business_account", "messages"): self._messages,
            ("whatsapp_business_account", "smb_message_echoes"): self._messages,
        }

    def read(self, body: bytes) -> tuple[Item | BadItem, ...]:
        """Return all items of a delivery; fields that nobody subscribed for are left out."""
        try:
            told = _notices.decode(body)
        except _DAMAGED as e:
            return (_bad(body, "notification", e),)
        items: list[Item | BadItem] = []
        for notice in told if isinstance(told, list) else [told]:
            for entry in notice.entry:
                for change in entry.changes or (Change(entry.field, entry.value),):
                    read = self._fields.get((notice.object, change.field))
                    if read is None:
                        continue
                    raw = bytes(change.value)
                    try:
                        items += read(entry, raw)
                    except _DAMAGED as e:
                        items.append(_bad(raw, f"{notice.object} {change.field}", e))
        return tuple(items)

    def _feed(self, entry: Entry, raw: bytes) -> list[Item | BadItem]:
        told = msgspec.json.decode(raw, type=Feed)
        native_id = told.comment_id or told.post_id
        if told.item not in POSTS or not native_id or told.verb in ("hide", "unhide", "block"):
            return []
        account = str(entry.id)
        removed = told.verb in REMOVED
        if not removed and not told.message.strip():
            return []  # a picture without words
        # A page answers under its own id: anybody may call himself like it.
        sender = str(told.sender.id)
        author = sender if sender == account else told.sender.name or sender
        revision = LAST_REVISION if removed else 0
        if told.verb in EDITED:
            revision = max(int(epoch(entry.time).timestamp()), 1)
        parent = told.parent_id if told.comment_id else ""
        return [
            self._item(
                "page",
                account,
                native_id,
                epoch(told.created_time or entry.time),
                text="" if removed else told.message,
                author=author,
                url=told.permalink_url or f"https://www.facebook.com/{native_id}",
                kind="comment" if told.comment_id else "post",
                in_reply_to=parent,
                revision=revision,
                deleted=removed,
                keeps_time=revision > 0,
            )
        ]

    def _comment(self, entry: Entry, raw: bytes) -> list[Item | BadItem]:
        told = msgspec.json.decode(raw, type=Comment)
        if not told.text.strip():
            return []
        return [
            self._item(
                "instagram",
                str(entry.id),
                str(told.id),
                epoch(entry.time),
                text=told.text,
                author=told.sender.username or str(told.sender.id),
                kind="comment",
                in_reply_to=str(told.parent_id),
            )
        ]

    def _mention(self, entry: Entry, raw: bytes) -> list[Item | BadItem]:
        told = msgspec.json.decode(raw, type=Mentioned)
        name = f"comment {told.comment_id}" if told.comment_id else f"media {told.media_id}"
        detail = f"{UNTOLD} ({name}): set token_env to have its words looked up, or look in the app"
        return [BadItem("empty_text", detail, f"instagram:{entry.id}/{name}", raw)]

    def mentions(self, body: bytes) -> list[tuple[str, Mentioned]]:
        """Return the mentions of a delivery, which hold ids only, with the account mentioned."""
        try:
            told = _notices.decode(body)
        except _DAMAGED:
            return []
        found: list[tuple[str, Mentioned]] = []
        for notice in told if isinstance(told, list) else [told]:
            for entry in notice.entry if notice.object == "instagram" else ():
                for change in entry.changes or (Change(entry.field, entry.value),):
                    if change.field == "mentions":
                        with suppress(*_DAMAGED):
                            value = msgspec.json.decode(change.value, type=Mentioned)
                            found.append((str(entry.id), value))
        return found

    def looked_up(self, account: str, asked: Mentioned, body: bytes) -> Item | BadItem:
        """Turn the Graph API's answer about a mention into an item."""
        try:
            told = msgspec.json.decode(body, type=Looked)
            words = told.mentioned_comment or told.mentioned_media or Words()
            at = datetime.strptime(words.timestamp, "%Y-%m-%dT%H:%M:%S%z")
        except _DAMAGED as e:
            return _bad(body, "mention", e)
        text = words.text or words.caption
        if not text.strip():
            return BadItem("empty_text", "a mention without words", f"instagram:{account}", body)
        return self._item(
            "instagram",
            account,
            str(asked.comment_id or asked.media_id),
            at,
            text=text,
            author=words.username,
            url=words.permalink,
            kind="comment" if asked.comment_id else "post",
        )

    def _messages(self, entry: Entry, raw: bytes) -> list[Item | BadItem]:
        told = msgspec.json.decode(raw, type=Messages)
        items: list[Item | BadItem] = []
        for sent, raws in ((False, told.messages), (True, told.message_echoes)):
            for one in raws:
                try:
                    message = msgspec.json.decode(one, type=Message)
                    if words := message.words():
                        ours = told.metadata.display_phone_number
                        author = ours if sent else self._pseudonym(message.sender)
                        items.append(
                            self._item(
                                "whatsapp_business_account",
                                str(entry.id),
                                message.id,
                                epoch(int(message.timestamp)),
                                text=words,
                                author=author,
                                kind="message",
                                in_reply_to=message.context.id,
                            )
                        )
                except _DAMAGED as e:
                    items.append(_bad(bytes(one), "WhatsApp message", e))
        return items

    def _pseudonym(self, number: str) -> str:
        """A person's number is nobody's business; the same person stays the same author."""
        if not number:
            return ""
        return (
            f"wa-{hmac.digest(self._key, number.encode('utf-8', 'replace'), 'sha256').hex()[:16]}"
        )

    def _item(
        self, kind_of: str, account: str, native_id: str, at: datetime, **values: Any
    ) -> Item:
        parent = values.pop("in_reply_to", "")
        return Item(
            native_id=f"{kind_of}:{native_id}",
            published_at=at,
            channel=CHANNELS[kind_of],
            brand=self._accounts.get(account, self._brand),
            in_reply_to=f"{kind_of}:{parent}" if parent else "",
            **values,
        )


def is_mention(item: Item | BadItem) -> bool:
    """Whether an item stands for a mention whose words were not told."""
    return isinstance(item, BadItem) and item.detail.startswith(UNTOLD)


def _bad(raw: bytes, what: str, error: Exception) -> BadItem:
    return BadItem("broken_row", f"not a {what} as documented: {error}", "", raw)
