"""Dedupe against a plain model: what rests, is put away or is restored changes nothing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.pipeline import dedupe, runs
from streams.pipeline.dedupe import FORGET_EVERY_S, HOUR_S, SLOT_S, Horizon, Known, id_hash
from streams.pipeline.runs import Keep, in_memory
from streams.worker.scratch import Scratch

HORIZON_S = 3 * HOUR_S
MOST_MOVE_S = 1800
STEPS = st.lists(
    st.tuples(
        st.integers(0, 40),  # which mention
        st.integers(0, 2),  # which revision of it
        st.one_of(st.integers(0, 120), st.integers(0, 4 * HOUR_S)),  # how long it was on its way
        st.one_of(st.just(0), st.integers(0, MOST_MOVE_S)),  # how far the watermark moves then
        # The brand may come to rest, and the worker may restore its last flush.
        st.sampled_from(["go", "go", "rest", "flush", "die"]),
    ),
    max_size=80,
)


class Changelog:
    """What the worker has written, and what a restart makes of it."""

    def __init__(self) -> None:
        self.segments: dict[str, bytes] = {}

    def write(self, seen: Horizon) -> None:
        for name, value in seen.changes().items():
            if value is None:
                self.segments.pop(name, None)
            else:
                self.segments[name] = value

    def restored(self, extents: dict[int, Any], known: Known | None, keep: Keep) -> Horizon:
        return Horizon.restore(self.segments, extents, known, keep)


@pytest.fixture(scope="module", params=["memory", "scratch"])
def keep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Keep:
    """Where ids go that are seldom asked for."""
    if request.param == "memory":
        return in_memory
    scratch = Scratch(tmp_path_factory.mktemp("scratch"))
    return scratch.keep


@pytest.fixture(scope="module", autouse=True)
def _small() -> Any:
    """Segments of three ids, runs of four segments, few small slots: all happens in a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dedupe, "SEGMENT_IDS", 3)
        patch.setattr(dedupe, "SEGMENT_BYTES", 3 * dedupe.ID_BYTES)
        patch.setattr(dedupe, "MOST_RUN_BYTES", 4 * 3 * dedupe.ID_BYTES)
        patch.setattr(runs, "YOUNG_IDS", 2)
        patch.setattr(runs, "MOST_RUN_BYTES", 4 * 3 * dedupe.ID_BYTES)
        patch.setattr(dedupe, "MOST_SLOTS", 3)
        patch.setattr(dedupe, "MOST_SLOT_IDS", 4)
        patch.setattr("streams.worker.scratch.SMALLEST_BYTES", 1)
        yield


@given(steps=STEPS, torn=st.booleans())
def test_a_mention_is_new_once_within_the_horizon(
    keep: Keep, steps: list[tuple[int, int, int, int, str]], torn: bool
) -> None:
    seen, changelog = Horizon(keep), Changelog()
    hours: dict[int, set[tuple[int, int, int]]] = {}
    used_s: dict[int, float] = {}
    now_s = 1_000_000.0
    flushed: Any = ({}, None, {}, now_s, {})
    for mention, revision, age_s, moves_s, then in steps:
        slot = int((now_s - age_s) // SLOT_S)
        hour = int((now_s - age_s) // HOUR_S)
        ids = hours.setdefault(hour, set())
        expected = "revision" if (slot, mention, 0) in ids else "fresh"
        if (slot, mention, revision) in ids:
            expected = "repeat"
        found = seen.admit(
            f"forum:{mention}", revision, published_s=now_s - age_s, watermark_s=now_s
        )
        assert found == expected
        ids |= {(slot, mention, 0), (slot, mention, revision)}
        used_s[hour] = now_s
        now_s += moves_s
        seen.forget(watermark_s=now_s, horizon_s=HORIZON_S)
        quarter_s = now_s // FORGET_EVERY_S * FORGET_EVERY_S
        for gone in [h for h in hours if used_s[h] < quarter_s - HORIZON_S]:
            del hours[gone]
        assert len(seen) == sum(map(len, hours.values()))
        if then == "rest":
            seen.rest()
        elif then == "flush":
            changelog.write(seen)
            copied = {h: set(ids) for h, ids in hours.items()}
            flushed = (seen.extents(), seen.known, copied, now_s, dict(used_s))
        elif then == "die":
            if torn:
                before = dict(changelog.segments)
                changelog.write(seen)
                changelog.segments = before | changelog.segments  # deletions come after `hot`
            extents, known, hours, now_s, used_s = flushed
            hours, used_s = {h: set(ids) for h, ids in hours.items()}, dict(used_s)
            if known is None:
                seen, changelog = Horizon(keep), Changelog()
            else:
                seen = changelog.restored(extents, known, keep)
            assert len(seen) == sum(map(len, hours.values()))


def test_ids_of_before_there_were_slots_are_known_until_they_are_forgotten(keep: Keep) -> None:
    names = [f"forum:{n}" for n in range(8)]
    hashes = b"".join(id_hash(name) for name in names)
    size = dedupe.SEGMENT_BYTES
    head = (7200).to_bytes(8)
    old = {f"1.{n}": head + hashes[n * size : (n + 1) * size] for n in range(3)}
    changelog = Changelog()
    changelog.segments = dict(old)
    seen = changelog.restored({1: (8, 7200.0)}, None, keep)
    for _ in range(2):
        assert len(seen) == 8
        for name in names:
            # In any of the hour's slots: such a hash does not tell which.
            assert seen.admit(name, 0, published_s=5000.0, watermark_s=7200.0) == "repeat"
        assert seen.admit("forum:0", 0, published_s=7300.0, watermark_s=7300.0) != "revision"
        changelog.write(seen)
        seen = changelog.restored({1: (8, 7200.0)}, seen.known, keep)


def test_slots_stay_in_memory_for_a_while_only_though_no_watermark_moves() -> None:
    seen = Horizon()
    for n in range(50):
        at_s = float(SLOT_S * (n * 7 % 50))
        assert seen.admit(f"forum:{n}", 0, published_s=at_s, watermark_s=0.0) == "fresh"
        assert len(seen._slots) <= dedupe.MOST_SLOTS


@given(st.sets(st.binary(min_size=8, max_size=8), max_size=60), st.binary(min_size=8, max_size=8))
def test_a_run_holds_its_ids_and_no_other_however_uneven(ids: set[bytes], other: bytes) -> None:
    kept = runs.with_run((), b"".join(ids), in_memory)
    assert all(runs.holds(run, digest) for run in kept for digest in ids)
    assert any(runs.holds(run, other) for run in kept) == (other in ids)


def test_space_of_what_was_dropped_is_used_again(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    seen = Horizon(scratch.keep)
    for n in range(200):
        for k in range(20):
            seen.admit(f"forum:{n}/{k}", 0, published_s=n * 60.0, watermark_s=n * 60.0)
        seen.forget(watermark_s=n * 60.0, horizon_s=HOUR_S)
        seen.changes()
        if n == 150:
            size = scratch.size
    assert 0 < scratch.size <= size
