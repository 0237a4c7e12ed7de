"""Meta's side of its webhooks, as the documentation describes it: handshake, signature, redelivery.

Written from developers.facebook.com: docs/graph-api/webhooks/getting-started,
docs/graph-api/webhooks/reference/page, docs/instagram-platform/webhooks/examples and
documentation/business-messaging/whatsapp/webhooks/reference/messages.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any, cast

import httpx

from connectors.contract import Item
from connectors.sources.meta.notices import Reader

SECRET = "0f" * 16
VERIFY = "kopi-tubruk"
PAGE = "100200300"
INSTAGRAM = "17841400000000001"
BUSINESS = "102290129340398"
AT = 1_748_770_000
MADE = datetime.fromtimestamp(AT, UTC)


def body_of(notice: dict[str, Any]) -> bytes:
    """Meta escapes what is not ASCII, and the signature is over the escaped form."""
    return json.dumps(notice, ensure_ascii=True, separators=(",", ":")).encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def page_feed(time: int = AT, **value: Any) -> dict[str, Any]:
    """A change of a page's feed: a comment by default."""
    told = {
        "item": "comment",
        "verb": "add",
        "comment_id": f"{PAGE}_1_77",
        "post_id": f"{PAGE}_1",
        "parent_id": f"{PAGE}_1",
        "from": {"id": "555", "name": "Sari Dewi"},
        "message": "pesanan saya belum sampai 😡",
        "created_time": AT,
        "post": {"status_type": "mobile_status_update", "is_published": True},
        **value,
    }
    changes = [{"field": "feed", "value": told}]
    return {"object": "page", "entry": [{"id": PAGE, "time": time, "changes": changes}]}


def instagram_comment(*, flat: bool = False, **value: Any) -> dict[str, Any]:
    """A comment; `flat` as apps with Instagram login get it."""
    told = {
        "id": "17900000000000001",
        "from": {"id": "888", "username": "sari.dewi"},
        "text": "kok lama banget",
        "media": {"id": "178111", "media_product_type": "FEED"},
        **value,
    }
    change = {"field": "comments", "value": told}
    entry = {"id": INSTAGRAM, "time": AT, **(change if flat else {"changes": [change]})}
    return {"object": "instagram", "entry": [entry]}


def whatsapp(*messages: dict[str, Any], field: str = "messages", **extra: Any) -> dict[str, Any]:
    """Messages to the business (or, as echoes, from it)."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "622150000000", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Sari"}, "wa_id": "6281200000001"}],
        "messages" if field == "messages" else "message_echoes": list(messages),
        **extra,
    }
    entry = {"id": BUSINESS, "changes": [{"value": value, "field": field}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def message(native_id: str, text: str, **values: Any) -> dict[str, Any]:
    """A text message."""
    return {
        "from": "6281200000001",
        "id": native_id,
        "timestamp": str(AT),
        "type": "text",
        "text": {"body": text},
        **values,
    }


async def deliver(
    http: httpx.AsyncClient, port: int, notice: dict[str, Any] | bytes, **headers: str
) -> httpx.Response:
    """Deliver once, signed unless a header says otherwise."""
    body = notice if isinstance(notice, bytes) else body_of(notice)
    sent = {"Content-Type": "application/json", "X-Hub-Signature-256": signature(body), **headers}
    return await http.post(f"http://127.0.0.1:{port}/", content=body, headers=sent)


async def until_taken(http: httpx.AsyncClient, port: int, notice: dict[str, Any]) -> int:
    """Deliver until it is answered with 200, as Meta does; return how often."""
    for n in range(1, 50):
        if (await deliver(http, port, notice)).status_code == 200:
            return n
    raise AssertionError("never taken")


READER = Reader(brand="tokoraya", accounts={INSTAGRAM: "tokokecil"}, key=SECRET.encode())


def read(notice: dict[str, Any]) -> list[Item]:
    """What our own reader makes of a notice that holds nothing bad."""
    found = READER.read(body_of(notice))
    assert all(isinstance(i, Item) for i in found)
    return cast("list[Item]", list(found))
