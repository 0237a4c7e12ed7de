"""Dedupe against a plain model: hours that rest, come back or are restored change nothing."""

from hypothesis import given
from hypothesis import strategies as st

from streams.pipeline.dedupe import FORGET_EVERY_S, HOUR_S, RESTS_AFTER_S, Horizon

HORIZON_S = 3 * HOUR_S
STEPS = st.lists(
    st.tuples(
        st.integers(0, 40),  # which mention
        st.integers(0, 4 * HOUR_S),  # how long it was on its way
        st.integers(0, 2 * RESTS_AFTER_S),  # how far the watermark moves then
        st.booleans(),  # whether the worker dies and restores the state
    ),
    max_size=60,
)


def restored(seen: Horizon, kept: dict[str, bytes]) -> Horizon:
    """What a restart makes of the changelog."""
    for name, value in seen.changes().items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    again = Horizon()
    for name, value in kept.items():
        again.load(name, value)
    again.cut(seen.extents())
    return again


@given(STEPS)
def test_a_mention_is_new_once_within_the_horizon(steps: list[tuple[int, int, int, bool]]) -> None:
    seen, kept = Horizon(), dict[str, bytes]()
    hours: dict[int, set[int]] = {}
    used_s: dict[int, float] = {}
    now_s = 1_000_000.0
    for mention, age_s, moves_s, dies in steps:
        published_s = now_s - age_s
        hour = int(published_s // HOUR_S)
        found = seen.admit(f"forum:{mention}", 0, published_s=published_s, watermark_s=now_s)
        assert (found == "repeat") == (mention in hours.get(hour, ()))
        hours.setdefault(hour, set()).add(mention)
        used_s[hour] = now_s
        now_s += moves_s
        seen.forget(watermark_s=now_s, horizon_s=HORIZON_S)
        quarter_s = now_s // FORGET_EVERY_S * FORGET_EVERY_S
        for old in [h for h in hours if used_s[h] < quarter_s - HORIZON_S]:
            del hours[old]
        assert len(seen) == sum(map(len, hours.values()))
        if dies:
            seen = restored(seen, kept)
            assert len(seen) == sum(map(len, hours.values()))
