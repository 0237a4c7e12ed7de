"""Who is on call, and who is next."""

from datetime import UTC, datetime, time, timedelta

import pytest
from pydantic import ValidationError

from response.ladder import due, on_call
from response.settings import OncallSettings, PersonSettings, ShiftSettings, StepSettings

PEOPLE = {name: PersonSettings() for name in ("sari", "budi", "dewi")}
ROTA = OncallSettings(
    people=PEOPLE,
    shifts=(
        ShiftSettings(
            days=("mon", "tue", "wed", "thu", "fri"), start=time(8), until=time(20), who=("sari",)
        ),
        ShiftSettings(days=("fri",), start=time(20), until=time(6), who=("dewi",)),
        ShiftSettings(who=("budi",)),
    ),
)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)  # 07:00 in Jakarta


@pytest.mark.parametrize(
    ("hours", "who"),
    [
        (0.9, "budi"),  # Monday 07:54
        (1.0, "sari"),  # Monday 08:00: a shift begins at its start
        (13.0, "budi"),  # Monday 20:00: and ends before its end
        (4 * 24 + 14, "dewi"),  # Friday 21:00
        (4 * 24 + 22, "dewi"),  # Saturday 05:00: Friday's night shift
        (4 * 24 + 23, "budi"),  # Saturday 06:00
    ],
)
def test_the_first_shift_that_holds_now_wins(hours: float, who: str) -> None:
    assert on_call(ROTA, "Asia/Jakarta", now=MONDAY + timedelta(hours=hours)) == (who,)


def test_without_a_rota_nobody_is_on_call() -> None:
    assert on_call(OncallSettings(), "Asia/Jakarta", now=MONDAY) == ()


def test_a_shift_of_somebody_unknown_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match=r"oncall\.people\.NAME.*: ari"):
        OncallSettings(people=PEOPLE, shifts=(ShiftSettings(who=("ari",)),))


LADDER = (
    StepSettings(after_minutes=60, who=("dewi",), min_level="crisis"),
    StepSettings(after_minutes=15, who=("budi",)),
)


def step(minutes: float, level: int = 3, told: int = 0) -> tuple[int, tuple[str, ...]] | None:
    now = MONDAY + timedelta(minutes=minutes)
    found = due(LADDER, level=level, opened_at=MONDAY, told=told, now=now)
    return (found[0], found[1].who) if found else None


def test_the_ladder_climbs_by_time_and_tells_each_step_once() -> None:
    assert step(14.9) is None
    assert step(15) == (1, ("budi",))
    assert step(40, told=1) is None
    assert step(61, told=1) == (2, ("dewi",))
    assert step(600, told=2) is None


def test_after_an_outage_only_the_last_step_is_told() -> None:
    assert step(90) == (2, ("dewi",))


def test_management_hears_of_a_crisis_only() -> None:
    assert step(90, level=2) == (1, ("budi",))
    assert step(90, level=1) is None
