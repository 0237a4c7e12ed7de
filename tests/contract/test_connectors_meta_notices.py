"""What Meta's notices say: items, deletions, and dead letters where there are no words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meta_sender import (
    BUSINESS,
    MADE,
    PAGE,
    READER,
    body_of,
    instagram_comment,
    message,
    page_feed,
    read,
    whatsapp,
)
from sources import json_values, perhaps_cut

from connectors.contract import LAST_REVISION, BadItem, Item
from connectors.ingest.door import REASONS, Door
from connectors.ingest.match import Matcher
from connectors.sources.meta.notices import Reader
from streams.settings import BrandSettings


def test_a_comment_on_the_page_becomes_an_item() -> None:
    (item,) = read(page_feed())
    assert item.native_id == f"page:{PAGE}_1_77"
    assert item.in_reply_to == f"page:{PAGE}_1"
    assert (item.author, item.channel, item.brand) == ("Sari Dewi", "facebook", "tokoraya")
    assert item.published_at == MADE
    assert item.text.endswith("😡")


def test_the_pages_own_answers_carry_its_id_which_nobody_can_call_himself() -> None:
    page: dict[str, Any] = {"from": {"id": PAGE, "name": "Toko Raya"}}
    person: dict[str, Any] = {"from": {"id": "9", "name": "Toko Raya"}}
    (ours,), (impostor,) = read(page_feed(**page)), read(page_feed(**person))
    brands = {"tokoraya": BrandSettings(own_accounts=(PAGE,))}
    door = Door("meta", Matcher(brands))
    owns = [door.admit(i, now=MADE).mentions[0][1].own for i in (ours, impostor)]
    assert owns == [True, False]


@pytest.mark.parametrize("verb", ["remove", "delete"])
def test_removed_comments_are_deletions(verb: str) -> None:
    (item,) = read(page_feed(verb=verb, message=""))
    assert item.deleted
    assert item.revision == LAST_REVISION


@pytest.mark.parametrize("value", [{"item": "reaction"}, {"item": "like"}, {"verb": "hide"}])
def test_what_holds_no_words_is_left_out(value: dict[str, Any]) -> None:
    assert read(page_feed(**value)) == []


@pytest.mark.parametrize("flat", [False, True])
def test_instagram_comments_come_in_both_documented_forms(flat: bool) -> None:
    (item,) = read(instagram_comment(flat=flat, parent_id="179"))
    assert (item.author, item.text, item.channel) == ("sari.dewi", "kok lama banget", "instagram")
    assert (item.brand, item.in_reply_to) == ("tokokecil", "instagram:179")
    assert item.published_at == MADE


def test_a_mention_without_words_is_a_dead_letter_that_says_where_to_look() -> None:
    notice = instagram_comment()
    value = {"media_id": "17", "comment_id": "18"}
    notice["entry"][0]["changes"] = [{"field": "mentions", "value": value}]
    (bad,) = READER.read(body_of(notice))
    assert isinstance(bad, BadItem)
    assert bad.reason in REASONS
    assert "comment 18" in bad.detail


def test_whatsapp_messages_hide_the_number_and_keep_one_author_a_person() -> None:
    found = read(
        whatsapp(
            message("wamid.1", "paket belum sampai"),
            message("wamid.2", "", type="image", image={"caption": "rusak begini", "id": "9"}),
            message("wamid.3", "", type="reaction", reaction={"emoji": "x"}),
            message("wamid.4", "dari orang lain", **{"from": "6281200000002"}),
        )
    )
    assert [i.text for i in found] == ["paket belum sampai", "rusak begini", "dari orang lain"]
    assert found[0].author == found[1].author != found[2].author
    assert "62812" not in json.dumps([i.author for i in found])
    assert {i.channel for i in found} == {"whatsapp"}


def test_delivery_reports_are_no_mentions_and_the_teams_answers_are_its_own() -> None:
    assert read(whatsapp(statuses=[{"id": "wamid.9", "status": "read"}])) == []
    sent = message("wamid.5", "maaf kak", **{"from": "622150000000", "to": "6281200000001"})
    (ours,) = read(whatsapp(sent, field="smb_message_echoes"))
    assert ours.author == "622150000000"


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    notice: Any = draw(
        st.sampled_from(
            [page_feed(), instagram_comment(flat=True), whatsapp(message("wamid.1", "halo"))]
        )
    )
    notice = json.loads(json.dumps(notice))
    entry = notice["entry"][0]
    places: list[Any] = [notice, entry]
    for change in entry.get("changes", [entry]):
        places += [change["value"], *change["value"].get("messages", [])]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places))
        place[draw(st.sampled_from(sorted(place)))] = draw(json_values)
    return perhaps_cut(draw, notice)


@given(st.binary(max_size=200) | spoiled() | json_values.map(lambda v: json.dumps(v).encode()))
def test_whatever_is_signed_is_items_and_dead_letters(raw: bytes) -> None:
    assert all(isinstance(i, Item | BadItem) for i in READER.read(raw))


def test_accounts_of_one_company_may_be_of_different_brands() -> None:
    reader = Reader(brand="", accounts={PAGE: "a", BUSINESS: "b"}, key=b"k")
    found = [
        *reader.read(body_of(page_feed())),
        *reader.read(body_of(whatsapp(message("1", "x")))),
        *reader.read(body_of(instagram_comment())),
    ]
    assert [i.brand for i in found if isinstance(i, Item)] == ["a", "b", ""]
