"""Every detector goes through the same battery: River's estimator checks, on data of our own."""

import importlib
import pkgutil
import random

import pytest
from river import checks, compose, preprocessing

import detectors.anomaly
from detectors.anomaly.bank import DETECTORS, SIGNALS
from detectors.anomaly.detector import Detector


class OwnData:
    """Minutes of a brand, one in forty with a crisis in every feature (River's own downloads)."""

    def __init__(self, n: int) -> None:
        rng = random.Random(11)
        self.rows = []
        for i in range(n):
            bad = i % 40 == 39
            k = 12.0 if bad else 1.0
            mentions = float(rng.randint(3, 9)) * k
            row = {
                "mentions": mentions,
                "negative": mentions * (0.9 if bad else rng.uniform(0.1, 0.3)),
                "authors": mentions * 0.9,
                "reach": rng.lognormvariate(6, 1) * k * k,
                "top_reach": rng.lognormvariate(4, 1) * k * k,
            }
            self.rows.append((row, bad))

    def __iter__(self):
        yield from self.rows


def own_datasets(model, scale=1):
    yield OwnData(1600 * (2 if scale > 1 else 1))


@pytest.fixture(autouse=True)
def _own_data(monkeypatch):
    monkeypatch.setattr(checks, "_yield_datasets", own_datasets)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.signal)
def test_every_detector_passes_rivers_estimator_checks(detector):
    ran = 0
    for check in checks.yield_checks(detector()):
        if check.__name__ not in detector()._unit_test_skips():
            check(detector())
            ran += 1
    assert ran > 20


def test_no_detector_skips_a_check():
    assert all(not d()._unit_test_skips() for d in DETECTORS)


def test_every_detector_of_the_package_is_in_the_bank_and_in_a_file_of_its_own():
    found = {}
    for module in pkgutil.iter_modules(detectors.anomaly.__path__):
        loaded = importlib.import_module(f"detectors.anomaly.{module.name}")
        for value in vars(loaded).values():
            is_ours = isinstance(value, type) and issubclass(value, Detector)
            if is_ours and getattr(value, "signal", None) and value.__module__ == loaded.__name__:
                found.setdefault(loaded.__name__, []).append(value)
    assert all(len(classes) == 1 for classes in found.values())
    assert {c for classes in found.values() for c in classes} == set(DETECTORS)
    assert tuple(d.signal for d in DETECTORS) == SIGNALS
    assert len(set(SIGNALS)) == len(SIGNALS) == 7


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.signal)
def test_a_detector_composes_in_a_river_pipeline(detector):
    pipeline = compose.Pipeline(
        ("keep", compose.Select("mentions", "negative", "authors", "reach", "top_reach")),
        ("floor", preprocessing.StatImputer()),
        ("score", detector()),
    )
    last = 0.0
    for x, _ in OwnData(1700):
        last = pipeline.score_one(x)
        pipeline.learn_one(x)
    assert last >= 0.0
    assert pipeline["score"].seen_s == 1700 * 60
