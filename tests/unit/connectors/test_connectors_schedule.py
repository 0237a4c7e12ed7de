"""When to ask again."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ingest.schedule import Backoff, Budget, jittered, limited_for_s, retry_after_s

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 17 ", 17),
        ("999999", 3600),
        ("9" * 5000, 3600),
        ("Wed, 01 Jan 2025 00:01:00 GMT", 60),
        ("Tue, 31 Dec 2024 23:00:00 GMT", 0),
        ("Wednesday, 01-Jan-25 00:01:00 GMT", 60),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_reads_seconds_and_dates(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=NOW) == seconds


@given(st.text(max_size=40))
def test_retry_after_never_raises_and_stays_in_bounds(value: str) -> None:
    found = retry_after_s(value, now=NOW)
    assert found is None or 0 <= found <= 3600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "5", "X-RateLimit-Remaining": "0"}, 5),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, 30),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 9)}, 9),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "2025-01-01T00:00:20Z"}, 20),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "nan"}, None),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "30"}, None),
        ({}, None),
    ],
)
def test_rate_limit_headers_say_how_long(headers: dict[str, str], seconds: float | None) -> None:
    assert limited_for_s(headers, now=NOW) == seconds


def test_backoff_grows_to_its_cap_and_never_hammers() -> None:
    backoff, rng = Backoff(base_s=1, cap_s=60), random.Random(1)
    for failures in (1, 3, 10, 100_000):
        ceiling = min(60, 2 ** min(failures - 1, 64))
        waits = [backoff.wait_s(failures, rng) for _ in range(200)]
        assert ceiling / 10 <= min(waits) <= max(waits) <= ceiling


def test_polls_of_many_sources_do_not_fall_in_step() -> None:
    rng = random.Random(1)
    waits = {round(jittered(60, rng), 3) for _ in range(100)}
    assert len(waits) > 90
    assert 54 <= min(waits) <= max(waits) <= 66


def test_a_budget_is_never_overdrawn() -> None:
    budget, taken, now = Budget(per_window=10, window_s=60), 0, 0.0
    while now < 600:
        wait = budget.wait_s(1, now=now)
        if wait == 0:
            taken += 1
        else:
            now += wait + 1e-6  # rounding must not make it wait twice
    assert 100 <= taken <= 111
