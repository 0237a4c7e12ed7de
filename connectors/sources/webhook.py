"""`webhook`: your systems POST mentions to us over HTTP, signed. No cost.

`POST /` with one JSON object or an array of up to 500, fields `id`, `time` (ISO 8601 with zone, or
epoch), `text`, and optionally `author`, `url`, `lang`, `kind`, `brand`, `rating`, `in_reply_to`,
`likes`, `replies`, `reposts`, `views`, `followers`, `account_since`.

Signature: `X-Siaga-Signature: t=UNIX_SECONDS,v1=HEX` where HEX is HMAC-SHA256 of
`UNIX_SECONDS.BODY` under the secret in `secret_env`. It is valid for five minutes and once.

Answers: 202 when the log has acknowledged every mention (the ones that cannot be mentions are in
the dead letters and counted in the answer); 400 and 413 for what is no such body; 401 for a wrong,
old or repeated signature; 429 with Retry-After when more waits than we take; 503 while stopping.
"""

import hmac
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors.contract import BadItem, Context, Fatal, Item, Page, SourceSettings
from connectors.sources.inbox import Inbox, Stopping, TooMuch, body_of
from connectors.sources.tabular.mapping import FIELDS, Broken, Columns
from connectors.sources.tabular.times import parser

SIGNATURE_VALID_S = 300
"""How far a signature's time may be from ours, either way."""
SIGNATURES_REMEMBERED = 100_000
"""Used ones, so that none is played again while it is valid."""
MAX_PER_REQUEST = 500
"""As many as a batch holds."""


class WebhookSettings(SourceSettings):
    """`type = "webhook"`."""

    type: Literal["webhook"] = "webhook"
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    secret_env: str = "SIAGA_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable
    max_body_bytes: int = Field(default=1_048_576, ge=1024, le=16_777_216)
    max_waiting: int = Field(default=5000, ge=1)
    """Mentions that may wait for the log; beyond it senders are asked to come again."""


class WebhookConnector:
    """An HTTP server whose answers wait for the log."""

    Settings: ClassVar[type[SourceSettings]] = WebhookSettings
    cannot_seek: ClassVar[str] = "senders deliver to it: let them deliver again from that time on"

    def __init__(self, settings: WebhookSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._parse = parser()
        self._inbox = Inbox(most=settings.max_waiting)
        self._used: OrderedDict[str, None] = OrderedDict()

    @property
    def port(self) -> int:
        """The port that is listened on, once `stream` runs."""
        return self._inbox.port

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        """Serve; each page is what was delivered, and its senders hear when it is safe."""
        del cursor  # senders deliver again what we did not acknowledge: there is no place to keep
        settings = self._settings
        secret = self._context.secret(settings.secret_env).encode()
        if len(secret) < 16:
            raise Fatal(f"{settings.secret_env} is shorter than 16 characters")
        pages = self._inbox.pages(self.app(secret), settings.host, settings.port)
        async with aclosing(pages) as delivered:
            async for page in delivered:
                yield page

    async def close(self) -> None:
        """The server stops with the stream."""

    def app(self, secret: bytes) -> Starlette:
        """Return the web application."""

        async def deliver(request: Request) -> JSONResponse:
            return await self._deliver(request, secret)

        return Starlette(routes=[Route("/", deliver, methods=["POST"])])

    async def _deliver(self, request: Request, secret: bytes) -> JSONResponse:
        try:
            body = await body_of(request, limit=self._settings.max_body_bytes)
        except TimeoutError:
            return _answer(408, "the body did not come in time")
        if body is None:
            limit = self._settings.max_body_bytes
            return _answer(413, f"more than {limit} bytes; send fewer at once")
        header = _signature(request.headers.get("x-siaga-signature", ""))
        if problem := self._refused(header, body, secret):
            return _answer(401, problem)
        signature = header.get("v1", "")
        try:
            decoded: Any = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _answer(400, "the body is no JSON")
        rows = decoded if isinstance(decoded, list) else [decoded]
        if len(rows) > MAX_PER_REQUEST:
            return _answer(413, f"more than {MAX_PER_REQUEST} at once")
        items = tuple(self._item(row, n) for n, row in enumerate(rows))
        safe = False
        try:
            await self._inbox.put(items)
            safe = True
        except TooMuch:
            return _answer(429, "more waits than the log takes; slow down", retry_after=1)
        except Stopping:
            return _answer(503, "stopping; deliver again", retry_after=5)
        finally:
            if not safe:
                self._used.pop(signature, None)  # the same request may come again
        bad = [i for i in items if isinstance(i, BadItem)]
        return JSONResponse(
            {
                "accepted": len(items) - len(bad),
                "dead_letters": [{"origin": b.origin, "detail": b.detail} for b in bad],
            },
            status_code=202,
        )

    def _refused(self, parts: dict[str, str], body: bytes, secret: bytes) -> str:
        """Return why a signature is not valid, or "" if it is; a valid one is valid once."""
        stamp, given = parts.get("t", ""), parts.get("v1", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or not given.isascii():
            return "X-Siaga-Signature must be t=UNIX_SECONDS,v1=HEX"
        wanted = hmac.new(secret, stamp.encode() + b"." + body, sha256).hexdigest()
        if not hmac.compare_digest(wanted, given):
            return "the signature does not fit the body and the secret"
        if abs(self._context.now().timestamp() - int(stamp)) > SIGNATURE_VALID_S:
            return "the signature is too old, or a clock is wrong"
        if given in self._used:
            return "the signature was used before"
        self._used[given] = None
        if len(self._used) > SIGNATURES_REMEMBERED:
            self._used.popitem(last=False)
        return ""

    def _item(self, row: Any, place: int) -> Item | BadItem:
        original = msgspec.json.encode(row)
        origin = f"delivery-{time.time_ns()}-{place}"
        if not isinstance(row, dict):
            return BadItem("broken_row", "no JSON object", origin, original)
        known = {field: field for field in FIELDS if field in row}
        # Both are needed: without a name there is nothing to call missing.
        columns = Columns({**known, "time": "time", "text": "text"}, ())
        if not str(row.get("id") or "").strip():
            return BadItem("missing_field", "no id: repeats could not be told", origin, original)
        found = columns.item(
            row, native_id=origin, parse_time=self._parse, brand=str(row.get("brand") or "")
        )
        if isinstance(found, Broken):
            return BadItem(found.reason, found.detail, f"id {row['id']!s:.100}", original)
        return found


def _signature(header: str) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in header.split(",") if "=" in part)
    return {key.strip(): value.strip() for key, value in pairs}


def _answer(status: int, reason: str, *, retry_after: int | None = None) -> JSONResponse:
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else None
    return JSONResponse({"error": reason}, status_code=status, headers=headers)


def sign(secret: bytes, body: bytes, *, now: datetime) -> str:
    """Return the signature header of a body, as a sender makes it.

    >>> from datetime import UTC
    >>> sign(b"secret", b"{}", now=datetime(2025, 1, 1, tzinfo=UTC))[:16]
    't=1735689600,v1='
    """
    stamp = str(int(now.timestamp()))
    return f"t={stamp},v1={hmac.new(secret, stamp.encode() + b'.' + body, sha256).hexdigest()}"
