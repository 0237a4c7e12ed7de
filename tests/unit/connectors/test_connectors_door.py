"""The door: each item becomes mentions, a dead letter, or is counted as about nobody of ours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors.contract import LAST_REVISION, BadItem, Item
from connectors.ingest.clean import MAX_CHARS
from connectors.ingest.door import FUTURE_SKEW, REASONS, Door, Privacy
from connectors.ingest.match import Matcher
from streams import codec
from streams.records import Batch, Engagement
from streams.settings import BrandSettings

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
MATCHER = Matcher(
    {
        "tokoraya": BrandSettings(names=("Tokoraya",), own_accounts=("tokoraya_care",)),
        "kopi": BrandSettings(names=("Kopi",)),
    }
)


def item(**values: Any) -> Item:
    return Item(**{"native_id": "1", "published_at": NOW, "text": "Tokoraya telat", **values})


@pytest.fixture
def door() -> Door:
    return Door("forum", MATCHER)


def test_one_mention_per_matched_brand(door: Door) -> None:
    outcome = door.admit(item(text="kopi di Tokoraya"), now=NOW)
    assert [brand for brand, _ in outcome.mentions] == ["tokoraya", "kopi"]
    assert {m.id for _, m in outcome.mentions} == {"forum:1"}


def test_a_mapped_brand_needs_no_match(door: Door) -> None:
    assert door.admit(item(text="halo", brand="KOPI"), now=NOW).mentions[0][0] == "kopi"


def test_an_item_about_nobody_is_counted_and_no_dead_letter(door: Door) -> None:
    outcome = door.admit(item(text="cuaca cerah"), now=NOW)
    assert outcome == ((), None, ("unmatched",))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"text": " \x00\u202e "}, "empty_text"),
        ({"published_at": datetime(2025, 3, 1)}, "naive_time"),  # noqa: DTZ001  # the point
        ({"published_at": datetime(1970, 1, 1, tzinfo=UTC)}, "time_too_old"),
        ({"native_id": "  "}, "missing_field"),
        ({"brand": "nobody"}, "unknown_brand"),
        ({"text": 5}, "broken_row"),
        ({"published_at": "2025-01-01"}, "broken_row"),
        ({"native_id": 7}, "broken_row"),
    ],
)
def test_what_cannot_be_a_mention_is_a_dead_letter(
    door: Door, values: dict[str, Any], reason: str
) -> None:
    outcome = door.admit(item(**values), now=NOW)
    assert outcome.dead is not None
    assert outcome.dead.reason == reason
    assert outcome.dead.reason in REASONS
    assert outcome.mentions == ()
    assert codec.dead_letter.decode(codec.encode(outcome.dead)) == outcome.dead


def test_the_same_bad_input_has_the_same_id(door: Door) -> None:
    bad = BadItem("broken_row", "why", "f.csv:3", b"x" * 100_000)
    first, second = door.admit(bad, now=NOW).dead, door.admit(bad, now=NOW).dead
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert (len(first.original), first.length) == (65_536, 100_000)


def test_a_reason_outside_the_closed_set_becomes_broken_row(door: Door) -> None:
    dead = door.admit(BadItem("my_own_reason", "why", "x", b""), now=NOW).dead
    assert dead is not None
    assert dead.reason == "broken_row"


def test_five_megabytes_of_text_are_cut_and_counted(door: Door) -> None:
    outcome = door.admit(item(text="Tokoraya " + "x" * 5_000_000), now=NOW)
    [(_, mention)] = outcome.mentions
    assert len(mention.text) <= MAX_CHARS
    assert mention.text.endswith("[…]")
    assert "text_cut" in outcome.notes


def test_harmful_characters_leave_the_text_and_are_counted(door: Door) -> None:
    outcome = door.admit(
        item(text="Tokoraya\x00 \u202erusak\u2066 \ud800", author="a\x1b[31mb", url="u\nv"), now=NOW
    )
    [(_, mention)] = outcome.mentions
    assert mention.text == "Tokoraya rusak \ufffd"
    assert mention.author == "a[31mb"
    assert outcome.notes == ("text_repaired",)
    codec.encode(Batch("tokoraya", (mention,)))


def test_emoji_and_joiners_stay(door: Door) -> None:
    text = "Tokoraya 👩‍👩‍👧 ❤️\nbaris"
    [(_, mention)] = door.admit(item(text=text), now=NOW).mentions
    assert mention.text == text


def test_a_future_stamp_is_clamped_once_and_stays(door: Door) -> None:
    ahead = item(published_at=NOW + timedelta(days=3))
    first = door.admit(ahead, now=NOW)
    again = door.admit(ahead, now=NOW + timedelta(hours=5))
    assert first.notes == ("future_clamped",)
    assert first.mentions[0][1].published_at == NOW + FUTURE_SKEW
    assert again.mentions[0][1].published_at == NOW + FUTURE_SKEW


def test_a_brands_own_reply_is_its_mention_and_marked(door: Door) -> None:
    reply = item(text="Halo kak, mohon maaf ya", author="@Tokoraya_Care", in_reply_to="0")
    [(brand, mention)] = door.admit(reply, now=NOW).mentions
    assert (brand, mention.own, mention.in_reply_to) == ("tokoraya", True, "forum:0")


def test_own_is_of_the_brand_that_writes_only(door: Door) -> None:
    outcome = door.admit(item(text="Kopi enak", author="tokoraya_care"), now=NOW)
    assert {brand: m.own for brand, m in outcome.mentions} == {"kopi": False, "tokoraya": True}


def test_a_deletion_finds_the_brands_of_its_text_and_takes_the_text_along(door: Door) -> None:
    door.admit(item(native_id="9"), now=NOW)
    gone = door.admit(item(native_id="9", text="", deleted=True, revision=1), now=NOW)
    [(brand, mention)] = gone.mentions
    assert (brand, mention.deleted, mention.text) == ("tokoraya", True, "")


@pytest.mark.parametrize(
    ("values", "kept"),
    [({"deleted": True}, True), ({"keeps_time": True}, True), ({}, False)],
)
def test_the_time_of_the_first_version_holds_where_only_that_of_the_change_is_told(
    door: Door, values: dict[str, Any], kept: bool
) -> None:
    later = NOW + timedelta(hours=2)
    door.admit(item(native_id="9", published_at=NOW), now=NOW)
    changed = item(native_id="9", published_at=later, revision=1, **values)
    [(_, mention)] = door.admit(changed, now=later).mentions
    assert mention.published_at == (NOW if kept else later)


def test_a_deletion_is_the_last_word(door: Door) -> None:
    door.admit(item(native_id="9"), now=NOW)
    [(_, gone)] = door.admit(item(native_id="9", deleted=True), now=NOW).mentions
    assert gone.revision == LAST_REVISION
    for revision in (0, 1):
        again = door.admit(item(native_id="9", revision=revision), now=NOW)
        assert (again.mentions, again.notes) == ((), ("after_deletion",))
    assert door.admit(item(native_id="9", deleted=True), now=NOW).mentions


def test_an_edit_that_drops_the_name_still_arrives(door: Door) -> None:
    door.admit(item(native_id="8"), now=NOW)
    edited = door.admit(item(native_id="8", text="sudah beres", revision=1), now=NOW)
    assert [brand for brand, _ in edited.mentions] == ["tokoraya"]


def test_a_deletion_of_what_was_never_ours_is_unmatched(door: Door) -> None:
    gone = door.admit(item(native_id="77", text="", deleted=True), now=NOW)
    assert gone.notes == ("unmatched",)


def test_a_rating_without_words_is_a_mention(door: Door) -> None:
    [(_, mention)] = door.admit(item(text="", rating=1.0, brand="kopi"), now=NOW).mentions
    assert mention.rating == 1.0


def test_authors_become_pseudonyms_and_own_is_still_known() -> None:
    door = Door("forum", MATCHER, privacy=Privacy(b"a secret of some length"))
    [(_, a)] = door.admit(item(author="Tokoraya_Care"), now=NOW).mentions
    [(_, b)] = door.admit(item(author="@tokoraya_care"), now=NOW).mentions
    [(_, c)] = door.admit(item(author="siti"), now=NOW).mentions
    assert a.own
    assert a.author == b.author != c.author
    assert "siti" not in c.author
    other = Privacy(b"another secret of some length")
    assert Privacy(b"a secret of some length").author("siti") == c.author != other.author("siti")


def test_nonsense_numbers_are_made_sane(door: Door) -> None:
    outcome = door.admit(
        item(engagement=Engagement(likes=-5, views=10**30), rating=float("nan")), now=NOW
    )
    [(_, mention)] = outcome.mentions
    assert mention.engagement == Engagement(views=2**53)
    assert mention.rating is None
    assert msgspec.json.encode(mention)


def test_long_ids_stay_apart(door: Door) -> None:
    ids = {door.admit(item(native_id="x" * 5000 + end), now=NOW).mentions[0][1].id for end in "ab"}
    assert len(ids) == 2
    assert all(len(i) < 250 for i in ids)
