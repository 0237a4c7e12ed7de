"""Follows `siaga.toml` while services run: brands, sources and severity change without a restart.

A service iterates over `changes(settings)` and adopts what it can. A broken file keeps the
configuration from before, and is told once a process, by key and line.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.settings import RootSettings

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""How often the file is looked at. A change is taken when two looks in a row saw the same bytes:
editors write in steps, and half a file can be valid TOML."""

WORKERS_FIRST_S = 5.0
"""Connectors publish for a new brand this long after they saw it, so that workers know it by then;
workers keep a brand that was taken out for as long, for what is still on its way."""

FOLLOWED = frozenset({"brands", "sources", "severity"})
"""Tables that services follow; a change of another waits for the next start, and is told."""


class ConfigFile:
    """The file that the settings of this process came from, shared by all that follow it.

    Parameters
    ----------
    path
        Made absolute: a service may change its folder.
    content
        What it held when the settings were built; None if it was not there.
    parse
        Builds settings from a text; raises `ConfigError` (`streams.config.parse`).
    settings
        The settings that were built.
    """

    def __init__(
        self,
        path: Path,
        content: bytes | None,
        parse: "Callable[[str, Path], RootSettings]",
        settings: "RootSettings",
    ) -> None:
        self.path = path
        self.content = content
        self._file = path.absolute()
        self._parse = parse
        self._lock = threading.Lock()
        self._read: bytes | None = content
        self._result: RootSettings | None = settings
        self._started = settings

    def look(self) -> bytes | None:
        """Return what the file holds now; None if it cannot be read."""
        try:
            return self._file.read_bytes()
        except OSError:
            return None

    def settings(self, content: bytes | None) -> "RootSettings | None":
        """Return the settings of a content; None if it is broken, which is told once."""
        with self._lock:  # services look from threads of their own
            if content != self._read:
                self._read, self._result = content, self._build(content)
            return self._result

    def _build(self, content: bytes | None) -> "RootSettings | None":
        from streams.config import ConfigError

        if content is None:
            logger.error("%s cannot be read any more; what was in force stays in force", self.path)
            return None
        try:
            newer = self._parse(content.decode(), self.path)
        except (ConfigError, UnicodeDecodeError) as e:
            logger.error(
                "The changed configuration has mistakes; what was in force stays in force:\n%s", e
            )
            return None
        newer.came_from(self)
        waiting = [
            name
            for name in type(newer).model_fields
            if name not in FOLLOWED and getattr(newer, name) != getattr(self._started, name)
        ]
        if waiting:
            logger.warning(
                "%s: %s differs from what runs; that takes effect when Siaga is started again",
                self.path,
                ", ".join(waiting),
            )
        return newer


async def changes(
    settings: "RootSettings", *, every_s: float = LOOK_EVERY_S
) -> "AsyncIterator[RootSettings]":
    """Yield the settings anew each time their file has changed and is right; until cancelled.

    Settings that came from no file never change.
    """
    file = settings.file
    if file is None:
        await asyncio.Event().wait()
        return
    known = seen = file.content
    while True:
        await asyncio.sleep(every_s)
        content = await asyncio.to_thread(file.look)
        if content != seen:
            seen = content  # taken at the next look, if it stands still
        elif content != known:
            known = content
            if (newer := await asyncio.to_thread(file.settings, content)) is not None:
                yield newer
