"""Promises of the language models that hold for any input."""

import math
import pickle
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from detectors.language import features, packed, shipped
from detectors.language.cases import hard_cases
from detectors.language.linear import Table, softmax
from detectors.language.scorer import Scorer, piece
from detectors.language.sentiment import SentimentClassifier
from detectors.language.taxonomy import Rules, default
from detectors.language.themes import Themes, ThemesConfig
from detectors.language.tokens import split
from detectors.language.understanding import SENTIMENTS, Language

MODEL = Language()
RULES = Rules(default())


def _words(text: str) -> list[str]:
    return text.split()


WORDS = st.sampled_from(
    _words(
        "gak tidak bagus kecewa tapi , . ? ! barangnya gabisa 😡 :) #promo @toko 10.000 enak-enak "
        "padahal terima kasih http://x.id/a not never good refund banget bukan"
    )
)
TEXTS = st.one_of(st.text(), st.lists(WORDS, max_size=30).map(" ".join))


@given(text=TEXTS, rating=st.none() | st.floats(), lang=st.text(max_size=6))
@example(text="a" * 5_000_000, rating=None, lang="")
@example(text="\x00\u202e\ud800", rating=math.inf, lang="\ud800")
@example(text="! " * 2_000, rating=-1e300, lang="in")
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_text_is_understood(text: str, rating: float | None, lang: str) -> None:
    u = MODEL.understand(text, rating=rating, lang=lang)
    assert math.isclose(sum(u.probabilities), 1.0, rel_tol=1e-9)
    assert u.sentiment == SENTIMENTS[u.probabilities.index(max(u.probabilities))]
    assert u == MODEL.understand(text, rating=rating, lang=lang)
    assert all(raw in text.lower() for raw in MODEL.highlights(text))


@given(text=TEXTS)
@settings(max_examples=300, deadline=None)
def test_memoised_scores_are_those_of_the_plain_statement(text: str) -> None:
    table, _ = shipped.shipped("sentiment.bin")
    plain = table.scores(*features.gather(map(piece, split(text))))
    sums, length = Scorer((table,)).sums(text)
    fast = [s / (packed.ONE * length) for s in sums]
    np.testing.assert_allclose(fast, plain, atol=2e-3)


@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_rules_do_not_disturb_the_sentiment(text: str) -> None:
    table, _ = shipped.shipped("sentiment.bin")
    alone, _ = Scorer((table,)).sums(text)
    together, _ = Scorer((table,), RULES.points, RULES.pairs, RULES.fields).sums(text)
    assert together[:3] == alone


@given(
    vectors=st.lists(
        st.lists(st.integers(-(2**24), 2**24), min_size=5, max_size=5), min_size=1, max_size=60
    )
)
def test_packed_sums_are_the_sums(vectors: list[list[int]]) -> None:
    total = sum(packed.pack(v) for v in vectors)
    expected = [sum(column) for column in zip(*vectors, strict=True)]
    assert list(packed.unpack(total, 5)) == expected
    assert list(packed.unpack_low(total, 2)) == expected[:2]


@given(lessons=st.lists(st.tuples(TEXTS, st.sampled_from(SENTIMENTS)), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_pickle_and_difference_keep_every_bit(lessons: list[tuple[str, Any]]) -> None:
    model = SentimentClassifier(SENTIMENTS)
    for text, label in lessons:
        model.learn_one(text, label)
    twin = pickle.loads(pickle.dumps(model))  # noqa: S301  # our own bytes
    fresh = Table(3, model.variance)
    fresh.put(model.table.difference(None))
    for table in (twin.table, fresh):
        assert table.weights.tobytes() == model.table.weights.tobytes()
        assert table.variance.tobytes() == model.table.variance.tobytes()
    assert twin.predict_proba_one("bagus") == model.predict_proba_one("bagus")


@given(texts=st.lists(TEXTS, min_size=1, max_size=5), label=st.sampled_from(SENTIMENTS))
@settings(max_examples=25, deadline=None)
def test_lesson_moves_towards_its_label(texts: list[str], label: Any) -> None:
    model = SentimentClassifier(SENTIMENTS)
    for text in texts:
        before = model.predict_proba_one(text)[label]
        model.learn_one(text, label)
        assert model.predict_proba_one(text)[label] >= before - 1e-6


@given(scores=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9))
def test_softmax_is_a_distribution(scores: list[float]) -> None:
    assert math.isclose(sum(softmax(scores)), 1.0, rel_tol=1e-9)


@given(
    mentions=st.lists(st.tuples(TEXTS, st.sampled_from("abcdefgh")), max_size=40),
    cut=st.integers(0, 40),
)
@settings(max_examples=40, deadline=None)
def test_themes_survive_a_restart_anywhere(mentions: list[tuple[str, str]], cut: int) -> None:
    config = ThemesConfig(warm_mentions=5, least_authors=2, least_surprise=0.5, phrases_most=20)
    whole, parted = Themes(config), Themes(config)
    for number, (text, author) in enumerate(mentions):
        whole.observe(text, author)
        if number == cut:
            parted = Themes.restore(config, parted.snapshot())
        parted.observe(text, author)
    assert parted.emerging() == whole.emerging()
    assert parted.snapshot() == whole.snapshot()


def test_negation_and_but_reach_the_memo() -> None:
    """The hard cases hold every construct; the fast path must read each like the slow one."""
    table, _ = shipped.shipped("sentiment.bin")
    scorer = Scorer((table,))
    for case in hard_cases():
        plain = table.scores(*features.gather(map(piece, split(case.text))))
        sums, length = scorer.sums(case.text)
        np.testing.assert_allclose([s / (packed.ONE * length) for s in sums], plain, atol=2e-3)
