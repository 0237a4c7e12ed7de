"""What is worth a notification."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from response.notify.decide import Told, decide


def test_a_new_incident_at_the_level_is_told(make: SimpleNamespace) -> None:
    assert decide(None, make.incident(level=2), 2) == "firing"


def test_an_incident_below_the_level_is_not_told(make: SimpleNamespace) -> None:
    assert decide(None, make.incident(level=1), 2) is None


def test_a_change_of_level_is_told_in_both_directions(make: SimpleNamespace) -> None:
    assert decide(Told(4, 2), make.incident(level=3, sequence=5), 2) == "firing"
    assert decide(Told(4, 3), make.incident(level=1, sequence=5), 2) == "firing"


def test_who_takes_it_is_told_once(make: SimpleNamespace) -> None:
    taken = make.incident(level=3, sequence=9, change="acknowledged", acknowledged_by="sari")
    assert decide(Told(4, 3), taken, 1) == "acknowledged"
    assert decide(Told(4, 3, acknowledged=True), taken, 1) is None
    assert decide(None, make.incident(level=1, sequence=9, acknowledged_by="sari"), 2) is None


def test_a_refresh_of_evidence_or_a_snooze_is_not_told(make: SimpleNamespace) -> None:
    for change in ("evidence", "snoozed"):
        incident = make.incident(level=3, sequence=9, change=change)
        assert decide(Told(4, 3), incident, 1) is None


def test_a_repeat_is_never_told(make: SimpleNamespace) -> None:
    assert decide(Told(5, 1), make.incident(level=3, sequence=5), 1) is None
    assert decide(Told(5, 1), make.incident(level=3, sequence=4), 1) is None


def test_what_was_never_told_is_never_resolved(make: SimpleNamespace) -> None:
    over = make.incident(level=0, closed_at=make.now, sequence=7)
    assert decide(None, over, 1) is None
    assert decide(Told(6, 0), over, 1) is None
    assert decide(Told(6, 2), over, 1) == "resolved"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30),
    st.integers(1, 3),
)
def test_firing_and_resolved_alternate_and_every_end_is_told(
    steps: list[tuple[int, bool]], least: int
) -> None:
    import msgspec

    from streams.records import Incident

    told: Told | None = None
    open_ = False
    for sequence, (level, repeat) in enumerate(steps):
        base = _INCIDENT | {"level": level, "sequence": sequence}
        incident = msgspec.convert(base, Incident)
        for _ in range(2 if repeat else 1):
            status = decide(told, incident, least)
            if status == "firing":
                assert level > 0
                open_ = True
            elif status == "resolved":
                assert open_
                open_ = False
            if status:
                told = Told(sequence, level if status == "firing" else 0)
        if level == 0:
            assert not open_


_INCIDENT = {
    "id": "live/kirana/1",
    "brand": "kirana",
    "peak": 3,
    "signal": "volume",
    "onset": "2026-03-02T03:00:00Z",
    "opened_at": "2026-03-02T03:00:00Z",
    "updated_at": "2026-03-02T03:00:00Z",
    "observed": 1.0,
    "expected": 1.0,
    "upper": 1.0,
    "score": 1.0,
}
