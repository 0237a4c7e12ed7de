"""Stars as a free, noisy label: much of it must not make the model forget."""

import csv
from pathlib import Path

import pytest

from detectors.language.understanding import Language, sentiment_of

DATA = Path(__file__).parents[4] / "shared/data"


@pytest.mark.parametrize(
    ("stars", "said"), [(1, "negative"), (2, "negative"), (3, None), (4, "positive"), (0, None)]
)
def test_stars_say(stars: float, said: str | None) -> None:
    assert sentiment_of(stars) == said


@pytest.mark.shared
def test_thousand_starred_reviews_cost_at_most_one_point_of_what_was_known() -> None:
    with (DATA / "prdect/reviews.csv").open(encoding="utf-8", newline="") as f:
        reviews = list(csv.DictReader(f))[:1_000]
    with (DATA / "smsa/valid.tsv").open(encoding="utf-8") as f:
        valid = [line.rstrip("\n").split("\t") for line in f]
    model = Language()

    def right() -> float:
        return sum(model.understand(text).sentiment == label for text, label in valid) / len(valid)

    before, untaught = right(), model.digest()
    for review in reviews:
        model.learn_rating(review["text"], float(review["rating"]))
    assert model.digest() != untaught
    assert right() >= before - 0.01
