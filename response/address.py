"""Where people open the page (pure)."""

import socket

from response.settings import PageSettings


def address(page: PageSettings, listener: socket.socket | None = None) -> str:
    """Where people open the page."""
    if page.url:
        return page.url.rstrip("/")
    port = listener.getsockname()[1] if listener else page.port
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(page.host, page.host)  # noqa: S104 (compared)
    return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{port}"
