"""What is asked of every connector, polled, streaming or delivered to."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar, cast

import pytest

from connectors.contract import (
    BadItem,
    Connector,
    Context,
    Item,
    Page,
    PushConnector,
)
from connectors.ingest.door import REASONS

T = TypeVar("T")

LABEL = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
"""The wall clock of the suite."""

MAX_PAGES = 10_000
"""Most that the kit reads of a source that should have come to its end."""
DELIVERIES = 20
"""Stops for each delivery before it counts as lost."""


class ConnectorSuite:
    """What every connector promises. Subclass it, name the class `Test...`, and run pytest."""

    expected_ids: ClassVar[tuple[str, ...] | None] = None
    """Native ids of all items that the recorded source holds, in any order; None: not checked."""

    overlap: ClassVar[bool] = False
    """True for a source that reads a closed range again, since its order is not strict: its pages
    may repeat items, which the stream drops by id."""

    secrets: ClassVar[tuple[str, ...]] = ()
    """Values (tokens, keys) that may never appear in a log line or an error."""

    environ: ClassVar[Mapping[str, str]] = {}
    """Environment variables that the connector reads."""

    finite: ClassVar[bool] = True
    """False for a pushed source that never ends: it is read until `expected_ids` are there."""

    delivered: ClassVar[bool] = False
    """True for a source that others deliver to (webhooks): no cursor but its senders keep the
    place, and what was not acknowledged comes again. It is never `finite`."""

    patience_s: ClassVar[float] = 3.0
    """How long a source that never ends is listened to for what may still come."""

    limit_s: ClassVar[float] = 30.0
    """A connector that hangs fails its test after so long, instead of holding the suite for ever.
    Raise it for a slow one; the service's own limit is `timeout_s` of the source."""

    def connector(self, context: Context) -> Connector | PushConnector:
        """Return a new connector over the recorded source."""
        raise NotImplementedError("give the suite a connector over recorded pages")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Run what the connector talks to (a server, a sender) while something is read.

        It runs in the event loop of the connector and begins anew with each story of a test: what
        a sender still has to deliver is its own local variable.
        """
        yield

    # ---- what the tests use

    def context(self, **values: Any) -> Context:
        """Return the world that the connector sees."""
        return Context(**{"name": "kit", "environ": self.environ, "now": lambda: NOW, **values})

    def made(self, context: Context | None = None) -> Connector | PushConnector:
        """Return a new connector."""
        return self.connector(context or self.context())

    async def pages(
        self,
        cursor: str | None = None,
        *,
        most: int = MAX_PAGES,
        wanted: Collection[str] | None = None,
    ) -> list[Page]:
        """Read on from a cursor until the source is drained, or for so many pages.

        One that never ends is read until the `wanted` ids (None: all that are expected) are there.
        """
        connector = self.made()
        try:
            if hasattr(connector, "fetch"):
                return await polled(cast("Connector", connector), cursor, most)
            return await self._pushed(connector, cursor, most, wanted)
        finally:
            await connector.close()

    async def _pushed(
        self,
        connector: PushConnector,
        cursor: str | None,
        most: int,
        wanted: Collection[str] | None = None,
    ) -> list[Page]:
        found: list[Page] = []
        missing = set(wanted if wanted is not None else self.expected_ids or ())
        stream = cast("AsyncGenerator[Page, None]", connector.stream(cursor))
        safe = False
        try:
            limit_s = 10.0 if self.finite else self.patience_s
            async with asyncio.timeout(limit_s) as limit, aclosing(stream) as pages:
                async for page in pages:
                    found.append(page)
                    missing -= {i.native_id for i in page.items if isinstance(i, Item)}
                    # In a delivery's silence heartbeats come at the beat of who sends again.
                    counted = [p for p in found if p.items] if self.delivered else found
                    if page.ended or len(counted) >= most or safe:
                        break
                    if self.finite:
                        continue
                    if page.items:
                        limit.reschedule(asyncio.get_running_loop().time() + self.patience_s)
                    if not missing and not self.delivered:
                        break
                    # To ask for one more page is to say that this one is on the log.
                    safe = not missing
        except TimeoutError:
            if self.finite:
                raise
        return found

    def _run(self, story: Coroutine[Any, Any, T]) -> T:
        async def limited() -> T:
            try:
                async with asyncio.timeout(self.limit_s) as limit, self.serving():
                    return await story
            except TimeoutError:
                assert not limit.expired(), f"the connector hangs: nothing within {self.limit_s} s"
                raise

        return asyncio.run(limited())

    # ---- the promises

    def test_name_is_label_safe(self) -> None:
        """The type names a metric label and a table of the configuration."""
        kind = type(self.made()).Settings.model_fields["type"].default
        assert isinstance(kind, str), "Settings.type needs a default: Literal['name'] = 'name'"
        assert LABEL.match(kind), f"{kind!r} is no label: lower case, digits, - and _ only"

    def test_times_are_aware(self) -> None:
        """A local time without zone is hours wrong as soon as the server moves."""
        for item in items_of(self._run(self.pages())):
            assert item.published_at.utcoffset() is not None, f"naive time in {item.native_id}"

    def test_times_are_the_sources_own(self) -> None:
        """A skewed clock of this machine must not move the items' times."""
        there = {
            (i.native_id, i.revision): i.published_at for i in items_of(self._run(self.pages()))
        }
        ahead = self.context(now=lambda: NOW + timedelta(hours=7))
        skewed = self._run(self._with(ahead))
        moved = [k for k, at in skewed.items() if k in there and there[k] != at]
        assert not moved, f"times follow this machine's clock: {moved[:3]}"

    def test_ids_are_unique_and_stable(self) -> None:
        """The id is what a repeat is known by: it may never depend on position or time."""
        once = [(i.native_id, i.revision) for i in items_of(self._run(self.pages()))]
        again = [(i.native_id, i.revision) for i in items_of(self._run(self.pages()))]
        assert all(native_id for native_id, _ in once), "an item without id"
        assert self.overlap or len(set(once)) == len(once), "an id came twice"
        assert once == again, "the ids changed from one reading to the next"

    def test_all_expected_items_come(self) -> None:
        """Nothing of the recorded source is swallowed."""
        if self.expected_ids is None:
            pytest.skip("the suite names no expected_ids")
        found = {i.native_id for i in items_of(self._run(self.pages()))}
        assert found == set(self.expected_ids)

    def test_resuming_at_every_page_boundary_loses_and_repeats_nothing(self) -> None:
        """A new process that knows only a cursor goes on with the very next item."""

        async def story() -> None:
            whole = await self.pages()
            everything = set(self.expected_ids or (i.native_id for i in items_of(whole)))
            seen: set[tuple[str, int]] = set()
            for n, page in enumerate(whole[:-1], start=1):
                seen |= keys_of([page])
                due = everything - {i for i, _ in seen}
                rest = keys_of(await self.pages(page.cursor, wanted=due))
                lost = everything - {i for i, _ in seen | rest}
                assert not lost, f"resuming after page {n} loses {sorted(lost)[:3]}"
                repeated = set() if self.overlap else rest & seen
                assert not repeated, f"resuming after page {n} repeats {sorted(repeated)[:3]}"

        self._run(self._delivered() if self.delivered else story())

    async def _delivered(self) -> None:
        """Stop after each page, when the log has the one before it and not the last one."""
        missing = set(self.expected_ids or ())
        acknowledged: set[tuple[str, int]] = set()
        # A page may be a mere heartbeat, and a sender waits before it sends again.
        for _ in range(DELIVERIES * (len(missing) + 1)):
            if missing <= {i for i, _ in acknowledged}:
                return
            pages = await self.pages(most=2)
            repeated = acknowledged & keys_of(pages)
            assert not repeated, f"the senders of {sorted(repeated)[:3]} were not told"
            acknowledged |= keys_of(pages[:-1])
        lost = missing - {i for i, _ in acknowledged}
        assert not lost, f"the senders of {sorted(lost)[:3]} were told before the log had them"

    def test_drained_is_stable(self) -> None:
        """Asking again when there is nothing new gives nothing and keeps the place."""

        async def story() -> None:
            last = (await self.pages())[-1]
            for _ in range(2):
                again = await self.pages(last.cursor, most=2)
                assert not items_of(again), "items came again after the end"
                if again:  # a stream may have nothing to say at all
                    assert not again[-1].more, "a drained source asks to be fetched again at once"
                    last = again[-1]

        self._run(story())

    def test_bad_items_name_a_known_reason(self) -> None:
        """Reasons are a metric label: a closed set."""
        for page in self._run(self.pages()):
            for item in page.items:
                if isinstance(item, BadItem):
                    assert item.reason in REASONS, f"{item.reason!r} is none of {REASONS}"

    def test_closing_twice_is_harmless(self) -> None:
        """Also when it was never used."""

        async def story() -> None:
            unused = self.made()
            await unused.close()
            await unused.close()

        self._run(story())

    def test_two_connectors_do_not_share_state(self) -> None:
        """Many sources of one type live in one process."""
        first = items_of(self._run(self.pages()))
        second = items_of(self._run(self.pages()))
        assert [i.native_id for i in first] == [i.native_id for i in second]

    def test_secrets_are_never_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """Neither by `repr` nor in the log."""
        caplog.set_level(logging.DEBUG)
        connector = self.made()
        self._run(self.pages())
        told = repr(connector) + caplog.text
        self.no_secret(told)

    def no_secret(self, told: str) -> None:
        """Fail if a text holds a secret."""
        for secret in self.secrets:
            assert secret not in told, "a secret was told"

    async def _with(self, context: Context) -> dict[tuple[str, int], datetime]:
        connector = self.made(context)
        try:
            if hasattr(connector, "fetch"):
                pages = await polled(cast("Connector", connector), None, MAX_PAGES)
            else:
                pages = await self._pushed(connector, None, MAX_PAGES)
        finally:
            await connector.close()
        return {(i.native_id, i.revision): i.published_at for i in items_of(pages)}


async def polled(connector: Connector, cursor: str | None, most: int) -> list[Page]:
    """Fetch from a cursor on until the source is drained, or for so many pages."""
    found: list[Page] = []
    while len(found) < most:
        page = await connector.fetch(cursor)
        assert page.cursor != cursor or not page.more, (
            "more is promised but the cursor stands still"
        )
        found.append(page)
        cursor = page.cursor
        if page.ended or not page.more:
            return found
    return found


def items_of(pages: list[Page]) -> list[Item]:
    """Return the items of pages, in order."""
    return [i for page in pages for i in page.items if isinstance(i, Item)]


def keys_of(pages: list[Page]) -> set[tuple[str, int]]:
    """Return what repeats are known by."""
    return {(i.native_id, i.revision) for i in items_of(pages)}
