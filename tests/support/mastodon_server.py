"""A Mastodon server as its documentation describes it: timelines, limits, and the WebSocket.

Written from https://docs.joinmastodon.org/methods/timelines/, /methods/streaming/,
/api/rate-limits/ and /entities/Status/.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from local_http import Asgi, as_app
from starlette.websockets import WebSocket, WebSocketDisconnect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def snowflake(at: datetime, serial: int = 0) -> str:
    """An id as the server makes it: milliseconds and 16 bits of a serial."""
    return str(((at - EPOCH) // timedelta(milliseconds=1) << 16) + serial)


def status(at: datetime, text: str, *, serial: int = 0, **values: Any) -> dict[str, Any]:
    """A status with the documented fields."""
    native_id = snowflake(at, serial)
    account = {
        "id": "77",
        "username": "sari",
        "acct": values.pop("acct", "sari"),
        "display_name": "Sari",
        "bot": False,
        "created_at": values.pop("account_created_at", "2025-05-22T00:00:00.000Z"),
        "followers_count": values.pop("followers", 12),
        "url": "https://toot.example/@sari",
    }
    return {
        "id": native_id,
        "created_at": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z",
        "in_reply_to_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "id",
        "uri": f"https://toot.example/users/sari/statuses/{native_id}",
        "url": f"https://toot.example/@sari/{native_id}",
        "replies_count": 1,
        "reblogs_count": 2,
        "favourites_count": 3,
        "edited_at": None,
        "content": f"<p>{text}</p>",
        "reblog": None,
        "account": account,
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "poll": None,
        **values,
    }


@dataclass
class MastodonServer:
    """The server; `tags` holds the statuses of each hashtag, `public` those of all."""

    tags: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    public: list[dict[str, Any]] = field(default_factory=list)
    token: str | None = None
    """Asked for by all of it (public preview off) if set."""
    calls_left: int | None = None
    reset: datetime = datetime(2025, 6, 1, 12, 5, tzinfo=UTC)
    streaming: str = ""
    requests: list[httpx.Request] = field(default_factory=list)
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a REST request."""
        self.requests.append(request)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return _json(401, {"error": "The access token is invalid"})
        limits = {}
        if self.calls_left is not None:
            limits = {
                "X-RateLimit-Limit": "300",
                "X-RateLimit-Remaining": str(max(self.calls_left - 1, 0)),
                "X-RateLimit-Reset": self.reset.isoformat().replace("+00:00", ".000000Z"),
            }
            if self.calls_left == 0:
                return _json(429, {"error": "Too many requests"}, limits)
            self.calls_left -= 1
        path = request.url.path
        if path == "/api/v2/instance":
            return _json(200, {"configuration": {"urls": {"streaming": self.streaming}}}, limits)
        if path == "/api/v1/timelines/public":
            return self._timeline(request, self._public(request), limits)
        if path.startswith("/api/v1/timelines/tag/"):
            name = path.removeprefix("/api/v1/timelines/tag/")
            if name not in self.tags:
                return _json(404, {"error": "Record not found"}, limits)
            return self._timeline(request, self.tags[name], limits)
        return httpx.Response(404, text="<!DOCTYPE html>", headers={"Content-Type": "text/html"})

    def _public(self, request: httpx.Request) -> list[dict[str, Any]]:
        local, remote = (request.url.params.get(k) == "true" for k in ("local", "remote"))
        foreign = {s["id"] for s in self.public if "@" in s["account"]["acct"]}
        return [
            s
            for s in self.public
            if not (local and s["id"] in foreign) and not (remote and s["id"] not in foreign)
        ]

    def _timeline(
        self, request: httpx.Request, statuses: list[dict[str, Any]], limits: dict[str, str]
    ) -> httpx.Response:
        params = request.url.params
        limit = min(int(params.get("limit", 20)), 40)
        found = sorted(statuses, key=lambda s: int(s["id"]))
        if "max_id" in params:
            found = [s for s in found if int(s["id"]) < int(params["max_id"])]
        for name in ("since_id", "min_id"):
            if name in params:
                found = [s for s in found if int(s["id"]) > int(params[name])]
        # min_id paginates forward: the ones immediately newer; otherwise the newest.
        found = found[:limit] if "min_id" in params else found[-limit:]
        found.reverse()
        headers = dict(limits)
        if found:
            base = str(request.url.copy_with(query=None))
            headers["Link"] = (
                f'<{base}?max_id={found[-1]["id"]}>; rel="next", '
                f'<{base}?min_id={found[0]["id"]}>; rel="prev"'
            )
        return _json(200, found, headers)

    def app(self) -> Asgi:
        """The server with its WebSocket, to be served on loopback."""
        rest = as_app(self)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await self._stream(WebSocket(scope, receive, send))
            else:
                await rest(scope, receive, send)

        return app

    async def _stream(self, socket: WebSocket) -> None:
        bearer = socket.headers.get("authorization", "")
        if socket.url.path != "/api/v1/streaming" or (
            self.token and bearer != f"Bearer {self.token}"
        ):
            await socket.close()  # refused before the handshake is answered: HTTP 403
            return
        await socket.accept()
        self.sockets.append(socket)
        try:
            while True:
                asked = json.loads(await socket.receive_text())
                known = ("public", "public:local", "public:remote", "hashtag", "hashtag:local")
                if asked.get("type") == "subscribe" and asked.get("stream") in known:
                    self.subscriptions.append(asked)
                    self.subscribed.set()
                else:
                    await socket.send_json({"error": "Unknown stream type", "status": 400})
        except WebSocketDisconnect:
            self.sockets.remove(socket)

    async def tell(self, stream: list[str], event: str, payload: Any = None) -> None:
        """Send an event to all connected clients, framed as documented."""
        message: dict[str, Any] = {"stream": stream, "event": event}
        if payload is not None:
            message["payload"] = payload if isinstance(payload, str) else json.dumps(payload)
        for socket in list(self.sockets):
            await socket.send_text(json.dumps(message))


def _json(code: int, value: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(code, json=value, headers=headers or {})
