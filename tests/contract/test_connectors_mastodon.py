"""Mastodon against a server written from its documentation: polled, streamed, and fuzzed."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_http import serving
from mastodon_server import MastodonServer, snowflake, status
from sources import drained, items, json_values, perhaps_cut

from connectors.contract import LAST_REVISION, BadItem, Context, Fatal, Item, Page, Retryable
from connectors.sources.mastodon import streaming
from connectors.sources.mastodon.polling import MastodonConnector, PollSettings
from connectors.sources.mastodon.statuses import deletion, parse
from connectors.sources.mastodon.streaming import MastodonStreamConnector, StreamSettings
from connectors.sources.mastodon.timelines import Place
from connectors.testkit import NOW, HttpConnectorSuite, Recorded, Server

VARIABLE = "TOOT"
TOKEN = "t0ken-of-sari"  # noqa: S105  # a fixture
T0 = NOW - timedelta(minutes=50)


def posts(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    return [status(T0 + timedelta(seconds=n), f"kopi {n}") for n in range(start, start + count)]


class TestMastodon(HttpConnectorSuite):
    """The kit, over two hashtags of several pages."""

    tags: ClassVar[dict[str, list[dict[str, Any]]]] = {
        "kopi": posts(95),
        "teh": posts(7, start=200),
    }
    expected_ids = tuple(s["id"] for found in tags.values() for s in found)
    secrets = (TOKEN,)
    environ: ClassVar[dict[str, str]] = {VARIABLE: TOKEN}

    def server(self) -> Server:
        return MastodonServer(tags=dict(self.tags), token=TOKEN)

    def connector(self, context: Context) -> MastodonConnector:
        settings = PollSettings(
            url="https://toot.example", hashtags=("kopi", "#Teh"), overlap_s=0, token_env=VARIABLE
        )
        return MastodonConnector(settings, context)


def poller(server: MastodonServer, **values: Any) -> MastodonConnector:
    settings = PollSettings(**{"url": "https://toot.example", "hashtags": ("kopi",), **values})
    context = Context("m", transport=Recorded(server), now=lambda: NOW)
    return MastodonConnector(settings, context)


def test_a_status_becomes_an_item_with_text_account_and_spread() -> None:
    found = status(
        T0,
        'Kopi <a href="https://toot.example/tags/tokoraya">#<span>tokoraya</span></a> basi<br/>'
        'lihat <a href="https://a.example/x"><span class="invisible">https://</span>'
        '<span class="ellipsis">a.example</span><span class="invisible">/x</span></a>',
        spoiler_text="keluhan",
        acct="budi@jauh.example",
        in_reply_to_id="41",
        edited_at="2025-06-01T11:30:00.250Z",
    )
    item = parse(json.dumps(found).encode(), host="toot.example")
    assert isinstance(item, Item)
    assert item.text == "keluhan\nKopi #tokoraya basi\nlihat https://a.example/x"
    assert (item.author, item.in_reply_to, item.lang) == ("budi@jauh.example", "41", "id")
    assert item.revision == 1_748_777_400_250
    counted = item.engagement
    assert (counted.likes, counted.replies, counted.reposts, counted.followers) == (3, 1, 2, 12)
    assert counted.account_days == 10
    odd = json.dumps(found | {"account": {"acct": "sari", "created_at": "long ago"}}).encode()
    assert parse(odd, host="toot.example").engagement.account_days == 0  # type: ignore[union-attr] # an item


def test_an_account_of_the_asked_server_is_named_with_its_host() -> None:
    item = parse(json.dumps(status(T0, "halo")).encode(), host="toot.example")
    assert isinstance(item, Item)
    assert item.author == "sari@toot.example"


@pytest.mark.parametrize("visibility", ["private", "direct"])
def test_letters_to_people_are_not_collected(visibility: str) -> None:
    raw = json.dumps(status(T0, "rahasia", visibility=visibility)).encode()
    assert parse(raw, host="toot.example") is None


def test_a_status_that_federates_late_is_found_within_the_overlap() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(3)})
        connector = poller(server, overlap_s=300)
        first = await drained(connector)
        late = status(T0 - timedelta(minutes=2), "kopi dari jauh", acct="a@jauh.example")
        server.tags["kopi"].append(late)
        again = await drained(connector, first[-1].cursor)
        assert [i.native_id for i in items(again)] == [late["id"]]  # and nothing twice
        await connector.close()

    asyncio.run(story())


def test_an_edit_within_the_overlap_comes_as_a_revision_of_the_same_id() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(3)})
        connector = poller(server)
        first = await drained(connector)
        edited = server.tags["kopi"][1]
        edited |= {"content": "<p>kopi enak</p>", "edited_at": "2025-06-01T11:55:00.000Z"}
        again = items(await drained(connector, first[-1].cursor))
        assert [(i.native_id, i.text) for i in again] == [(edited["id"], "kopi enak")]
        assert again[0].revision > 0
        assert again[0].published_at == items(first)[1].published_at
        await connector.close()

    asyncio.run(story())


def test_the_first_reading_goes_back_as_far_as_configured() -> None:
    async def story() -> None:
        old = status(NOW - timedelta(hours=3), "kopi lama")
        server = MastodonServer(tags={"kopi": [old, *posts(2)]})
        assert len(items(await drained(poller(server)))) == 2
        assert len(items(await drained(poller(server, since_minutes=600)))) == 3
        assert len(items(await drained(poller(server, since_minutes=0)))) == 3
        reset = poller(server).cursor_at(NOW - timedelta(hours=4))
        assert len(items(await drained(poller(server), reset))) == 3

    asyncio.run(story())


@pytest.mark.parametrize(("public", "found"), [("all", 3), ("local", 2), ("remote", 1)])
def test_public_timelines_are_asked_for_by_their_documented_parameters(
    public: str, found: int
) -> None:
    async def story() -> None:
        remote = status(T0, "kopi", serial=9, acct="a@jauh.example")
        server = MastodonServer(public=[*posts(2), remote])
        got = await drained(poller(server, hashtags=(), public=public))
        assert len(items(got)) == found

    asyncio.run(story())


def test_a_hashtag_that_nobody_used_yet_is_empty_and_a_server_of_another_kind_is_fatal() -> None:
    async def story() -> None:
        assert items(await drained(poller(MastodonServer()))) == []
        with pytest.raises(Fatal, match="check url"):
            await poller(cast("Any", lambda _: httpx.Response(404, text="<html>"))).fetch(None)

    asyncio.run(story())


def test_a_spent_rate_limit_waits_until_its_reset() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(3)}, calls_left=0)
        with pytest.raises(Retryable) as caught:
            await poller(server).fetch(None)
        assert caught.value.after_s == 300

    asyncio.run(story())


def test_one_unreadable_status_is_a_dead_letter_and_the_others_come() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(3)})
        server.tags["kopi"][1]["created_at"] = "kemarin"
        connector = poller(server)
        first = await drained(connector)
        bad = [i for p in first for i in p.items if isinstance(i, BadItem)]
        assert [b.origin for b in bad] == [server.tags["kopi"][1]["id"]]
        assert len(items(first)) == 2
        again = await drained(connector, first[-1].cursor)
        assert [i for p in again for i in p.items] == []

    asyncio.run(story())


# ---- the stream


def streamer(address: str, **values: Any) -> MastodonStreamConnector:
    settings = StreamSettings(
        **{"url": f"http://{address}", "hashtags": ("kopi",), "allow_private": True, **values}
    )
    context = Context("m", environ={"MASTODON_TOKEN": TOKEN}, now=lambda: NOW)
    return MastodonStreamConnector(settings, context)


async def read(
    pages: AsyncGenerator[Page, None], count: int, cursor: list[str | None] | None = None
) -> list[Item]:
    """Read pages until so many items have come."""
    found: list[Item] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            page = await anext(pages)
            found += items([page])
            if cursor is not None:
                cursor[:] = [page.cursor]
    return found


def opened(connector: MastodonStreamConnector, cursor: str | None = None) -> Any:
    return aclosing(cast("AsyncGenerator[Page, None]", connector.stream(cursor)))


def test_the_stream_gives_new_statuses_edits_and_deletions_in_order() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(2)}, token=TOKEN)
        async with serving(server.app()) as address:
            connector = streamer(address)
            async with opened(connector) as pages:
                assert len(await read(pages, 2)) == 2  # the gap, by polling
                new = status(NOW, "kopi baru")
                where = ["hashtag", "kopi"]
                await server.tell(where, "update", new)
                await server.tell(where, "filters_changed")
                edit = {**new, "content": "<p>kopi</p>", "edited_at": "2025-06-01T12:01:00Z"}
                await server.tell(where, "status.update", edit)
                await server.tell(where, "delete", new["id"])
                created, edited, deleted = await read(pages, 3)
            assert [created.native_id, edited.native_id] == [new["id"]] * 2
            assert 0 < edited.revision < deleted.revision == LAST_REVISION
            assert deleted.deleted
            assert deleted.published_at == created.published_at
            wanted = {"type": "subscribe", "stream": "hashtag", "tag": "kopi"}
            assert server.subscriptions == [wanted]
            assert all(TOKEN not in str(r.url) for r in server.requests)
            await connector.close()

    asyncio.run(story())


def test_what_was_posted_while_disconnected_is_polled_and_nothing_comes_twice() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(1)}, token=TOKEN)
        async with serving(server.app()) as address:
            connector = streamer(address)
            cursor: list[str | None] = [None]
            async with opened(connector) as pages:
                await read(pages, 1, cursor)
                live = status(NOW - timedelta(minutes=2), "kopi hidup")
                server.tags["kopi"].append(live)
                await server.tell(["hashtag", "kopi"], "update", live)
                await read(pages, 1, cursor)
                for socket in list(server.sockets):
                    await socket.close(1012)
                with pytest.raises(Retryable, match="code 1012"):
                    await read(pages, 1)
            missed = status(NOW - timedelta(minutes=1), "kopi terlewat")
            server.tags["kopi"].append(missed)
            async with opened(connector, cursor[0]) as pages:
                assert [i.native_id for i in await read(pages, 1)] == [missed["id"]]
            await connector.close()
            # Another process knows the cursor only: it may repeat, it may not lose.
            other = streamer(address, overlap_s=0)
            async with opened(other, cursor[0]) as pages:
                assert [i.native_id for i in await read(pages, 1)] == [missed["id"]]
            await other.close()

    asyncio.run(story())


def test_events_that_came_before_the_connection_broke_are_not_lost() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(1)}, token=TOKEN)
        async with serving(server.app()) as address:
            connector = streamer(address)
            async with opened(connector) as pages:
                first = await read(pages, 1)
                await server.tell(["hashtag", "kopi"], "delete", first[0].native_id)
                for socket in list(server.sockets):
                    await socket.close(1012)
                assert (await read(pages, 1))[0].deleted
            await connector.close()

    asyncio.run(story())


def test_a_refused_token_is_fatal_and_never_told() -> None:
    async def story() -> None:
        server = MastodonServer(token=TOKEN[::-1])
        async with serving(server.app()) as address:
            connector = streamer(address)
            with pytest.raises(Fatal) as caught:
                async with opened(connector) as pages:
                    await anext(pages)
            assert TOKEN not in str(caught.value)
            await connector.close()

    asyncio.run(story())


def test_silence_is_a_page_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.05)

    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(1)}, token=TOKEN)
        async with serving(server.app()) as address:
            connector = streamer(address)
            async with asyncio.timeout(5), opened(connector) as pages:
                got = [await anext(pages) for _ in range(6)]
            assert got[-1] == got[-2]  # empty, with the same cursor
            assert got[-1].items == ()
            await connector.close()

    asyncio.run(story())


def test_a_stream_in_a_private_network_needs_the_operators_word() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": []}, token=TOKEN)
        async with serving(server.app()) as address:
            connector = streamer(address, allow_private=False)
            with pytest.raises(Fatal, match="allow_private"):
                async with opened(connector) as pages:
                    await anext(pages)
            await connector.close()

    asyncio.run(story())


def test_the_streaming_host_is_the_one_that_the_server_names() -> None:
    async def story() -> None:
        server = MastodonServer(tags={"kopi": posts(1)}, token=TOKEN)
        async with serving(server.app()) as front, serving(server.app()) as back:
            server.streaming = f"ws://{back}"
            connector = streamer(front)
            async with opened(connector) as pages:
                await read(pages, 1)
                assert [s.url.netloc for s in server.sockets] == [back]
            await connector.close()

    asyncio.run(story())


# ---- whatever comes


@st.composite
def spoiled_statuses(draw: st.DrawFn) -> bytes:
    found = status(T0, "kopi")
    for key in draw(st.lists(st.sampled_from(sorted(found)), max_size=3)):
        found[key] = draw(json_values)
    return perhaps_cut(draw, found)


@given(st.binary(max_size=200) | spoiled_statuses())
def test_whatever_comes_as_a_status_is_an_item_a_dead_letter_or_not_public(raw: bytes) -> None:
    found = parse(raw, host="toot.example")
    assert found is None or isinstance(found, Item | BadItem)


@given(st.binary(max_size=200) | st.text(max_size=200) | json_values.map(json.dumps))
def test_whatever_comes_by_the_stream_is_an_event_or_a_dead_letter(message: str | bytes) -> None:
    connector = streamer("toot.example")
    event = streaming.read_event(message)
    assert isinstance(event, streaming.Event | BadItem)
    found, _ = connector._take([event], Place())
    assert all(isinstance(i, Item | BadItem) for i in found)


@given(st.integers(1_451_606_400_000, 3_786_912_000_000))
def test_an_id_tells_its_time_to_the_millisecond(ms: int) -> None:
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
    told = deletion(snowflake(at), published_at=None)
    assert isinstance(told, Item)
    assert told.published_at == at
