"""The classifiers are River estimators: its own checks, on data that needs no download."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import river.checks
from river import base, datasets

from detectors.language.sentiment import SentimentClassifier
from detectors.language.topics import TopicClassifier

ESTIMATORS = [SentimentClassifier(), TopicClassifier()]


def _battery(model: base.Estimator, scale: int = 1) -> Iterator[list[tuple[dict[str, Any], Any]]]:
    """What River's own battery yields, less the sets that must be downloaded."""
    if isinstance(model, base.MultiLabelClassifier):
        yield [
            (x, {"phishing": bool(y), "odd": x["ip_in_url"] > 0})
            for x, y in datasets.Phishing().take(50 * scale)
        ]
        return
    yield list(datasets.Phishing().take(60 * scale))
    yield list(datasets.ImageSegments().take(60 * scale))


def _checks() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(river.checks, "_yield_datasets", _battery)
        for model in ESTIMATORS:
            for number, check in enumerate(river.checks.yield_checks(model)):
                name = f"{type(model).__name__}-{check.__name__}-{number}"
                yield pytest.param(model, check, id=name)


@pytest.mark.parametrize(("model", "check"), list(_checks()))
def test_estimator_passes_rivers_check(
    model: base.Estimator, check: Callable[[base.Estimator], None]
) -> None:
    check(model.clone())


def test_no_check_of_river_is_skipped() -> None:
    assert all(not model._unit_test_skips() for model in ESTIMATORS)


def test_label_that_joins_after_a_prediction_is_predicted() -> None:
    model = SentimentClassifier()
    for text, label in (("bagus", "up"), ("jelek", "down"), ("biasa", "flat")):
        model.learn_one(text, label)
        assert model.predict_one(text) == label


def test_topic_that_joins_after_a_prediction_is_predicted() -> None:
    model = TopicClassifier()
    assert "weather" not in model.predict_proba_one("badai")
    for _ in range(3):
        model.learn_one("badai", {"weather": True})
    assert model.predict_one("badai")["weather"]
    assert model.predict_one("paket hilang di gudang kurir")["delivery"]
