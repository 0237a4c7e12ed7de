"""`meta`: comments on Facebook pages and Instagram, and WhatsApp messages, as Meta sends them.

Documentation read: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
(verification, signature, redelivery for 36 hours), and the references named in `wire.py`.

Meta delivers again what was not answered with 200, so 200 is said only when the log has it. A
body that Meta has signed and that cannot be read is a dead letter and is answered with 200: it
would come again for a day and a half, and be no more readable.
"""

import hmac
from collections.abc import AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from typing import ClassVar, Literal

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.contract import BadItem, Context, Fatal, Item, Page, Retryable, SourceSettings
from connectors.sources.inbox import Inbox, Stopping, TooMuch, body_of
from connectors.sources.meta.graph import look_up
from connectors.sources.meta.notices import CHANNELS, Reader, is_mention
from streams.settings import Name

CHALLENGE_CHARS = 256
"""Longest challenge of the handshake that is echoed."""


class MetaSettings(SourceSettings):
    """`type = "meta"`."""

    type: Literal["meta"] = "meta"
    host: str = "127.0.0.1"
    """Where to listen; a proxy with a certificate stands in front of it."""
    port: int = Field(ge=0, le=65535)
    path: str = Field(default="/", pattern=r"^/[A-Za-z0-9/_.-]{0,200}$")
    app_secret_env: str = "META_APP_SECRET"  # noqa: S105  # the name of a variable
    verify_token_env: str = "META_VERIFY_TOKEN"  # noqa: S105  # the name of a variable
    token_env: str | None = None
    """Variable with an access token, to look up the words of Instagram mentions."""
    graph_url: str = "https://graph.facebook.com/v23.0"
    allow_private: bool = False
    brand: Name | None = None
    """Everything is about this brand; without it and `accounts` texts have to name one."""
    accounts: dict[str, Name] = Field(default_factory=dict)
    """Brand by id of a page, an Instagram account or a WhatsApp business account."""
    channels: tuple[Name, ...] = tuple(CHANNELS.values())
    max_body_bytes: int = Field(default=4_194_304, ge=1024, le=16_777_216)
    """Meta sends up to 3 MB (WhatsApp)."""
    max_waiting: int = Field(default=5000, ge=1)
    """Items that may wait for the log; beyond it Meta is asked to come again."""


class MetaConnector:
    """A web server that Meta delivers to."""

    Settings: ClassVar[type[SourceSettings]] = MetaSettings

    def __init__(self, settings: MetaSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._inbox = Inbox(most=settings.max_waiting)
        self._token = ""

    @property
    def port(self) -> int:
        """The port that is listened on, once `stream` runs."""
        return self._inbox.port

    async def stream(self, cursor: str | None) -> AsyncIterator[Page]:
        """Serve; each page is what was delivered, and Meta hears when it is safe."""
        del cursor  # Meta keeps what was not acknowledged: there is no place to keep
        settings = self._settings
        secret = self._context.secret(settings.app_secret_env).encode()
        token = self._context.secret(settings.verify_token_env).encode()
        if settings.token_env:
            self._token = self._context.secret(settings.token_env)
        if len(secret) < 16:
            raise Fatal(f"{settings.app_secret_env} is too short for an app secret")
        reader = Reader(brand=settings.brand or "", accounts=settings.accounts, key=secret)
        app = self._app(reader, secret, token)
        pages = self._inbox.pages(app, settings.host, settings.port)
        async with aclosing(pages) as delivered:
            async for page in delivered:
                yield page

    async def close(self) -> None:
        """The server stops with the stream."""

    def _app(self, reader: Reader, secret: bytes, token: bytes) -> Starlette:
        async def verify(request: Request) -> Response:
            return _verified(request, token)

        async def deliver(request: Request) -> Response:
            return await self._deliver(request, reader, secret)

        path = self._settings.path
        return Starlette(
            routes=[
                Route(path, verify, methods=["GET"]),
                Route(path, deliver, methods=["POST"]),
            ]
        )

    async def _deliver(self, request: Request, reader: Reader, secret: bytes) -> Response:
        try:
            body = await body_of(request, limit=self._settings.max_body_bytes)
        except TimeoutError:
            return _answer(408, "the body did not come in time")
        if body is None:
            return _answer(413, f"more than {self._settings.max_body_bytes} bytes")
        if not is_signed(body, request.headers.get("x-hub-signature-256", ""), secret):
            return _answer(401, "X-Hub-Signature-256 does not fit the body and the app secret")
        try:
            found = reader.read(body) if not self._token else await self._told(reader, body)
        except Retryable:
            # Meta delivers again, and the Graph API may have recovered by then.
            return _answer(503, "the words of a mention cannot be read now", retry_s=60)
        if not found:
            return _answer(200, "ok")
        try:
            await self._inbox.put(found)
        except TooMuch:
            return _answer(503, "more waits than the log takes; deliver again", retry_s=5)
        except Stopping:
            return _answer(503, "stopping; deliver again", retry_s=5)
        return _answer(200, "ok")

    async def _told(self, reader: Reader, body: bytes) -> tuple[Item | BadItem, ...]:
        """Read a delivery, with the words of its mentions looked up."""
        mentions = reader.mentions(body)
        found = reader.read(body)
        if not mentions:
            return found
        looked: list[Item | BadItem] = []
        for account, asked in mentions:
            try:
                looked.append(
                    await look_up(
                        reader,
                        account,
                        asked,
                        url=self._settings.graph_url,
                        token=self._token,
                        context=self._context,
                        allow_private=self._settings.allow_private,
                    )
                )
            except Fatal as e:
                return (*found, BadItem("broken_row", str(e), f"instagram:{account}", body))
        return (*(i for i in found if not is_mention(i)), *looked)


def is_signed(body: bytes, header: str, secret: bytes) -> bool:
    """Whether `X-Hub-Signature-256: sha256=HEX` is the HMAC of the body as it was sent.

    >>> is_signed(b"{}", "sha256=" + hmac.new(b"key", b"{}", sha256).hexdigest(), b"key")
    True
    """
    wanted = "sha256=" + hmac.new(secret, body, sha256).hexdigest()
    return header.isascii() and hmac.compare_digest(wanted, header)


def _verified(request: Request, token: bytes) -> Response:
    """Answer the handshake by which Meta makes sure that the address is ours."""
    asked = request.query_params
    given = asked.get("hub.verify_token", "").encode()
    if asked.get("hub.mode") != "subscribe" or not hmac.compare_digest(given, token):
        return _answer(403, "the verify token is another one")
    challenge = asked.get("hub.challenge", "")
    if not challenge or len(challenge) > CHALLENGE_CHARS or not challenge.isascii():
        return _answer(400, "no challenge")
    return _answer(200, challenge)


def _answer(status: int, text: str, *, retry_s: int | None = None) -> Response:
    headers = {"X-Content-Type-Options": "nosniff"}
    if retry_s is not None:
        headers["Retry-After"] = str(retry_s)
    return PlainTextResponse(text, status_code=status, headers=headers)
