"""Topics, languages and flags of what was read are counted, each mention once."""

from datetime import UTC, datetime

import pytest

from streams.pipeline.outcome import Outcome
from streams.records import Mention, Scored, ScoredBatch
from streams.registry import REGISTRY
from streams.worker.metrics import observe

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
VALUES = (("topic", "delivery"), ("topic", "refund"), ("language", "unknown"), ("flag", "spam"))


def counted() -> list[float]:
    """The metric now."""
    return [
        REGISTRY.get_sample_value("siaga_readings_total", {"kind": kind, "value": value}) or 0.0
        for kind, value in VALUES
    ]


@pytest.mark.parametrize(
    ("run", "own", "fate", "added"),
    [
        ("live", False, "on_time", [1, 1, 1, 1]),
        ("live", False, "revision", [0, 0, 0, 0]),
        ("live", True, "on_time", [0, 0, 0, 0]),
        ("replay", False, "on_time", [0, 0, 0, 0]),
    ],
)
def test_readings_of_the_shown_run_are_counted_once(
    run: str, own: bool, fate: str, added: list[float]
) -> None:
    one = Scored(
        mention=Mention(id="a:1", source="a", published_at=NOW, collected_at=NOW, own=own),
        sentiment="negative",
        probabilities=(0.8, 0.1, 0.1),
        topics=("delivery", "refund"),
        flags=("spam",),
        fate=fate,  # type: ignore[arg-type]  # one of its values
    )
    outcome = Outcome(0)
    outcome.publish_scored(ScoredBatch("x", "toko", (one,), run))
    before = counted()
    observe(outcome, NOW, shown_run="live")
    assert [b - a for a, b in zip(before, counted(), strict=True)] == added
