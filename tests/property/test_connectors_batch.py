"""Batches hold everything once, in order, within their bounds."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connectors.ingest.batch import Batcher
from streams.records import Batch, Mention

NOW = datetime(2025, 1, 1, tzinfo=UTC)
events = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 400), st.floats(0, 0.3)), max_size=80
)


@given(events, st.integers(1, 9), st.integers(300, 2000))
def test_every_mention_leaves_once_in_order_within_bounds_and_in_time(
    arrivals: list[tuple[str, int, float]], most: int, most_bytes: int
) -> None:
    batcher = Batcher("r", max_mentions=most, max_bytes=most_bytes, wait_s=0.2)
    left: list[tuple[float, Batch]] = []
    came: dict[str, float] = {}
    now = 0.0
    for n, (brand, size, gap) in enumerate(arrivals):
        now += gap
        left += [(now, b) for b in batcher.due(now=now)]
        mention = Mention(
            id=f"s:{n}", source="s", published_at=NOW, collected_at=NOW, text="x" * size
        )
        came[mention.id] = now
        left += [(now, b) for b in batcher.add(brand, mention, now=now)]
    assert len(batcher) == len(arrivals) - sum(len(b.mentions) for _, b in left)
    left += [(now, b) for b in batcher.flush()]
    for brand in "abc":
        got = [m.id for _, b in left if b.brand == brand for m in b.mentions]
        assert got == [f"s:{n}" for n, a in enumerate(arrivals) if a[0] == brand]
    longest_gap = max((gap for _, _, gap in arrivals), default=0.0)
    for at, batch in left:
        assert 1 <= len(batch.mentions) <= most
        size = sum(len(msgspec.json.encode(m)) for m in batch.mentions)
        assert size <= most_bytes or len(batch.mentions) == 1
        assert at - came[batch.mentions[0].id] <= 0.2 + longest_gap


def test_the_first_mention_of_a_quiet_brand_leaves_at_once_and_the_next_wait_for_company() -> None:
    batcher = Batcher("r", wait_s=0.2)

    def add(n: int, now: float) -> None:
        mention = Mention(id=f"s:{n}", source="s", published_at=NOW, collected_at=NOW)
        assert batcher.add("a", mention, now=now) == []

    add(0, 10.0)
    assert [len(b.mentions) for b in batcher.due(now=10.0)] == [1]
    for n in range(1, 6):
        add(n, 10.0 + n / 100)
        assert batcher.due(now=10.0 + n / 100) == []
    assert [len(b.mentions) for b in batcher.due(now=10.25)] == [5]
    add(6, 10.5)
    assert [len(b.mentions) for b in batcher.due(now=10.5)] == [1]
