"""What a mention says, with the weights that ship."""

import pytest

from detectors.language.cases import hard_cases
from detectors.language.flags import FLAGS
from detectors.language.locale import LANGUAGES
from detectors.language.understanding import SENTIMENTS, Language, LanguageConfig


@pytest.fixture(scope="module")
def model() -> Language:
    return Language()


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("aplikasinya error terus dari tadi pagi", "negative"),
        ("tidak kecewa sama sekali belanja di sini", "positive"),
        ("tidak mengecewakan, pengirimannya cepat", "positive"),
        ("pelayanannya tidak ramah", "negative"),
        ("makasih ya udah bikin saya rugi lagi", "negative"),
        ("😡😡😡", "negative"),
        ("😍😍", "positive"),
        ("bagusss bangettt barangnya", "positive"),
        ("terrible service, my package never arrived", "negative"),
        ("love it, fast delivery", "positive"),
        ("kapan promo berikutnya dimulai?", "neutral"),
    ],
)
def test_feeling_is_read_as_a_person_would(model: Language, text: str, sentiment: str) -> None:
    assert model.understand(text).sentiment == sentiment


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("paketku belum sampe juga, kurirnya kemana", "delivery"),
        ("layarnya pecah waktu dibuka", "item"),
        ("uang saya belum dikembalikan", "refund"),
        ("gabisa checkout, loading terus", "app"),
        ("cs nya ga bales chat saya", "service"),
        ("ongkirnya kemahalan", "price"),
        ("data bocor, nomor saya dijual", "security"),
        ("akun saya dibobol orang", "security"),
        ("there was a data leak", "security"),
        ("kena penipuan lewat tautan palsu", "security"),
        ("chargernya meledak", "safety"),
        ("penjualnya kabur", "seller"),
    ],
)
def test_topic_of_a_complaint_is_named(model: Language, text: str, topic: str) -> None:
    assert topic in model.understand(text).topics


@pytest.mark.parametrize(
    "text",
    [
        "botolnya bocor waktu sampai",
        "kuota data saya habis",
        "aman sampai tujuan, makasih",
        "nomor resinya mana kak",
        "mau beli akun premium bisa?",
        "minyaknya tumpah, kemasan bocor",
    ],
)
def test_everyday_words_are_no_security_alarm(model: Language, text: str) -> None:
    understood = model.understand(text)
    assert "security" not in understood.topics
    assert "security" not in understood.flags


def test_security_topic_is_also_a_flag(model: Language) -> None:
    assert "security" in model.understand("data pelanggan bocor").flags


def test_every_answer_is_from_the_closed_sets(model: Language) -> None:
    names = set(model.taxonomy.names)
    for case in hard_cases():
        u = model.understand(case.text)
        assert u.sentiment in SENTIMENTS
        assert u.topics
        assert set(u.topics) <= names
        assert u.language in (*LANGUAGES, "")
        assert set(u.flags) <= set(FLAGS)
        assert sum(u.probabilities) == pytest.approx(1.0)


def test_text_without_words_is_neutral_and_other(model: Language) -> None:
    for text in ("", "   ", "\x00\x01", "\u202e\u2066", "\ud800"):
        u = model.understand(text)
        assert u.sentiment == "neutral"
        assert u.topics == ("other",)


def test_five_megabytes_cost_no_more_than_their_beginning(model: Language) -> None:
    head = "paket hilang, kecewa banget. " * 69
    assert len(head) > 2_000
    assert model.understand(head + "mantap " * 800_000) == model.understand(head)


def test_stars_are_evidence(model: Language) -> None:
    text = "sudah saya terima"
    low, none, high = (model.understand(text, rating=r).probabilities for r in (1.0, None, 5.0))
    assert low[0] > none[0] > high[0]
    assert model.understand(text, rating=float("nan")).probabilities == none
    assert model.understand(text, rating=3.0).probabilities == none


def test_stars_teach_as_a_weaker_label() -> None:
    by_person, by_stars, untaught = Language(), Language(), Language()
    text = "blorbo kwarntz"
    by_person.learn(text, "negative")
    by_stars.learn_rating(text, 1)
    by_stars.learn_rating(text, 3)
    p, s, u = (m.understand(text).probabilities[0] for m in (by_person, by_stars, untaught))
    assert p > s > u


def test_highlights_are_the_words_that_decided(model: Language) -> None:
    assert model.highlights("kemarin saya pesan lalu barangnya rusak parah")[0] in (
        "rusak",
        "parah",
    )
    assert "mantap" in model.highlights("mantap, besok pesan lagi")
    assert model.highlights("") == ()


def test_language_is_told_by_small_words_and_by_the_source(model: Language) -> None:
    assert model.understand("barangnya belum sampai juga nih").language == "id"
    assert model.understand("the order is not here yet").language == "en"
    assert model.understand("barange ora apik, aku getun").language == "jv"
    assert model.understand("kumaha ieu teh, henteu acan datang").language == "su"
    assert model.understand("12345").language == ""
    assert model.understand("12345", lang="en-US").language == "en"
    assert model.understand("12345", lang="und").language == ""


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("slot gacor malam ini maxwin", "spam"),
        ("jasa followers murah cek bio", "spam"),
        ("giveaway! follow dan retweet, menang hadiah", "giveaway"),
        ("RT @toko: promo besar hari ini", "repost"),
        ("#a #b #c #d #e #f #g promo", "spam"),
    ],
)
def test_what_is_no_voice_of_a_customer_is_flagged(model: Language, text: str, flag: str) -> None:
    assert flag in model.understand(text).flags


def test_complaints_carry_no_spam_flags(model: Language) -> None:
    flagged = [c.text for c in hard_cases() if set(model.understand(c.text).flags) - {"security"}]
    assert flagged == []


def test_a_label_changes_the_answer_and_only_of_this_model() -> None:
    model, other = Language(), Language()
    text = "kenapa jadi begini modelnya wkwk"
    before = other.understand(text)
    for _ in range(3):
        model.learn(text, "positive", ("price",))
    after = model.understand(text)
    assert after.sentiment == "positive"
    assert "price" in after.topics
    assert other.understand(text) == before
    assert Language().digest() == other.digest()


def test_what_is_said_twice_is_read_once_and_anew_after_a_label() -> None:
    model, other = Language(), Language(LanguageConfig(memo_texts=0))
    text = "paket belum datang juga, kecewa"
    first = model.understand(text)
    assert model.understand(text) is first
    assert model.understand(text, rating=5.0) != first
    assert model.understand(text, lang="en") == other.understand(text, lang="en")
    assert other.understand(text) is not other.understand(text)
    for way in (model, other):
        way.learn(text, "positive", ("price",))
    assert model.understand(text) == other.understand(text) != first
    long = text + " sekali" * 100
    assert model.understand(long) is not model.understand(long)


def test_label_outside_the_closed_sets_is_refused() -> None:
    model = Language()
    before = model.digest()
    with pytest.raises(ValueError, match="unknown sentiment"):
        model.learn("x", "angry")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown topics"):
        model.learn("x", topics=("weather",))
    assert model.digest() == before


def test_same_lessons_give_the_same_bits() -> None:
    one, two = Language(), Language()
    for case in hard_cases()[:60]:
        one.learn(case.text, case.sentiment, case.topics)
        one.understand("selalu ada yang bertanya di antaranya")
        two.learn(case.text, case.sentiment, case.topics)
    assert one.digest() == two.digest()
    assert one.copy().digest() == one.digest()


def test_threshold_of_topics_is_configurable() -> None:
    strict = Language(LanguageConfig(topic_threshold=0.97, guess_threshold=0.97))
    assert strict.understand("barangnya lambat").topics == ("other",)


def test_complaint_without_a_likely_topic_gets_its_best_guess(model: Language) -> None:
    assert model.understand("barangnya bikin kecewa").topics == ("item",)
    assert "security" not in model.understand("akun ini bikin kecewa").topics


LEAKS = (
    "kok bisa NIK aku kesebar sih",
    "NIK sama KTP gua kesebar di twitter",
    "password gue kesebar, parah",
    "privasi pelanggan diumbar",
    "data kita diperjualbelikan",
    "email gue muncul di dark web abis daftar",
    "rekening kebobol abis klik dari admin",
    "someone stole my credit card details",
    "data nasabah kebocoran lagi, gak aman",
    "akun aku di-hack, dm kirim link aneh",
    "nomor hp gue bocor, tiap hari ditelpon pinjol",
    "foto ktp gue dipake orang buat pinjol",
)
INNOCENT = (
    "hacker news bilang bagus",
    "life hack belanja di sini",
    "tas gampang robek, resleting bobol",
    "gawang dibobol terus, sponsor malu",
    "link promo kesebar duluan",
    "gosip kesebar soal ceo",
    "kebocoran pipa di toko belum diperbaiki",
    "kode promo bocor nih buruan pakai",
    "bocoran harga iPhone",
)


@pytest.mark.parametrize("text", LEAKS)
def test_people_who_say_it_in_slang_speak_of_security(text: str) -> None:
    read = Language(LanguageConfig()).understand(text)
    assert "security" in read.topics
    assert "security" in read.flags  # what pages at low volume


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_sounds_like_a_leak_is_none(text: str) -> None:
    assert "security" not in Language(LanguageConfig()).understand(text).topics


@pytest.mark.parametrize(
    "text",
    [
        "my account is locked, they sold me a broken phone",
        "they sold me a fake item, refund to my account please",
        "akun saya diblokir padahal jual barang asli",
        "jual kartu kredit gestun",
        "email promo kalian nyebar terus, ganggu",
    ],
)
def test_what_is_sold_or_sent_is_no_breach(text: str) -> None:
    assert "security" not in Language(LanguageConfig()).understand(text).flags
