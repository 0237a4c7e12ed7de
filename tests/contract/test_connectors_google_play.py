"""Google Play against servers written from the documentation: tokens, pages, edits and replies."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_http import as_app, serving
from play_server import PlayServer, key_file, private_key, replied, review
from sources import drained, items, json_values, perhaps_cut

from connectors.contract import BadItem, Context, Fatal, Item, Retryable
from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.sources.google_play.account import ServiceAccount, read_key
from connectors.sources.google_play.reviews import read_review
from connectors.sources.google_play.source import GooglePlayConnector, GooglePlaySettings
from connectors.testkit import NOW, HttpConnectorSuite, Recorded, Server
from streams.settings import BrandSettings

PACKAGE = "com.tokoraya.app"
T0 = NOW - timedelta(days=2)
MINUTE = timedelta(minutes=1)
BRANDS = {"tokoraya": BrandSettings(names=("Tokoraya",), own_accounts=(PACKAGE,))}


def reviews(count: int) -> list[dict[str, Any]]:
    return [review(f"r{n}", T0 + n * MINUTE, f"aplikasi lambat {n}") for n in range(count)]


class TestGooglePlay(HttpConnectorSuite):
    """The kit, over several pages of reviews, one of them answered."""

    every = (*reviews(23), replied(review("r90", T0, "gagal bayar"), T0 + MINUTE, "maaf"))
    expected_ids = (*(f"r{n}" for n in range(23)), "r90", "r90/reply")
    environ: ClassVar[dict[str, str]] = {"GOOGLE_PLAY_CREDENTIALS": key_file()}
    secrets = (private_key().as_pem(private=True).decode()[60:120], "ya29.fixture")

    def server(self) -> Server:
        return PlayServer(NOW, list(self.every), page=5)

    def connector(self, context: Context) -> GooglePlayConnector:
        # The recorded server's clock stands still, so the assertion's has to.
        still = Context(
            "kit", environ=context.environ, transport=context.transport, now=lambda: NOW
        )
        return GooglePlayConnector(GooglePlaySettings(package=PACKAGE, overlap_s=0), still)


def reader(
    server: Server, *, now: Callable[[], datetime] = lambda: NOW, **values: Any
) -> GooglePlayConnector:
    chosen = GooglePlaySettings(**({"package": PACKAGE} | values))
    environ = {"GOOGLE_PLAY_CREDENTIALS": key_file()}
    context = Context("play", BRANDS, transport=Recorded(server), now=now, environ=environ)
    return GooglePlayConnector(chosen, context)


def test_a_review_becomes_an_item_with_stars_and_the_words_that_were_written() -> None:
    one = review("r1", T0, "Slow app", originalText="Lambat\tTidak bisa bayar")
    (item,) = read_review(json.dumps(one).encode(), package=PACKAGE, brand="tokoraya").items
    assert isinstance(item, Item)
    assert item.text == "Lambat\nTidak bisa bayar"
    assert (item.rating, item.author, item.lang, item.kind) == (2.0, "Sari", "id", "review")
    assert (item.brand, item.engagement.likes) == ("tokoraya", 7)
    assert item.published_at == T0


def test_the_teams_reply_is_recognised_as_the_brands_own() -> None:
    async def story() -> None:
        answered = replied(review("r1", T0, "lambat"), T0 + MINUTE, "Maaf, sudah kami perbaiki")
        found = items(await drained(reader(PlayServer(NOW, [answered]), brand="tokoraya")))
        door = Door("play", Matcher(BRANDS))
        told = [m for i in found for _, m in door.admit(i, now=NOW).mentions]
        by_kind = {m.kind: m for m in told}
        assert by_kind["reply"].own
        assert not by_kind["review"].own
        assert by_kind["reply"].in_reply_to == by_kind["review"].id

    asyncio.run(story())


def test_an_edit_is_a_new_revision_of_the_same_id() -> None:
    async def story() -> None:
        server = PlayServer(NOW, reviews(3))
        connector = reader(server)
        first = await drained(connector)
        server.reviews[0] = review("r0", NOW - MINUTE, "sekarang bagus", starRating=5)
        again = items(await drained(connector, first[-1].cursor))
        assert [(i.native_id, i.rating) for i in again] == [("r0", 5.0)]
        before = next(i for i in items(first) if i.native_id == "r0")
        assert again[0].revision > before.revision

    asyncio.run(story())


def test_only_as_many_pages_are_read_as_hold_something_new() -> None:
    async def story() -> None:
        server = PlayServer(NOW, reviews(60), page=10)
        connector = reader(server)
        first = await drained(connector)
        before = len(server.requests)
        server.reviews.append(review("new", NOW, "baru"))
        again = await drained(connector, first[-1].cursor)
        assert [i.native_id for i in items(again)] == ["new"]
        assert len(server.requests) - before <= 3

    asyncio.run(story())


def test_a_page_token_that_ended_begins_the_round_again() -> None:
    async def story() -> None:
        server = PlayServer(NOW, reviews(12), page=5)
        connector = reader(server)
        first = await connector.fetch(None)
        server.token_prefix = "q"  # noqa: S105  # a page's token, no secret
        rest = await drained(connector, first.cursor)
        found = sorted(i.native_id for i in items([first, *rest]))
        assert found == sorted(f"r{n}" for n in range(12))

    asyncio.run(story())


def test_a_token_serves_until_shortly_before_its_end_and_is_then_renewed() -> None:
    async def story() -> None:
        server = PlayServer(NOW, reviews(1))
        connector = reader(server, now=lambda: server.now)
        await connector.fetch(None)
        server.now += timedelta(minutes=57)
        await connector.fetch(None)
        assert server.exchanges == 1
        server.now += timedelta(minutes=2)
        await connector.fetch(None)
        assert server.exchanges == 2

    asyncio.run(story())


def test_a_token_that_was_revoked_is_renewed_at_once() -> None:
    async def story() -> None:
        server = PlayServer(NOW, reviews(1))
        connector = reader(server)
        await connector.fetch(None)
        server.valid.clear()
        assert len(server.requests) == 2
        with pytest.raises(Retryable) as caught:
            await connector.fetch(None)
        assert caught.value.after_s == 0
        await connector.fetch(None)
        assert server.exchanges == 2

    asyncio.run(story())


def test_a_machine_whose_clock_is_hours_off_is_told_so() -> None:
    async def story() -> None:
        connector = reader(PlayServer(NOW), now=lambda: NOW + timedelta(hours=7))
        with pytest.raises(Fatal, match="clock"):
            await connector.fetch(None)
        await connector.close()

    asyncio.run(story())


def test_an_account_without_access_to_the_app_is_fatal() -> None:
    async def story() -> None:
        def forbids(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/token":
                return PlayServer(NOW)(request)
            return httpx.Response(403, json={"error": {"code": 403}})

        with pytest.raises(Fatal, match="permissions"):
            await reader(forbids).fetch(None)

    asyncio.run(story())


def test_over_real_http_with_an_overridden_token_address() -> None:
    async def story() -> None:
        server = PlayServer(NOW, reviews(2))
        async with serving(as_app(server)) as address:
            chosen = GooglePlaySettings(
                package=PACKAGE,
                url=f"http://{address}",
                token_url=f"http://{address}/token",
                allow_private=True,
            )
            environ = {"GOOGLE_PLAY_CREDENTIALS": key_file()}
            connector = GooglePlayConnector(
                chosen, Context("play", environ=environ, now=lambda: NOW)
            )
            assert len(items(await drained(connector))) == 2
            await connector.close()

    asyncio.run(story())


def test_the_key_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(key_file())
    key = read_key(str(path), variable="X")
    assert "PRIVATE" not in repr(key)
    for wrong in (key_file()[:300], str(tmp_path / "none.json"), '{"client_email": "PRIVATE"}'):
        with pytest.raises(Fatal, match="X holds neither") as caught:
            read_key(wrong, variable="X")
        assert "PRIVATE" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_key_that_is_no_key_is_fatal() -> None:
    broken = json.dumps({"client_email": "a@b", "private_key": "-----BEGIN nothing"})
    context = Context("play", environ={"GOOGLE_PLAY_CREDENTIALS": broken})
    connector = GooglePlayConnector(GooglePlaySettings(package=PACKAGE), context)
    with pytest.raises(Fatal, match="no PEM"):
        asyncio.run(connector.fetch(None))


def test_a_brand_that_would_not_know_its_own_replies_is_told_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    brands = {"tokoraya": BrandSettings(names=("Tokoraya",))}
    GooglePlayConnector(
        GooglePlaySettings(package=PACKAGE, brand="tokoraya"), Context("play", brands)
    )
    assert "own_accounts of brand tokoraya" in caplog.text


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    one = replied(review("r1", T0, "lambat"), T0, "maaf")
    said = one["comments"][0]["userComment"]
    for key in draw(st.lists(st.sampled_from(sorted(said)), max_size=2)):
        said[key] = draw(json_values)
    said["lastModified"] = draw(
        st.just(said["lastModified"])
        | st.fixed_dictionaries(
            {"seconds": st.text(max_size=5) | st.integers(), "nanos": st.integers()}
        )
    )
    return perhaps_cut(draw, one)


@given(st.binary(max_size=200) | spoiled() | json_values.map(lambda v: json.dumps(v).encode()))
def test_whatever_comes_is_an_item_or_a_dead_letter(raw: bytes) -> None:
    read = read_review(raw, package=PACKAGE)
    assert read.items
    assert all(isinstance(i, Item | BadItem) for i in read.items)


grants = st.fixed_dictionaries({"access_token": json_values, "expires_in": json_values})
ACCOUNT = ServiceAccount(read_key(key_file(), variable="x"), "scope", now=lambda: NOW)


@given(
    (json_values | grants).map(lambda v: json.dumps(v).encode()) | st.binary(max_size=100),
    st.sampled_from([200, 302, 400, 401, 403, 429, 500]),
)
def test_whatever_the_token_server_answers_is_a_token_or_a_clean_error(
    body: bytes, status: int
) -> None:
    ACCOUNT.forget()
    with suppress(Retryable, Fatal):
        ACCOUNT._take(httpx.Response(status), body, "token.example")
        assert httpx.Headers({"Authorization": f"Bearer {ACCOUNT._token}"})
