"""A Jetstream host as its documentation describes it: positions, cursors, notices, refusals.

Written from docs/README.md sections 2, 5.1 and 5.2 of bluesky-social/jetstream and its lexicons.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import zstandard
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

SUBSCRIBE = "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY = "/xrpc/network.bsky.jetstream.getZstdDictionary"
ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
US = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tid(at: datetime) -> str:
    """A timestamp identifier as the atproto specification describes it."""
    bits = format((at - EPOCH) // US << 10, "065b")
    return "".join(ALPHABET[int(bits[n : n + 5], 2)] for n in range(0, 65, 5))


@dataclass
class Happening:
    """One event of the network."""

    at: datetime
    text: str = ""
    operation: str = "create"
    did: str = "did:plc:" + "a" * 24
    collection: str = "app.bsky.feed.post"
    rkey: str = ""
    record: Any = None
    kind: str = "commit"

    def commit(self) -> dict[str, Any]:
        """The fields that both wires share."""
        told: dict[str, Any] = {
            "rev": tid(self.at),
            "operation": self.operation,
            "collection": self.collection,
            "rkey": self.rkey or tid(self.at),
        }
        if self.operation != "delete":
            made = self.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            post = {"$type": self.collection, "createdAt": made, "langs": ["id"], "text": self.text}
            told |= {"record": self.record or post, "cid": "bafyreib2rxk3rh6kzwq"}
        return told


@dataclass
class Jetstream:
    """One host. Its positions start at `first_seq`; those below `floor` are no longer held."""

    happenings: list[Happening] = field(default_factory=list)
    first_seq: int = 1
    floor: int = 0
    dictionary: bytes = b""
    paths: list[str] = field(default_factory=list)
    clients: set[ServerConnection] = field(default_factory=set)
    refuse: int = 0
    error: str = ""
    """Sent as an error frame at the end of the replay, and the stream ends."""
    server: Server | None = None
    more: asyncio.Event = field(default_factory=asyncio.Event)
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        assert self.server is not None
        port = next(iter(self.server.sockets)).getsockname()[1]
        return f"127.0.0.1:{port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Jetstream"]:
        """Serve on an ephemeral port of loopback."""
        async with serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._before,
            compression=None,
        ) as self.server:
            yield self

    async def happen(self, *happenings: Happening) -> None:
        """Let the network go on."""
        self.happenings += happenings
        self.more.set()
        self.more = asyncio.Event()

    async def drop_clients(self, code: int = 1012) -> None:
        """Close all connections, as a restart does."""
        for client in list(self.clients):
            await client.close(code)

    def _before(self, connection: ServerConnection, request: Request) -> Response | None:
        del connection
        self.paths.append(request.path)
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        if self.refuse:
            return _refusal(self.refuse, "Busy", "try again")
        if parts.path == DICTIONARY:
            headers = Headers(
                {
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(len(self.dictionary)),
                }
            )
            return Response(200, "OK", headers, self.dictionary)
        if parts.path == "/subscribe":
            return None
        if parts.path != SUBSCRIBE:
            return _refusal(404, "NotFound", "no such path")
        if old := {"wantedCollections", "wantedDids"} & set(query):
            return _refusal(400, "InvalidRequest", f"{old} was renamed")
        if "zstdDictionary" in query and int(query["zstdDictionary"][0]) != self._dictionary_id():
            return _refusal(400, "UnknownZstdDictionary", f"current: {self._dictionary_id()}")
        cursor = int(query.get("cursor", ["0"])[0])
        if 0 < cursor < 10**15 and cursor < self.floor:
            return _refusal(400, "CursorTooOld", f"the floor is {self.floor}")
        return None

    def _dictionary_id(self) -> int:
        return zstandard.ZstdCompressionDict(self.dictionary).dict_id() if self.dictionary else 0

    async def _serve(self, connection: ServerConnection) -> None:
        self.clients.add(connection)
        self.connected.set()
        assert connection.request is not None
        parts = urlsplit(connection.request.path)
        query = parse_qs(parts.query)
        new = parts.path == SUBSCRIBE
        pack = None
        if "zstdDictionary" in query:
            known = zstandard.ZstdCompressionDict(self.dictionary)
            pack = zstandard.ZstdCompressor(dict_data=known).compress

        async def send(frame: dict[str, Any]) -> None:
            text = json.dumps(frame, ensure_ascii=False)
            await connection.send(pack(text.encode()) if pack else text)

        try:
            position, notice = self._start(query, new=new)
            if notice and new:
                payload = {"$type": f"{SUBSCRIBE[6:]}#info", "name": notice, "message": "..."}
                await send({"$type": "message", "payload": payload})
            wanted = query.get("collections" if new else "wantedCollections", [])
            while True:
                while position - self.first_seq < len(self.happenings):
                    happening = self.happenings[position - self.first_seq]
                    passes = not wanted or happening.collection in wanted
                    if happening.kind != "commit":
                        # The old wire tells everybody of accounts; the new one has `kinds`.
                        passes = not new or happening.kind in query.get("kinds", [happening.kind])
                    if passes:
                        await send(
                            _frame(happening, position) if new else _old(happening, position)
                        )
                    position += 1
                if self.error and new:
                    await send({"$type": "error", "error": self.error, "message": "..."})
                    return
                await _either(self.more.wait(), connection.wait_closed())
                if connection.close_code is not None:
                    return
        finally:
            self.clients.discard(connection)

    def _start(self, query: dict[str, list[str]], *, new: bool) -> tuple[int, str]:
        """Return the position to begin at, and a notice."""
        tip = self.first_seq + len(self.happenings)
        if "cursor" not in query:
            return tip, ""
        cursor = int(query["cursor"][0])
        floor = max(self.floor, self.first_seq)
        if cursor < 10**15:
            if cursor > tip:
                return tip, "FutureCursor"
            return max(cursor, floor), ""
        found = floor
        clamped = (
            floor < tip and (self.happenings[floor - self.first_seq].at - EPOCH) // US > cursor
        )
        while found < tip and (self.happenings[found - self.first_seq].at - EPOCH) // US < cursor:
            found += 1
        return found, "OutdatedCursor" if clamped and new and self.floor else ""


async def _either(*waiting: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(w) for w in waiting]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _frame(happening: Happening, seq: int) -> dict[str, Any]:
    seen = happening.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    payload = {
        "$type": f"{SUBSCRIBE[6:]}#commit",
        "seq": seq,
        "did": happening.did,
        "time": seen,
        "witnessedAt": seen,
        **happening.commit(),
    }
    return {"$type": "message", "payload": payload}


def _old(happening: Happening, seq: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "did": happening.did,
        "time_us": (happening.at - EPOCH) // US,
        "cursor": seq,
        "kind": happening.kind,
    }
    if happening.kind == "commit":
        told["commit"] = happening.commit()
    else:
        told[happening.kind] = {"did": happening.did, "handle": "sari.example", "seq": 9}
    return told


def _refusal(status: int, error: str, message: str) -> Response:
    body = json.dumps({"error": error, "message": message}).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
    return Response(status, HTTPStatus(status).phrase, headers, body)
