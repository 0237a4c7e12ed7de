"""`webhook`: your systems POST mentions to us over HTTP, signed. No cost.

`POST /` with one JSON object or an array of up to 500, fields `id`, `time` (ISO 8601 with zone, or
epoch), `text`, and optionally `author`, `url`, `lang`, `kind`, `brand`, `rating`, `in_reply_to`,
`likes`, `replies`, `reposts`, `views`, `followers`.

Signature: `X-Siaga-Signature: t=UNIX_SECONDS,v1=HEX` where HEX is HMAC-SHA256 of
`UNIX_SECONDS.BODY` under the secret in `secret_env`. It is valid for five minutes and once.

Answers: 202 when the log has acknowledged every mention (the ones that cannot be mentions are in
the dead letters and counted in the answer); 400 and 413 for what is no such body; 401 for a wrong,
old or repeated signature; 429 with Retry-After when more waits than we take; 503 while stopping.
"""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
import uvicorn
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors.contract import BadItem, Context, Fatal, Item, Page, SourceSettings
from connectors.sources.tabular.mapping import FIELDS, Broken, Columns
from connectors.sources.tabular.times import parser

SIGNATURE_VALID_S = 300
SIGNATURES_REMEMBERED = 100_000
MAX_PER_REQUEST = 500
PAGE_ITEMS = 1000
HEARTBEAT_S = 2.0
BODY_S = 10.0
"""A body has to be here by then: slow ones must not hold connections."""


class WebhookSettings(SourceSettings):
    """`type = "webhook"`."""

    type: Literal["webhook"] = "webhook"
    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    secret_env: str = "SIAGA_WEBHOOK_SECRET"  # noqa: S105  # the name of a variable
    max_body_bytes: int = Field(default=1_048_576, ge=1024, le=16_777_216)
    max_waiting: int = Field(default=5000, ge=1)
    """Mentions that may wait for the log; beyond it senders are asked to come again."""


class _Delivery(NamedTuple):
    items: tuple[Item | BadItem, ...]
    done: "asyncio.Future[None]"


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:
        """Leave signals to the service."""
        return nullcontext()


class WebhookConnector:
    """An HTTP server whose answers wait for the log."""

    Settings: ClassVar[type[SourceSettings]] = WebhookSettings
    cannot_seek: ClassVar[str] = "senders deliver to it: let them deliver again from that time on"

    def __init__(self, settings: WebhookSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._parse = parser()
        self._waiting: asyncio.Queue[_Delivery] = asyncio.Queue()
        self._held = 0
        self._used: OrderedDict[str, None] = OrderedDict()
        self._stopping = False
        self.port = 0
        """The port that is listened on, once `stream` runs."""

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        """Serve; each page is what was delivered, and its senders hear when it is safe."""
        del cursor  # senders deliver again what we did not acknowledge: there is no place to keep
        secret = self._context.secret(self._settings.secret_env).encode()
        if len(secret) < 16:
            raise Fatal(f"{self._settings.secret_env} is shorter than 16 characters")
        server, serving = await self._listen(secret)
        taken: list[_Delivery] = []
        try:
            while True:
                taken = await self._gather()
                items = tuple(i for d in taken for i in d.items)
                yield Page(items, None)
                # The runner is back: the log has acknowledged the page.
                self._settle(taken)
                taken = []
        finally:
            self._stopping = True
            while not self._waiting.empty():
                taken.append(self._waiting.get_nowait())
            for delivery in taken:
                delivery.done.cancel()
            server.should_exit = True
            await asyncio.wait({serving}, timeout=2)
            serving.cancel()

    async def close(self) -> None:
        """The server stops with the stream."""

    def app(self, secret: bytes) -> Starlette:
        """Return the web application."""

        async def deliver(request: Request) -> JSONResponse:
            return await self._deliver(request, secret)

        return Starlette(routes=[Route("/", deliver, methods=["POST"])])

    async def _listen(self, secret: bytes) -> "tuple[_Server, asyncio.Task[None]]":
        settings = self._settings
        server = _Server(
            uvicorn.Config(
                self.app(secret),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=1,
                server_header=False,
                limit_concurrency=1000,
            )
        )

        async def serve() -> None:
            try:
                await server.serve()
            except SystemExit:  # uvicorn's way to say that the port is taken
                return

        serving = asyncio.create_task(serve(), name=f"webhook {self._context.name}")
        while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event
            await asyncio.sleep(0.01)
        if not server.started:
            raise Fatal(
                f"cannot listen on {settings.host}:{settings.port}: is the port taken? "
                "Set another port for this source"
            )
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self._stopping = False
        return server, serving

    async def _gather(self) -> list[_Delivery]:
        """Return what waits, up to a page; nothing after a while: silence is no blindness."""
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                taken = [await self._waiting.get()]
        except TimeoutError:
            return []
        count = len(taken[0].items)
        while count < PAGE_ITEMS and not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
            count += len(taken[-1].items)
        return taken

    def _settle(self, taken: list[_Delivery]) -> None:
        for delivery in taken:
            if not delivery.done.done():
                delivery.done.set_result(None)

    async def _deliver(self, request: Request, secret: bytes) -> JSONResponse:
        if self._stopping:
            return _answer(503, "stopping; deliver again", retry_after=5)
        try:
            async with asyncio.timeout(BODY_S):
                body = await _body(request, self._settings.max_body_bytes)
        except (TimeoutError, ClientDisconnect):
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
        if self._held + len(rows) > self._settings.max_waiting:
            self._used.pop(signature, None)  # the same request may come again
            return _answer(429, "more waits than the log takes; slow down", retry_after=1)
        items = tuple(self._item(row, n) for n, row in enumerate(rows))
        return await self._until_safe(items, signature)

    async def _until_safe(self, items: tuple[Item | BadItem, ...], signature: str) -> JSONResponse:
        delivery = _Delivery(items, asyncio.get_running_loop().create_future())
        self._held += len(items)
        self._waiting.put_nowait(delivery)
        try:
            await asyncio.shield(delivery.done)
        except asyncio.CancelledError:
            self._used.pop(signature, None)
            if delivery.done.cancelled():
                return _answer(503, "stopping; deliver again", retry_after=5)
            raise
        finally:
            self._held -= len(items)
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


async def _body(request: Request, limit: int) -> bytes | None:
    """Return the body; None if it is larger than allowed."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            return None
    return bytes(body)


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
