"""The one thread that writes to a store: many appends become one transaction (group commit).

While a commit waits for the disk the next group gathers, so that throughput grows with load and a
lone append still returns at once. Writes are committed in the order of `submit`: the disk always
holds a prefix of what was submitted. Hence no state outlives the outputs that it covers.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streams.log.outage import Outage
from streams.log.port import Unavailable
from streams.log.store import Commit, Row, Store

GROUP_ROWS = 5_000
GROUP_BYTES = 8 << 20
"""Bounds of one transaction: some tens of milliseconds of other processes' waiting."""

LINGER_SECONDS = 0.005
"""How long patient writes gather: the worker sends record by record and awaits none of them, and a
transaction for each would cost it half its time in thread switches."""

RETRY_SECONDS = 1.0
"""Between two tries of patient writes while the disk is full or another process holds the lock."""


class Write:
    """A submitted write; `future` gets the rows' offsets when they are committed.

    `patient`: wait through an outage instead of failing with `Unavailable`.
    """

    __slots__ = ("commits", "future", "loop", "patient", "rows", "size")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rows: Sequence[Row],
        commits: Sequence[Commit],
        *,
        patient: bool,
    ) -> None:
        self.loop = loop
        self.future: asyncio.Future[list[int]] = loop.create_future()
        self.rows = rows
        self.commits = commits
        self.patient = patient
        self.size = sum(len(r.value or b"") + len(r.key or b"") + 64 for r in rows)


class _Call:
    __slots__ = ("function", "future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[[Store], Any]) -> None:
        self.loop = loop
        self.function = function
        self.future: asyncio.Future[Any] = loop.create_future()


class Bell:
    """Rings in its event loop when one of its lanes has got a record in this process."""

    def __init__(self, writer: "Writer", lanes: Sequence[int]) -> None:
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()
        self.lanes = frozenset(lanes)
        self._writer = writer

    def __enter__(self) -> "Bell":
        self._writer.bells = (*self._writer.bells, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.bells = tuple(b for b in self._writer.bells if b is not self)

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a ring; True if it rang, False after the time-out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.event.wait()
        rang = self.event.is_set()
        self.event.clear()
        return rang


class Writer:
    """Owns the store's writing thread. `submit` and `call` belong to event loops."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.bells: tuple[Bell, ...] = ()
        self._queue: queue.SimpleQueue[Write | _Call | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._submitted = 0
        self._done = 0
        self._outage = Outage(f"the log {path}")
        self._thread = threading.Thread(target=self._run, name="siaga-log-writer", daemon=True)
        self._thread.start()

    @property
    def pending_bytes(self) -> int:
        """Bytes submitted and not yet committed or refused."""
        # Two counters, each written by one thread: no lock needed.
        return self._submitted - self._done

    def submit(
        self, rows: Sequence[Row], commits: Sequence[Commit] = (), *, patient: bool = False
    ) -> asyncio.Future[list[int]]:
        """Queue a write; the future resolves when it is durable.

        Raises
        ------
        Unavailable
            If the log is closed; the future's, if the write failed and is not `patient`.
        """
        if self._closing.is_set():
            raise Unavailable(f"the log {self.store.path} is closed")
        write = Write(asyncio.get_running_loop(), rows, commits, patient=patient)
        self._submitted += write.size
        self._queue.put(write)
        return write.future

    def call(self, function: Callable[[Store], Any]) -> asyncio.Future[Any]:
        """Run a function on the writing thread, in order with the writes.

        Raises
        ------
        Unavailable
            If the log is closed; the future has whatever the function raises.
        """
        if self._closing.is_set():
            raise Unavailable(f"the log {self.store.path} is closed")
        call = _Call(asyncio.get_running_loop(), function)
        self._queue.put(call)
        return call.future

    def close(self) -> None:
        """Commit what is queued, refuse what cannot be, end the thread."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)
        self._thread.join()
        self.store.close()

    # -- the thread

    def _run(self) -> None:
        held: list[Write] = []
        while True:
            item: Write | _Call | None
            if held:
                # An outage: try again soon, sooner if something new comes (it may be a close).
                try:
                    item = self._queue.get(timeout=RETRY_SECONDS)
                except queue.Empty:
                    held = self._commit(held)
                    continue
            else:
                item = self._queue.get()
                if isinstance(item, Write) and item.patient:
                    time.sleep(LINGER_SECONDS)
            group = held
            held = []
            size = rows = 0
            while isinstance(item, Write):
                group.append(item)
                size += item.size
                rows += len(item.rows)
                if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            if group:
                held = self._commit(group)
            if item is None:
                closed = Unavailable(f"the log {self.store.path} closed before it could write")
                self._settle([(w, closed) for w in held])
                return
            if isinstance(item, _Call):
                self._answer(item)

    def _commit(self, group: list[Write]) -> list[Write]:
        """Write a group; returns the patient writes that have to wait."""
        try:
            offsets = self.store.write(
                [row for w in group for row in w.rows], [c for w in group for c in w.commits]
            )
        except Unavailable as e:
            self._outage.begin(e)
            self._settle([(w, e) for w in group if not w.patient])
            return [w for w in group if w.patient]
        except Exception as e:  # noqa: BLE001 - whatever it is belongs to those who wait for it
            self._settle([(w, e) for w in group])
            return []
        self._outage.end()
        results: list[tuple[Write, list[int] | Exception]] = []
        at = 0
        for w in group:
            results.append((w, offsets[at : at + len(w.rows)]))
            at += len(w.rows)
        self._settle(results, {row.lane for w in group for row in w.rows})
        return []

    def _settle(
        self,
        results: Sequence[tuple[Write, list[int] | Exception]],
        lanes: set[int] | frozenset[int] = frozenset(),
    ) -> None:
        self._done += sum(w.size for w, _ in results)
        by_loop: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
        for w, result in results:
            by_loop.setdefault(w.loop, []).append(_settler(w.future, result))
        for bell in self.bells:
            if not bell.lanes.isdisjoint(lanes):
                by_loop.setdefault(bell.loop, []).append(bell.event.set)
        for loop, callbacks in by_loop.items():
            # A closed loop has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_all, callbacks)

    def _answer(self, call: _Call) -> None:
        result: Any
        try:
            result = call.function(self.store)
        except Exception as e:  # noqa: BLE001 - handed to the caller
            result = e
        with contextlib.suppress(RuntimeError):
            call.loop.call_soon_threadsafe(_settler(call.future, result))


def _settler(future: asyncio.Future[Any], result: Any) -> Callable[[], None]:
    def settle() -> None:
        if future.done():  # its waiter was cancelled
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    return settle


def _all(callbacks: Sequence[Callable[[], None]]) -> None:
    for callback in callbacks:
        callback()


_shared: dict[Path, tuple[Writer, int]] = {}
_shared_lock = threading.Lock()


def acquire(path: Path) -> Writer:
    """Return the process's one writer of a file; pair each call with `release`."""
    key = path.absolute()
    with _shared_lock:
        writer, users = _shared.get(key) or (Writer(key), 0)
        _shared[key] = (writer, users + 1)
        return writer


def release(writer: Writer) -> None:
    """Let go; the last one closes the file."""
    key = writer.store.path
    with _shared_lock:
        _, users = _shared[key]
        if users > 1:
            _shared[key] = (writer, users - 1)
            return
        del _shared[key]
        # Inside the lock: nobody may open the file anew before it is closed.
        writer.close()
