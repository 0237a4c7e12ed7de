"""YouTube against an API written from its documentation: walks, replies, search, and the budget."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import drained, items, json_values, perhaps_cut
from youtube_server import KEY, Talk, YoutubeServer, comment, video

from connectors import metrics
from connectors.contract import BadItem, Context, Fatal, Item, Retryable
from connectors.sources.youtube.comments import read_comment, read_thread, read_video
from connectors.sources.youtube.quota import Spent, granted, midnight, until_midnight_s
from connectors.sources.youtube.source import YoutubeConnector, YoutubeSettings
from connectors.testkit import NOW, HttpConnectorSuite, Recorded, Server

CHANNEL = "UC" + "k" * 22
VIDEO = "vid00000001"
T0 = NOW - timedelta(hours=6)
MINUTE = timedelta(minutes=1)


def talk(n: int, replies: int = 0, *, prefix: str = "c") -> Talk:
    first = comment(f"{prefix}{n}", T0 + n * MINUTE, f"kopi {n}")
    told = [
        comment(
            f"{prefix}{n}.r{r}",
            T0 + n * MINUTE + (r + 1) * timedelta(seconds=5),
            f"balasan {r}",
            parentId=f"{prefix}{n}",
            authorDisplayName="@tokoraya",
        )
        for r in range(replies)
    ]
    return Talk(first, told)


TALKS = {
    CHANNEL: [*(talk(n) for n in range(17)), talk(17, 3), talk(18, 9)],
    VIDEO: [talk(n, 1, prefix="v") for n in range(4)],
}


class TestYoutube(HttpConnectorSuite):
    """The kit, over a channel of several pages with threads of few and many replies."""

    expected_ids = tuple(
        c["id"] for talks in TALKS.values() for t in talks for c in (t.first, *t.replies)
    )
    secrets = (KEY,)
    environ: ClassVar[dict[str, str]] = {"YOUTUBE_API_KEY": KEY}

    def server(self) -> Server:
        return YoutubeServer(talks=TALKS, page=5)

    def connector(self, context: Context) -> YoutubeConnector:
        settings = YoutubeSettings(channels=(CHANNEL,), videos=(VIDEO,), overlap_s=0)
        return YoutubeConnector(settings, context)


def reader(
    server: Server, *, now: Callable[[], datetime] = lambda: NOW, **values: Any
) -> YoutubeConnector:
    settings = YoutubeSettings(**({"channels": (CHANNEL,)} | values))
    environ = {"YOUTUBE_API_KEY": KEY}
    context = Context("tube", transport=Recorded(server), now=now, environ=environ)
    return YoutubeConnector(settings, context)


def test_a_comment_becomes_an_item_with_its_address_and_its_place_in_the_talk() -> None:
    talks = Talk(
        comment("c1", T0, "kopi basi", updatedAt="2025-06-01T07:00:00Z"),
        [comment("c1.r0", T0 + MINUTE, "maaf ya", parentId="c1", authorDisplayName="@tokoraya")],
    )
    read = read_thread(json.dumps(talks.resource()).encode(), brand="tokoraya")
    first, reply = read.items
    assert isinstance(first, Item)
    assert isinstance(reply, Item)
    assert first.url == f"https://www.youtube.com/watch?v={VIDEO}&lc=c1"
    assert (first.author, first.brand, first.kind) == ("@sari-belanja", "tokoraya", "comment")
    assert first.revision == 1_748_761_200
    assert (first.engagement.likes, first.engagement.replies) == (4, 1)
    assert (reply.in_reply_to, reply.author) == ("c1", "@tokoraya")


def test_only_new_comments_are_given_out_and_one_page_suffices_when_little_happened() -> None:
    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(n) for n in range(60)]}, page=20)
        connector = reader(server)
        first = await drained(connector)
        assert len(items(first)) == 60
        before = len(server.requests)
        server.talks[CHANNEL].append(talk(61))
        again = await drained(connector, first[-1].cursor)
        assert [i.native_id for i in items(again)] == ["c61"]
        assert len(server.requests) - before <= 4  # an hour's overlap is three pages here

    asyncio.run(story())


def test_replies_beyond_those_that_came_along_are_read_once_each_time_a_talk_grows() -> None:
    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(1, 9)]})
        connector = reader(server)
        pages = await drained(connector)
        assert len(items(pages)) == 10
        again = await drained(connector, pages[-1].cursor)
        assert items(again) == []
        asked = [r for r in server.requests if r.url.path.endswith("/comments")]
        assert len(asked) == 1
        server.talks[CHANNEL] = [talk(1, 10)]
        grown = await drained(connector, again[-1].cursor)
        assert [i.native_id for i in items(grown)] == ["c1.r9"]

    asyncio.run(story())


def test_an_edit_comes_as_a_revision() -> None:
    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(1), talk(2)]})
        connector = reader(server)
        pages = await drained(connector)
        edited = server.talks[CHANNEL][0].first["snippet"]
        edited |= {"textDisplay": "kopi enak", "updatedAt": "2025-06-01T11:59:00Z"}
        edited["textOriginal"] = edited["textDisplay"]
        again = items(await drained(connector, pages[-1].cursor))
        assert [(i.native_id, i.text) for i in again] == [("c1", "kopi enak")]
        assert again[0].revision > 0

    asyncio.run(story())


def test_an_edit_of_what_is_older_than_the_overlap_comes_as_well() -> None:
    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(1), talk(200)]})
        connector = reader(server)
        pages = await drained(connector)
        server.talks[CHANNEL][0].first["snippet"] |= {"updatedAt": "2025-06-01T11:59:00Z"}
        again = items(await drained(connector, pages[-1].cursor))
        assert [i.native_id for i in again] == ["c1"]

    asyncio.run(story())


def test_a_stale_page_token_begins_the_walk_again_and_loses_nothing() -> None:
    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(n) for n in range(12)]}, page=5)
        connector = reader(server)
        first = await connector.fetch(None)
        server.tokens = "new"
        rest = await drained(connector, first.cursor)
        assert sorted(i.native_id for i in items([first, *rest])) == sorted(
            f"c{n}" for n in range(12)
        )

    asyncio.run(story())


def test_found_videos_are_mentions_and_their_comments_are_read_without_a_brand() -> None:
    async def story() -> None:
        found = "fnd00000001"
        server = YoutubeServer(
            videos=[video(found, T0, "Kopi Tokoraya basi?"), video("x" * 11, T0, "masak")],
            talks={found: [talk(3)]},
        )
        connector = reader(server, channels=(), search=("tokoraya",), brand="tokoraya")
        pages = await drained(connector)
        by_kind = {i.kind: i for i in items(pages)}
        assert by_kind["video"].text == "Kopi Tokoraya basi?\nulasan jujur"
        assert by_kind["video"].brand == by_kind["comment"].brand == ""
        again = await drained(connector, pages[-1].cursor)
        assert items(again) == []
        assert server.searches == 99  # not due again for half an hour

    asyncio.run(story())


@pytest.mark.parametrize("reason", ["commentsDisabled", "videoNotFound"])
def test_a_target_that_cannot_be_read_is_told_once_and_the_others_go_on(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(1)]})

        def answering(request: httpx.Request) -> httpx.Response:
            if "videoId" in request.url.params:
                return YoutubeServer(refuse=(403, reason))(request)
            return server(request)

        connector = reader(answering, videos=("gone0000000",))
        pages = await drained(connector)
        pages += await drained(connector, pages[-1].cursor)
        assert len(items(pages)) == 1
        assert caplog.text.count("video:gone0000000") == 1

    asyncio.run(story())


def test_a_spent_quota_waits_until_midnight_in_the_pacific() -> None:
    async def story() -> None:
        connector = reader(YoutubeServer(talks={CHANNEL: [talk(1)]}, units=0))
        with pytest.raises(Retryable, match="midnight") as caught:
            await connector.fetch(None)
        assert caught.value.after_s == (datetime(2025, 6, 2, 7, tzinfo=UTC) - NOW).total_seconds()
        with pytest.raises(Retryable):  # and asks no more until then
            await connector.fetch(None)

    asyncio.run(story())


def test_the_budget_is_never_exceeded_lasts_all_day_and_survives_a_restart() -> None:
    async def story() -> None:
        clock = [datetime(2025, 6, 1, 7, 0, tzinfo=UTC)]  # midnight there
        server = YoutubeServer(talks={CHANNEL: [talk(1)]})
        calls: list[int] = []
        cursor: str | None = None
        connector = reader(server, now=lambda: clock[0], daily_units=48, since_minutes=0)
        for hour in range(24):
            for _ in range(60):
                page = await connector.fetch(cursor)
                cursor = page.cursor
                clock[0] += MINUTE
            calls.append(len(server.requests))
            if hour == 11:
                await connector.close()
                connector = reader(server, now=lambda: clock[0], daily_units=48, since_minutes=0)
        assert calls[-1] <= 48
        assert calls[11] <= 28  # half of the day has half of the calls, and a twentieth
        assert calls[-1] > calls[-3]  # the last hours are not blind
        shown = metrics.QUOTA_LEFT.labels("tube")._value.get()
        assert shown == 48 - calls[-1]

    asyncio.run(story())


def test_while_the_budget_makes_it_wait_the_watermark_stands_still() -> None:
    async def story() -> None:
        clock = [datetime(2025, 6, 1, 7, 0, tzinfo=UTC)]
        server = YoutubeServer(talks={CHANNEL: []})
        connector = reader(server, now=lambda: clock[0], daily_units=10, lateness_s=0)
        page = (await drained(connector))[-1]
        assert page.watermark == clock[0]
        clock[0] += MINUTE
        waiting = await connector.fetch(page.cursor)
        assert len(server.requests) == 1
        assert waiting.watermark == page.watermark

    asyncio.run(story())


def test_a_spent_search_bucket_stops_the_search_alone() -> None:
    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(1)]}, searches=0)
        pages = await drained(reader(server, search=("tokoraya",)))
        assert len(items(pages)) == 1

    asyncio.run(story())


def test_a_wrong_key_is_fatal_and_says_where_it_comes_from() -> None:
    async def story() -> None:
        context = Context(
            "tube", transport=Recorded(YoutubeServer()), environ={"YOUTUBE_API_KEY": "AIza-wrong"}
        )
        connector = YoutubeConnector(YoutubeSettings(channels=(CHANNEL,)), context)
        with pytest.raises(Fatal, match="YOUTUBE_API_KEY") as caught:
            await connector.fetch(None)
        assert "AIza" not in str(caught.value)

    asyncio.run(story())


def test_no_redirect_gets_the_key() -> None:
    async def story() -> None:
        asked: list[httpx.Request] = []

        def moved(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})

        with pytest.raises(Fatal):
            await reader(moved).fetch(None)
        assert len(asked) == 1

    asyncio.run(story())


def test_a_short_limit_is_retryable() -> None:
    async def story() -> None:
        with pytest.raises(Retryable, match="slow down"):
            await reader(YoutubeServer(refuse=(403, "rateLimitExceeded"))).fetch(None)

    asyncio.run(story())


def test_the_key_never_stands_in_an_address() -> None:
    async def story() -> None:
        server = YoutubeServer(talks={CHANNEL: [talk(1, 9)]})
        await drained(reader(server))
        assert all(KEY not in str(r.url) for r in server.requests)

    asyncio.run(story())


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001  # Hypothesis asks for naive bounds
def test_midnight_in_the_pacific_is_ahead_and_within_a_days_length(naive: datetime) -> None:
    now = naive.replace(tzinfo=UTC)
    assert 0 < until_midnight_s(now) <= 25 * 3600
    assert midnight(now).hour == 0
    assert 1 <= granted(100, now) <= 100
    spent = Spent().on(now).plus(units=3)
    assert spent.on(midnight(now)).units == 0


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    one = talk(1, 2).resource() if draw(st.booleans()) else comment("c", T0, "kopi")
    if draw(st.booleans()):
        one = video("v" * 11, T0, "kopi")
    for key in draw(st.lists(st.sampled_from(sorted(one["snippet"])), max_size=2)):
        one["snippet"][key] = draw(json_values)
    for key in draw(st.lists(st.sampled_from(sorted(one)), max_size=1)):
        one[key] = draw(json_values)
    return perhaps_cut(draw, one)


@given(st.binary(max_size=200) | spoiled() | json_values.map(lambda v: json.dumps(v).encode()))
def test_whatever_comes_is_an_item_or_a_dead_letter(raw: bytes) -> None:
    found = [*read_thread(raw).items, read_comment(raw), read_video(raw)]
    assert all(isinstance(i, Item | BadItem) for i in found)


@given(json_values.map(lambda v: json.dumps(v).encode()) | st.binary(max_size=100))
def test_whatever_a_server_answers_is_a_page_or_a_clean_error(body: bytes) -> None:
    async def story() -> None:
        for status in (200, 400, 403, 404):
            connector = reader(lambda _, s=status: httpx.Response(s, content=body))  # type: ignore[misc]  # binds the loop's value
            try:
                page = await connector.fetch(None)
            except (Retryable, Fatal):
                continue
            assert all(isinstance(i, Item | BadItem) for i in page.items)

    asyncio.run(story())
