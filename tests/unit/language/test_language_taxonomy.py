"""The taxonomy is data: other topics need no code."""

import tomllib

import pytest

from detectors.language.taxonomy import default, parse
from detectors.language.topics import TopicClassifier
from detectors.language.understanding import Language, LanguageConfig

COFFEE = """
[roast]
title.id = "Sangrai"
title.en = "Roast"
sure = ["gosong", "burnt", "light roast"]
[queue]
title.en = "Queue"
sure = ["antri*"]
likely = ["line"]
hint = ["slow"]
against = ["online"]
"""


def test_own_taxonomy_replaces_the_default() -> None:
    model = Language(LanguageConfig(taxonomy=parse(tomllib.loads(COFFEE))))
    assert model.taxonomy.names == ("roast", "queue", "praise", "other")
    assert model.understand("kopinya gosong").topics == ("roast",)
    assert "queue" in model.understand("antriannya panjang, kesal").topics
    assert "queue" in model.understand("the line was slow, awful").topics
    assert model.understand("the online line was awful").topics == ("other",)


def test_own_taxonomy_learns_from_labels() -> None:
    model = TopicClassifier(parse(tomllib.loads(COFFEE)))
    text = "lama sekali nunggunya di kasir"
    assert not model.predict_one(text)["queue"]
    for _ in range(4):
        model.learn_one(text, {"queue": True, "roast": False})
    assert model.predict_one(text)["queue"]
    assert not model.predict_one(text)["roast"]


def test_titles_are_localised() -> None:
    taxonomy = default()
    assert taxonomy.title("delivery", "id") == "Pengiriman"
    assert taxonomy.title("delivery", "en") == "Delivery"
    assert taxonomy.title("praise", "id") == "Pujian"
    assert taxonomy.title("unheard", "id") == "unheard"
    for name in taxonomy.names:
        assert taxonomy.title(name, "id") != name
        assert taxonomy.title(name, "en") != name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[Bad]\nsure = ["x"]', "lower-case"),
        ('[praise]\nsure = ["x"]', "not praise/other"),
        ('[a]\nsurely = ["x"]', "unknown keys"),
        ('[a]\nsure = ["one two three"]', "one or two words"),
        ('[a]\nsure = [" "]', "one or two words"),
    ],
)
def test_mistake_in_a_taxonomy_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(tomllib.loads(text))


def test_clone_and_pickle_keep_the_taxonomy() -> None:
    import pickle

    model = TopicClassifier(parse(tomllib.loads(COFFEE)))
    model.learn_one("lama di kasir", {"queue": True})
    twin = pickle.loads(pickle.dumps(model))  # noqa: S301  # our own bytes
    assert twin.predict_proba_one("lama di kasir") == model.predict_proba_one("lama di kasir")
    assert list(model.clone().predict_one("kopi gosong")) == ["roast", "queue"]
