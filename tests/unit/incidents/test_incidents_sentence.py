"""The sentence that a person reads: short, concrete, in their language and on their clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents.explanation import Explanation, Organic
from detectors.incidents.sentence import LANGUAGES, Facts, sentence

T0 = 1_767_225_600  # 2026-01-01 00:00 UTC, 07:00 in Jakarta

FACTS = Facts(
    brand="Kopi Nusa",
    signal="negative",
    observed=48.2,
    expected=4.9,
    onset_s=T0,
    now_s=T0 + 12 * 60,
    time_zone="Asia/Jakarta",
)
TOLD = Explanation(
    signal="negative",
    onset_s=T0,
    until_s=T0 + 720,
    observed=48.2,
    expected=4.9,
    topics={"refund": 0.62, "other": 0.38},
    phrases={"saldo hilang": 0.55, "other": 0.45},
    channels={"forum": 0.7, "news": 0.3},
    authors={"other": 1.0},
)


def test_indonesian_names_brand_numbers_time_topic_and_phrase() -> None:
    text = sentence(FACTS, TOLD, "id")
    assert text.startswith("Kopi Nusa: 48 penyebutan negatif dalam 12 menit (biasanya 5)")
    assert "sejak 07.00 WIB" in text
    assert "Pengembalian dana" in text
    assert "“saldo hilang” (55%)" in text


def test_english_says_the_same() -> None:
    text = sentence(FACTS, TOLD, "en")
    assert text.startswith("Kopi Nusa: 48 negative mentions in 12 minutes (normally 5)")
    assert "since 07:00 WIB" in text
    assert "most from forum (70%)" in text


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="id, en"):
        sentence(FACTS, TOLD, "fr")


def test_an_onset_on_another_day_says_which() -> None:
    late = FACTS._replace(now_s=T0 + 26 * 3600)
    assert "1/1 07:00 WIB" in sentence(late, TOLD, "en")


def test_the_end_is_told() -> None:
    closed = FACTS._replace(closed=True)
    assert sentence(closed, TOLD, "id").endswith("Sudah kembali normal.")


@given(
    brand=st.text(min_size=1, max_size=60).map(lambda s: s.strip() or "x"),
    signal=st.sampled_from(
        ["volume", "negative", "negative_share", "velocity", "reach", "authors", "security"]
    ),
    observed=st.floats(0, 1e9),
    expected=st.floats(0, 1e9),
    minutes=st.integers(1, 5000),
    phrase=st.text(min_size=1, max_size=80),
    language=st.sampled_from(LANGUAGES),
    closed=st.booleans(),
    flagged=st.booleans(),
)
def test_it_has_fewer_than_forty_words_whatever_happened(
    brand: str,
    signal: str,
    observed: float,
    expected: float,
    minutes: int,
    phrase: str,
    language: str,
    closed: bool,
    flagged: bool,
) -> None:
    facts = Facts(
        " ".join(brand.split()[:6]),
        signal,
        observed,
        expected,
        T0,
        T0 + 60 * minutes,
        "Asia/Makassar",
        closed=closed,
    )
    told = Explanation(
        signal=signal,
        onset_s=T0,
        until_s=T0 + 60 * minutes,
        observed=observed,
        expected=expected,
        topics={"delivery": 0.9, "other": 0.1},
        phrases={phrase: 0.9, "other": 0.1},
        channels={"forum": 1.0},
        authors={"somebody": 0.8, "other": 0.2},
        organic=Organic(near_duplicate_share=0.8),
        flags=("few_authors", "near_duplicates") if flagged else (),
    )
    assert len(sentence(facts, told, language).split()) < 40
