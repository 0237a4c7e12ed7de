"""Local receivers of notifications: webhooks, and e-mail over SMTP."""

import json
import socketserver
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Post:
    """One webhook, with the time at which it came."""

    at: float
    contact: str
    """Last part of the path."""
    body: dict[str, Any]

    def told(self) -> tuple[str, ...]:
        """What it says, in a line each: alert, brand or other name, severity, status."""
        return tuple(
            sorted(
                " ".join(
                    (
                        each["labels"]["alertname"],
                        each["labels"].get("brand") or each["labels"].get("connector", "-"),
                        each["labels"].get("severity", "-"),
                        each["status"],
                    )
                )
                for each in self.body["alerts"]
            )
        )


class Webhooks:
    """Takes webhooks at `url/CONTACT`."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append(Post(time.time(), self.path.strip("/"), json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of(self, contact: str) -> list[Post]:
        return [post for post in list(self.posts) if post.contact == contact]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Mailbox:
    """Takes e-mail on a port of the loopback (RFC 5321, as much as a client without TLS needs)."""

    port: int
    got: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        got = self.got

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 mailbox")
                while line := self.rfile.readline():
                    verb = line.split(maxsplit=1)[0].upper() if line.strip() else b""
                    if verb == b"DATA":
                        self._say("354 go on")
                        got.append(message_from_bytes(self._data(), policy=default))
                        self._say("250 taken")
                    elif verb == b"QUIT":
                        self._say("221 bye")
                        return
                    else:
                        self._say("250 mailbox")

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def _data(self) -> bytes:
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                return b"".join(lines)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
