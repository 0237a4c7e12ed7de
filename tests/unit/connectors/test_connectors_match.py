"""Brand matching: what is a mention and what is not."""

import pytest

from connectors.ingest.fold import fold, slug
from connectors.ingest.match import Matcher
from streams.settings import BrandSettings

BRANDS = {
    "tokoraya": BrandSettings(
        title="Tokoraya",
        names=("Tokoraya", "Toko Raya"),
        handles=("tokoraya_id",),
        exclusions=("tokoraya lama", "pasar malam"),
        own_accounts=("@Tokoraya_Care",),
    ),
    "kopi": BrandSettings(names=("Kopi",)),
    "nasi": BrandSettings(names=("ナシ屋",)),
    "udara": BrandSettings(names=("Udara Air",), keywords=("udara.co.id",)),
}


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(BRANDS)


@pytest.mark.parametrize(
    ("text", "brands"),
    [
        ("Paket TOKORAYA telat", ["tokoraya"]),
        ("tokorayaku", []),
        ("(tokoraya)", ["tokoraya"]),
        ("tokoraya's app", ["tokoraya"]),
        ("Tókoraya", ["tokoraya"]),
        ("Ｔｏｋｏｒａｙａ mahal", ["tokoraya"]),
        ("𝗧𝗼𝗸𝗼𝗿𝗮𝘆𝗮", ["tokoraya"]),
        ("toko\u200braya", ["tokoraya"]),
        ("to\u202ekoraya", ["tokoraya"]),
        ("toko \n\t raya ramai", ["tokoraya"]),
        ("@tokoraya_id halo", ["tokoraya"]),
        (".@tokoraya_id!", ["tokoraya"]),
        ("@tokoraya_id2", []),
        ("@tokoraya_id.shop", []),
        ("tolong @tokoraya_id. makasih", ["tokoraya"]),
        ("x.com/tokoraya_id", ["tokoraya"]),
        ("cs@tokoraya_id.com", []),
        ("tokoraya_id tanpa at", []),
        ("#tokoraya", ["tokoraya"]),
        ("#BoikotTokoraya", ["tokoraya"]),
        ("#boikottokoraya", ["tokoraya"]),
        ("#tokorayalambat", ["tokoraya"]),
        ("#tokorayaxbanget", ["tokoraya"]),
        ("#antitokorayasih", []),
        ("#kopikopian", []),
        ("#KopiPahit", ["kopi"]),
        ("#udaraair telat", ["udara"]),
        ("udaraair tanpa tagar", []),
        ("https://www.udara.co.id/promo", ["udara"]),
        ("今日ナシ屋で食べた", ["nasi"]),
        ("kopi di tokoraya", ["tokoraya", "kopi"]),
        ("tokoraya lama sudah tutup", []),
        ("tokoraya lama tutup, tokoraya baru buka", ["tokoraya"]),
        ("tokoraya di pasar malam", []),
        ("@tokoraya_id di pasar malam", ["tokoraya"]),
        ("kopi di pasar malam", ["kopi"]),
        ("", []),
    ],
)
def test_a_text_is_about_exactly_these_brands(
    matcher: Matcher, text: str, brands: list[str]
) -> None:
    assert list(matcher.match(text)) == brands


def test_a_mapped_value_finds_its_brand_by_key_title_or_name(matcher: Matcher) -> None:
    assert matcher.resolve("TOKO RAYA") == "tokoraya"
    assert matcher.resolve("Udara Air") == "udara"
    assert matcher.resolve("nobody") is None


def test_an_own_account_is_known_with_and_without_at_and_case(matcher: Matcher) -> None:
    assert matcher.owners("tokoraya_care") == ("tokoraya",)
    assert matcher.owners("@TOKORAYA_CARE") == ("tokoraya",)
    assert matcher.owners("budi") == ()


def test_no_brands_match_nothing() -> None:
    assert Matcher({}).match("Tokoraya") == ()


def test_a_thousand_brands_are_told_apart() -> None:
    many = {f"b{n}": BrandSettings(names=(f"merek{n}",)) for n in range(1000)}
    assert Matcher(many).match("merek77 dan merek777") == ("b77", "b777")


def test_folding_twice_changes_nothing() -> None:
    for text in ("Straße", "İstanbul", "ﷺ toko", "naïve\u00adté", "ΑΣ"):
        assert fold(fold(text)) == fold(text)


def test_a_slug_is_label_safe() -> None:
    assert slug("  US Airways! ") == "us-airways"
    assert slug("Ökonomi & Co.") == "okonomi-co"
