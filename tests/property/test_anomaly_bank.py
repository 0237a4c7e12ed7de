"""What holds of the bank for any minutes: finite, pure, monotone, replayable, small."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.anomaly.bank import Bank, BankConfig, Features, UnknownSnapshot

START_S = 1_750_000_020
SOON = BankConfig(warm_up_s=600)

counts = st.integers(0, 400)


@st.composite
def minutes(draw):
    mentions = draw(counts)
    return Features(
        mentions=mentions,
        negative=mentions * draw(st.floats(0, 1)),
        authors=math.ceil(mentions * draw(st.floats(0, 1))),
        reach=draw(st.floats(0, 1e12)),
        top_reach=draw(st.floats(0, 1e9)),
    )


steps = st.one_of(
    minutes().map(lambda x: ("minute", x)),
    minutes().map(lambda x: ("held", x)),
    st.integers(1, 5000).map(lambda n: ("quiet", n)),
    st.integers(1, 5000).map(lambda n: ("gap", n)),
)


def play(bank, history, at=START_S):
    for kind, what in history:
        if kind == "quiet":
            bank.learn_quiet(what, start_s=at)
            at += 60 * what
        elif kind == "gap":
            at += 60 * what
        else:
            bank.learn_one(what, start_s=at, held=kind == "held")
            at += 60
    return at


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=25), minutes(), st.floats(0.01, 1))
def test_readings_are_finite_and_in_order_whatever_happened_before(history, x, elapsed):
    bank = Bank(SOON)
    at = play(bank, history)
    for r in bank.score_one(x, start_s=at, elapsed_ratio=elapsed):
        values = [r.observed, r.expected, r.upper, *([] if r.score is None else [r.score])]
        assert all(math.isfinite(v) and v >= 0.0 for v in values), r
        assert (r.score is None) == r.warming


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=20), minutes())
def test_scoring_changes_nothing(history, x):
    bank = Bank(SOON)
    at = play(bank, history)
    before = bank.snapshot()
    first = bank.score_one(x, start_s=at)
    assert bank.score_one(x, start_s=at) == first
    assert bank.snapshot() == before


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=20), st.lists(steps, max_size=10), minutes())
def test_a_bank_restored_in_the_middle_ends_where_the_other_one_does(before, after, x):
    whole = Bank(SOON)
    at = play(whole, before)
    snapshot = whole.snapshot()
    other = Bank.restore(SOON, snapshot)
    assert other.snapshot() == snapshot
    assert len(snapshot) <= 8192
    end = play(whole, after, at)
    play(other, after, at)
    assert other.snapshot() == whole.snapshot()
    assert other.score_one(x, start_s=end) == whole.score_one(x, start_s=end)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(minutes(), min_size=30, max_size=60),
    st.integers(1, 3000),
    st.integers(0, 3000),
    minutes(),
)
def test_quiet_minutes_at_once_are_quiet_minutes_one_by_one(history, first, second, x):
    together, single = Bank(SOON), Bank(SOON)
    for bank in (together, single):
        at = play(bank, [("minute", m) for m in history])
    together.learn_quiet(first + second, start_s=at)
    single.learn_quiet(first, start_s=at)
    for i in range(second):
        single.learn_one(Features(), start_s=at + 60 * (first + i))
    end = at + 60 * (first + second)
    for a, b in zip(
        together.score_one(x, start_s=end), single.score_one(x, start_s=end), strict=True
    ):
        assert a.expected == pytest.approx(b.expected, rel=1e-6, abs=1e-9)
        assert a.score == pytest.approx(b.score, rel=0.02, abs=0.02)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=25), minutes(), st.floats(0.01, 1))
def test_who_was_asked_between_two_minutes_learns_the_same(history, x, elapsed):
    asked, left_alone = Bank(SOON), Bank(SOON)
    at = START_S
    for what in history:
        asked.score_one(x, start_s=at, elapsed_ratio=elapsed)
        if what[0] == "minute":
            asked.score_one(what[1], start_s=at)
        play(left_alone, [what], at)
        at = play(asked, [what], at)
    assert asked.snapshot() == left_alone.snapshot()


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=25), st.lists(st.integers(1, 20), max_size=40))
def test_an_empty_stretch_that_is_calm_stays_calm(history, quiet):
    trusting, looking = Bank(SOON), Bank(SOON)
    at = play(trusting, history)
    play(looking, history)
    for steps_ in quiet:
        for d in looking.detectors:
            # Forget what the stretch was known not to exceed: each look is a new one.
            getattr(d, "engine", d)._falling = None
        looking.learn_quiet(steps_, start_s=at)
        trusting.learn_quiet(steps_, start_s=at)
        at += 60 * steps_
    assert trusting.snapshot() == looking.snapshot()


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=20), minutes(), st.floats(1, 50))
def test_more_is_never_less_surprising(history, x, times):
    bank = Bank(SOON)
    at = play(bank, [*history, *[("minute", Features(3, 1, 3, 900, 100))] * 30])
    more = Features(
        mentions=x.mentions * times,
        negative=x.negative * times,
        authors=x.authors * times,
        reach=x.reach * times,
        top_reach=x.top_reach * times,
    )
    small, large = bank.score_one(x, start_s=at), bank.score_one(more, start_s=at)
    for a, b in zip(small, large, strict=True):
        if a.signal != "negative_share":  # the same mix in larger numbers may be a milder share
            assert b.score >= a.score - 1e-9, (a, b)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=20), st.integers(1, 300), st.floats(0, 1), st.floats(0, 1))
def test_a_worse_mood_is_never_less_surprising(history, mentions, one, other):
    bank = Bank(SOON)
    at = play(bank, [*history, *[("minute", Features(3, 1, 3, 900, 100))] * 30])
    low, high = sorted((one, other))
    a, b = (
        bank.score_one(Features(mentions, mentions * share), start_s=at)[2] for share in (low, high)
    )
    assert b.score >= a.score - 1e-9


@settings(max_examples=40, deadline=None)
@given(minutes(), st.floats(0.05, 0.95))
def test_the_same_count_is_more_surprising_the_earlier_in_the_minute_it_is_reached(x, elapsed):
    bank = Bank(SOON)
    at = play(bank, [("minute", Features(8, 3, 7, 900, 100))] * 60)
    closed = {r.signal: r for r in bank.score_one(x, start_s=at)}
    open_ = {r.signal: r for r in bank.score_one(x, start_s=at, elapsed_ratio=elapsed)}
    for signal in ("volume", "negative", "authors"):
        assert open_[signal].score >= closed[signal].score - 1e-9
        assert open_[signal].expected <= closed[signal].expected


def test_a_snapshot_of_the_first_version_is_read_without_its_weekdays():
    bank = Bank(SOON)
    for minute in range(3000):
        bank.learn_one(Features(mentions=5 + minute % 4, negative=1.0), start_s=60 * minute)
    kept = []
    for d in bank.detectors:
        if hasattr(d, "engine"):
            d.engine.level.days_x = [0.0] * 7
            d.engine.level.days_n = [0.0] * 7
        state = d.state()
        kept += state[:-14] if hasattr(d, "engine") else state
    first = struct.pack(f"<B{len(kept)}d", 1, *kept)
    assert Bank.restore(SOON, first).snapshot() == bank.snapshot()


@pytest.mark.parametrize("bad", [b"", b"\x63", b"\x01", b"\x01" + bytes(80)])
def test_a_snapshot_that_cannot_be_read_says_so(bad):
    with pytest.raises(UnknownSnapshot, match="bank snapshot of"):
        Bank.restore(BankConfig(), bad)
