"""Whatever dies and whenever: after recovery and replay the state is that of an undisturbed run."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.anomaly.bank import BankConfig
from detectors.language.understanding import Language
from streams import codec
from streams.pipeline import dedupe, recovered, shelf
from streams.pipeline.config import PipelineConfig
from streams.pipeline.decode import Origin
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.recovered import Recovered
from streams.pipeline.state import PartitionState
from streams.records import Batch, Mention, Tick
from streams.worker import scratch

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BRANDS = ("toko", "kurir")
READER = Language()
PIPELINE = Pipeline(PipelineConfig(brands=frozenset(BRANDS), lateness_s=60), READER)
TEXTS = ("paket belum sampai, kecewa", "mantap cepat sekali", "jam buka berapa ya?")


SCRATCH = scratch.Scratch(Path(tempfile.gettempdir()))


@pytest.fixture(scope="module", autouse=True)
def _small_segments() -> Iterator[None]:
    """Three ids a segment, every full one in the scratch file; few open minutes a value."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "MOST_HOT", 1)
        patch.setattr(shelf, "GROUP_S", 120)
        patch.setattr(dedupe, "SEGMENT_IDS", 3)
        patch.setattr(dedupe, "SEGMENT_BYTES", 3 * dedupe.ID_BYTES)
        patch.setattr(recovered, "SEGMENT_BYTES", 3 * dedupe.ID_BYTES)
        patch.setattr(scratch, "SMALLEST_BYTES", 1)
        yield


@st.composite
def records(draw: st.DrawFn) -> list[bytes]:
    """A partition's records: batches with repeats and late mentions, and ticks in between."""
    out: list[bytes] = []
    clock = START
    for _ in range(draw(st.integers(4, 18))):
        if draw(st.booleans()):
            clock += timedelta(seconds=draw(st.integers(1, 400)))
            tick = Tick(source="forum", watermark=clock - timedelta(seconds=20), clock=clock)
            out.append(codec.encode(tick))
        else:
            brand = draw(st.sampled_from(BRANDS))
            # Between two ticks time passes by what batches say, if they are to be believed.
            collected = clock + timedelta(seconds=draw(st.sampled_from((0, 1, 4, 12, 90))))
            storm = draw(st.integers(0, 3)) == 0
            mentions = tuple(
                Mention(
                    id=f"forum:{draw(st.integers(0, 40))}",
                    source="forum",
                    author=f"a{draw(st.integers(0, 5))}",
                    text=draw(st.sampled_from(TEXTS)),
                    published_at=clock - timedelta(seconds=draw(st.integers(0, 300))),
                    collected_at=collected,
                    revision=draw(st.integers(0, 1)),
                )
                for _ in range(draw(st.integers(1, 6)))
            )
            if storm:
                mentions += tuple(
                    _complaint(n, collected) for n in range(draw(st.integers(8, 120)))
                )
            out.append(codec.encode(Batch(brand=brand, mentions=mentions)))
    # The end closes everything, so that two runs can be compared by their closed minutes.
    end = clock + timedelta(hours=1)
    out.append(codec.encode(Tick(source="forum", watermark=end, clock=end)))
    return out


def _complaint(n: int, collected: datetime) -> Mention:
    """One of many: what makes a batch worth a look before the next tick."""
    return Mention(
        id=f"forum:storm-{collected:%H%M%S}-{n}",
        source="forum",
        author=f"b{n}",
        text=TEXTS[0],
        published_at=collected - timedelta(seconds=n),
        collected_at=collected,
    )


class Disk:
    """A changelog and a committed offset; a crash keeps a prefix of what is being written."""

    def __init__(self) -> None:
        self.changelog: list[tuple[str, bytes | None]] = []
        self.committed = 0
        self.torn_at = 0
        """How far a torn flush went: a compaction lags behind its replay."""
        self.outputs: dict[str, bytes] = {}

    def flush(self, state: PartitionState, outputs: dict[str, bytes], upto: int) -> None:
        self.outputs |= outputs
        self.changelog += state.changes()
        self.changelog.append(state.marks_change())
        self.committed = upto

    def torn_flush(
        self, state: PartitionState, outputs: dict[str, bytes], kept: int, upto: int
    ) -> None:
        self.torn_at = max(self.torn_at, upto)
        self.outputs |= outputs
        writes = [*state.changes(), state.marks_change()]
        self.changelog += writes[: min(kept, len(writes) - 1)]

    def compact(self) -> None:
        """Keep the newest value of each key, where it stands."""
        if self.committed >= self.torn_at:
            newest = {key: n for n, (key, _) in enumerate(self.changelog)}
            kept = sorted(newest.values())
            self.changelog = [self.changelog[n] for n in kept if self.changelog[n][1] is not None]

    def recover(self) -> PartitionState:
        found = Recovered(SCRATCH.keep)
        for key, value in self.changelog:
            found.feed(key, value)
        return found.take(0, BankConfig(), SCRATCH.keep)


def play(raw: list[bytes], steps: list[tuple[str, int]]) -> tuple[PartitionState, Disk]:
    """Take all records; after some of them flush or crash as `steps` says."""
    disk = Disk()
    state = PartitionState(0, BankConfig(), SCRATCH.keep)
    offset, pending = 0, {}
    plan = iter(steps)
    while offset < len(raw):
        out = PIPELINE.apply(state, raw[offset], origin=Origin("m", 0, offset), now=START)
        pending |= {_output_id(entry.topic, entry.value): entry.value for entry in out.entries}
        offset += 1
        action, kept = next(plan, ("flush", 0))
        if action == "flush":
            disk.flush(state, pending, offset)
            pending = {}
            if kept % 2:
                disk.compact()
        elif action == "crash":
            disk.torn_flush(state, pending, kept, offset)
            pending = {}
            state = disk.recover()
            offset = disk.committed
    disk.flush(state, pending, offset)
    return state, disk


def _output_id(topic: str, value: bytes) -> str:
    if "scored" in topic:
        return codec.scored.decode(value).id
    if "minutes" in topic:
        return codec.minute.decode(value).id
    if "incidents" in topic:
        incident = codec.incident.decode(value)
        return f"{incident.id}#{incident.sequence}"
    return codec.dead_letter.decode(value).id


STEPS = st.lists(
    st.tuples(st.sampled_from(["go", "flush", "crash", "crash"]), st.integers(0, 8)), max_size=24
)


@given(raw=records(), steps=STEPS)
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_crashes_at_any_point_change_no_count_and_no_output(
    raw: list[bytes], steps: list[tuple[str, int]]
) -> None:
    undisturbed, calm = play(raw, [])
    disturbed, storm = play(raw, steps)
    assert set(storm.outputs) == set(calm.outputs)
    for name, value in calm.outputs.items():
        if '"counts"' in value.decode():
            counts = codec.minute.decode(storm.outputs[name]).counts
            assert counts == codec.minute.decode(value).counts
    for at, brand in undisturbed.brands.items():
        other = disturbed.brands[at]
        assert other.hot.totals == brand.hot.totals
        assert other.hot.late == brand.hot.late
        assert other.hot.repeats == brand.hot.repeats
        assert other.hot.closed_through_s == brand.hot.closed_through_s
        assert len(other.seen) == len(brand.seen)
        assert other.bank.snapshot() == brand.bank.snapshot()
        assert other.incident == brand.incident


@given(raw=records())
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_a_record_that_is_covered_changes_nothing(raw: list[bytes]) -> None:
    state = PartitionState(0, BankConfig())
    for offset, value in enumerate(raw):
        PIPELINE.apply(state, value, origin=Origin("m", 0, offset), now=START)
    totals = {at: dict(brand.hot.totals) for at, brand in state.brands.items()}
    for offset, value in enumerate(raw):
        again = PIPELINE.apply(state, value, origin=Origin("m", 0, offset), now=START)
        assert not again.entries
    assert {at: dict(brand.hot.totals) for at, brand in state.brands.items()} == totals


def test_a_worker_back_from_a_pause_overwrites_nothing() -> None:
    raw = [
        codec.encode(
            Batch(
                brand="toko",
                mentions=(
                    Mention(
                        id=f"forum:{n}",
                        source="forum",
                        text=TEXTS[0],
                        published_at=START,
                        collected_at=START,
                    ),
                ),
            )
        )
        for n in range(4)
    ]
    paused, owner = PartitionState(0, BankConfig()), PartitionState(0, BankConfig())
    for offset in range(2):
        PIPELINE.apply(paused, raw[offset], origin=Origin("m", 0, offset), now=START)
    for offset in range(4):
        PIPELINE.apply(owner, raw[offset], origin=Origin("m", 0, offset), now=START)
    found = Recovered()
    for key, value in [*owner.changes(), *paused.changes()]:  # the stale flush arrives last
        found.feed(key, value)
    state = found.take(0, BankConfig())
    assert sum(state.brands["live", "toko"].hot.totals.values()) == 4
    assert state.brands["live", "toko"].hot.applied == 3
