"""Bluesky against a Jetstream written from its documentation: positions, gaps, changes of host."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any, cast
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from jetstream_server import EPOCH, US, Happening, Jetstream, tid
from sources import json_values, perhaps_cut

from connectors.contract import LAST_REVISION, BadItem, Context, Fatal, Item, Page, Retryable
from connectors.sources.bluesky import source
from connectors.sources.bluesky.events import (
    Event,
    Read,
    read_new,
    read_old,
    time_us,
)
from connectors.sources.bluesky.source import BlueskyConnector, BlueskySettings
from connectors.testkit import NOW, ConnectorSuite

T0 = NOW - timedelta(minutes=10)
LATER = timedelta(seconds=1)


def posts(count: int, *, start: int = 0) -> list[Happening]:
    return [Happening(T0 + n * LATER, f"kopi {n}") for n in range(start, start + count)]


def connector(*hosts: Jetstream | str, **values: Any) -> BlueskyConnector:
    addresses = tuple(h if isinstance(h, str) else h.address for h in hosts)
    given_values = {"hosts": addresses, "tls": False, "allow_private": True, **values}
    return BlueskyConnector(BlueskySettings(**given_values), Context("sky", now=lambda: NOW))


def opened(made: BlueskyConnector, cursor: str | None = None) -> Any:
    return aclosing(cast("AsyncGenerator[Page, None]", made.stream(cursor)))


async def pages(
    made: BlueskyConnector, count: int, cursor: str | None = None
) -> tuple[list[Page], list[Item]]:
    """Read pages until so many items came."""
    got: list[Page] = []
    found: list[Item] = []
    async with asyncio.timeout(10), opened(made, cursor) as stream:
        while len(found) < count:
            got.append(await anext(stream))
            found += [i for i in got[-1].items if isinstance(i, Item)]
    return got, found


class TestBluesky(ConnectorSuite):
    """The kit, over one host of several pages."""

    happened = tuple(posts(10))
    expected_ids = tuple(f"at://{h.did}/{h.collection}/{tid(h.at)}" for h in happened)
    finite = False
    address = "127.0.0.1:1"

    def connector(self, context: Context) -> BlueskyConnector:
        given_values = {"hosts": (self.address,), "tls": False, "allow_private": True}
        return BlueskyConnector(BlueskySettings(**given_values, since_minutes=600), context)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        small = {"PAGE_EVENTS": 3, "HEARTBEAT_S": 0.05, "GATHER_S": 0.02}
        async with Jetstream(list(self.happened)).running() as host:
            self.address = host.address
            with patch.multiple(source, **small):
                yield


def texts(found: list[Item]) -> list[str]:
    return [i.text for i in found]


def from_start() -> str:
    return json.dumps({"us": (T0 - EPOCH) // US - 1})


def test_posts_edits_and_deletions_keep_one_id_and_one_time() -> None:
    async def story() -> None:
        made = Happening(T0, "kopi basi")
        key = tid(T0)
        edited = Happening(T0 + LATER, "kopi enak", operation="update", rkey=key)
        gone = Happening(T0 + 2 * LATER, operation="delete", rkey=key)
        async with Jetstream([made, edited, gone]).running() as host:
            _, found = await pages(connector(host), 3, from_start())
        assert {i.native_id for i in found} == {f"at://{made.did}/app.bsky.feed.post/{key}"}
        assert {i.published_at for i in found} == {T0}
        assert [i.text for i in found] == ["kopi basi", "kopi enak", ""]
        assert found[0].revision == 0 < found[1].revision < found[2].revision == LAST_REVISION
        assert found[2].deleted
        assert found[0].url == f"https://bsky.app/profile/{made.did}/post/{key}"
        assert (found[0].author, found[0].lang) == (made.did, "id")

    asyncio.run(story())


@pytest.mark.parametrize("wire", ["subscribeEvents", "subscribe"])
def test_only_posts_are_asked_for_by_the_parameters_of_each_wire(wire: str) -> None:
    async def story() -> None:
        like = Happening(T0, collection="app.bsky.feed.like")
        name = Happening(T0, kind="identity")
        async with Jetstream([like, name, *posts(2, start=1)]).running() as host:
            _, found = await pages(connector(host, wire=wire), 2, from_start())
        assert texts(found) == ["kopi 1", "kopi 2"]
        asked = host.paths[0]
        if wire == "subscribe":
            assert asked.startswith("/subscribe?wantedCollections=app.bsky.feed.post&cursor=")
        else:
            assert "kinds=commit&collections=app.bsky.feed.post&cursor=" in asked

    asyncio.run(story())


def test_the_same_host_goes_on_exactly_at_its_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PAGE_EVENTS", 3)  # many page boundaries

    async def story() -> None:
        async with Jetstream(posts(12)).running() as host:
            got, whole = await pages(connector(host), 12, from_start())
            assert len(got) >= 4
            for n, page in enumerate(got[:-1]):
                expected = texts([i for p in got[n + 1 :] for i in cast("Any", p.items)])
                _, rest = await pages(connector(host), len(expected), page.cursor)
                assert texts(rest) == expected
        assert texts(whole) == [f"kopi {n}" for n in range(12)]

    asyncio.run(story())


def test_another_host_is_asked_by_time_and_rewound() -> None:
    async def story() -> None:
        happened = posts(30)
        async with (
            Jetstream(list(happened)).running() as first,
            Jetstream(list(happened), first_seq=7_000).running() as second,
        ):
            got, _ = await pages(connector(first), 30, from_start())
            await first.happen(*posts(5, start=30))
            await second.happen(*posts(5, start=30))
            moved = connector(second, rewind_s=10)
            _, found = await pages(moved, 16, got[-1].cursor)
            asked = int(second.paths[0].rpartition("cursor=")[2])
            last = (T0 + 29 * LATER - EPOCH) // US
            assert asked == last - 10_000_000
            assert texts(found) == [f"kopi {n}" for n in range(19, 35)]  # ten seconds again

    asyncio.run(story())


def test_a_host_that_does_not_answer_gives_way_to_the_next() -> None:
    async def story() -> None:
        busy = Jetstream(posts(3), refuse=503)
        async with busy.running(), Jetstream(posts(3)).running() as well:
            made = connector(busy, well)
            with pytest.raises(Retryable):
                await pages(made, 1, from_start())
            _, found = await pages(made, 3, from_start())
            assert len(found) == 3

    asyncio.run(story())


def test_a_position_that_is_too_old_is_asked_by_time_and_the_loss_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    async def story() -> None:
        async with Jetstream(posts(20)).running() as host:
            made = connector(host)
            got, _ = await pages(made, 20, from_start())
            old = next(p.cursor for p in got if p.items)
            early = json.dumps({**json.loads(old or ""), "seq": 2, "us": (T0 - EPOCH) // US})
            host.floor = 10
            with pytest.raises(Retryable, match="position") as caught:
                await pages(made, 1, early)
            assert caught.value.after_s == 0
            _, found = await pages(made, 11, early)
            assert texts(found) == [f"kopi {n}" for n in range(9, 20)]
        assert "posts from 2025-06-01 11:50:00 to 2025-06-01 11:50:09 UTC are lost" in caplog.text

    asyncio.run(story())


def test_a_host_with_a_new_archive_is_asked_by_time() -> None:
    async def story() -> None:
        async with Jetstream(posts(5)).running() as host:
            made = connector(host)
            cursor = json.dumps(
                {"host": host.address, "seq": 900_000, "us": (T0 + 2 * LATER - EPOCH) // US}
            )
            with pytest.raises(Retryable, match="asking by time"):
                await pages(made, 1, cursor)
            _, found = await pages(made, 5, cursor)
            assert texts(found)[-1] == "kopi 4"

    asyncio.run(story())


def test_a_break_goes_on_where_it_stood_and_loses_nothing() -> None:
    async def story() -> None:
        async with Jetstream(posts(4)).running() as host:
            made = connector(host)
            got, found = await pages(made, 4, from_start())
            cursor = got[-1].cursor
            async with asyncio.timeout(5), opened(made, cursor) as stream:
                await host.happen(*posts(2, start=4))
                page = await anext(stream)
                while not page.items:
                    page = await anext(stream)
                found += cast("Any", page.items)
                await host.drop_clients()
                with pytest.raises(Retryable, match="code 1012"):
                    await anext(stream)
            await host.happen(*posts(2, start=6))
            _, rest = await pages(made, 8 - len(found), page.cursor)
            assert texts(found + rest) == [f"kopi {n}" for n in range(8)]

    asyncio.run(story())


def test_an_error_frame_is_retryable_by_its_name() -> None:
    async def story() -> None:
        async with Jetstream(posts(1), error="ConsumerTooSlow").running() as host:
            with pytest.raises(Retryable, match="ConsumerTooSlow"):
                await pages(connector(host), 5, from_start())

    asyncio.run(story())


@pytest.mark.parametrize(("status", "kind"), [(503, Retryable), (429, Retryable), (403, Fatal)])
def test_refused_handshakes_are_judged_like_requests(status: int, kind: type[Exception]) -> None:
    async def story() -> None:
        async with Jetstream(refuse=status).running() as host:
            with pytest.raises(kind):
                await pages(connector(host), 1)

    asyncio.run(story())


def test_a_host_of_another_version_is_fatal_and_says_what_to_set() -> None:
    async def story() -> None:
        async with Jetstream(refuse=404).running() as host:
            with pytest.raises(Fatal, match="wire = 'subscribe'"):
                await pages(connector(host), 1)
            with pytest.raises(Fatal, match="wire = 'subscribeEvents'"):
                await pages(connector(host, wire="subscribe"), 1)

    asyncio.run(story())


def test_without_a_cursor_only_what_comes_next_is_read() -> None:
    async def story() -> None:
        async with Jetstream(posts(3)).running() as host:
            made = connector(host)
            async with asyncio.timeout(10), opened(made) as stream:
                reading = asyncio.ensure_future(anext(stream))
                await host.connected.wait()
                await host.happen(*posts(1, start=3))
                page = await reading
            assert texts(cast("Any", list(page.items))) == ["kopi 3"]

    asyncio.run(story())


def test_since_minutes_and_a_reset_go_back_by_time() -> None:
    async def story() -> None:
        async with Jetstream(posts(20)).running() as host:
            _, found = await pages(connector(host, since_minutes=9.75), 5)
            assert texts(found)[0] == "kopi 15"
            reset = connector(host).cursor_at(T0 + 18 * LATER)
            _, found = await pages(connector(host), 2, reset)
            assert texts(found) == ["kopi 18", "kopi 19"]

    asyncio.run(story())


def test_the_watermark_follows_the_stream_while_it_catches_up() -> None:
    async def story() -> None:
        async with Jetstream(posts(3)).running() as host:
            got, _ = await pages(connector(host, lateness_s=30), 3, from_start())
        assert got[-1].watermark == T0 + 2 * LATER - timedelta(seconds=30)

    asyncio.run(story())


def test_a_host_that_falls_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(source, "SILENT_S", 0.15)

    async def story() -> None:
        async with Jetstream(posts(1)).running() as host, Jetstream(posts(2)).running() as other:
            made = connector(host, other)
            async with asyncio.timeout(5), opened(made, from_start()) as stream:
                got = [await anext(stream) for _ in range(4)]
                with pytest.raises(Retryable, match="no post for"):
                    await anext(stream)
            assert got[-1].items == ()
            assert got[-1].cursor == got[0].cursor
            assert got[-1].watermark == got[0].watermark  # silence is no progress
            _, found = await pages(made, 2, got[-1].cursor)
            assert len(found) == 2

    asyncio.run(story())


def test_compressed_frames_are_read_with_the_hosts_own_dictionary() -> None:
    samples: list[Any] = [json.dumps(h.commit()).encode() for h in posts(400)]
    old, new = (zstandard.train_dictionary(4096, samples, dict_id=n) for n in (77, 78))

    async def story() -> None:
        async with Jetstream(posts(5), dictionary=old.as_bytes()).running() as host:
            made = connector(host, compress=True)
            got, found = await pages(made, 5, from_start())
            assert texts(found) == [f"kopi {n}" for n in range(5)]
            assert "zstdDictionary=77" in host.paths[-1]
            host.dictionary = new.as_bytes()  # trained anew: the old one is retired
            with pytest.raises(Retryable, match="new zstd dictionary"):
                await pages(made, 1, got[-1].cursor)
            await host.happen(*posts(1, start=5))
            _, found = await pages(made, 1, got[-1].cursor)
            assert texts(found) == ["kopi 5"]

    asyncio.run(story())


def test_one_unreadable_record_is_a_dead_letter_and_the_next_post_comes() -> None:
    async def story() -> None:
        bad = Happening(T0 + LATER, record={"$type": "app.bsky.feed.post", "text": 7})
        async with Jetstream([*posts(1), bad, *posts(1, start=2)]).running() as host:
            got, found = await pages(connector(host), 2, from_start())
        assert texts(found) == ["kopi 0", "kopi 2"]
        assert len([i for p in got for i in p.items if isinstance(i, BadItem)]) == 1

    asyncio.run(story())


@st.composite
def spoiled(draw: st.DrawFn, wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    commit = Happening(T0, "kopi").commit() | {"seq": 3, "did": "did:plc:x", "witnessedAt": "x"}
    for key in draw(st.lists(st.sampled_from(sorted(commit)), max_size=3)):
        commit[key] = draw(json_values | st.just(commit[key]))
    return perhaps_cut(draw, wrap(commit))


def new_wire(commit: dict[str, Any]) -> dict[str, Any]:
    return {"$type": "message", "payload": {"$type": "x#commit", **commit}}


def old_wire(commit: dict[str, Any]) -> dict[str, Any]:
    return {"did": "did:plc:x", "time_us": 1, "kind": "commit", "commit": commit}


def _is_clean(read: Read, raw: bytes) -> None:
    event = read(raw)
    assert isinstance(event, Event)
    assert event.item is None or isinstance(event.item, Item | BadItem)
    assert time_us(event.time) >= 0


@given(
    st.binary(max_size=200) | json_values.map(lambda v: json.dumps(v).encode()) | spoiled(new_wire)
)
def test_whatever_the_new_wire_brings_is_an_item_or_a_dead_letter(raw: bytes) -> None:
    _is_clean(read_new, raw)


@given(
    st.binary(max_size=200) | json_values.map(lambda v: json.dumps(v).encode()) | spoiled(old_wire)
)
def test_whatever_the_old_wire_brings_is_an_item_or_a_dead_letter(raw: bytes) -> None:
    _is_clean(read_old, raw)


@given(st.text(max_size=100) | st.none())
def test_a_damaged_cursor_starts_over(cursor: str | None) -> None:
    assert isinstance(source.Place.read(cursor), source.Place)
