"""The flow on Quix Streams: `python quix_flow.py`."""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from quixstreams import Application, State
from work import Batched, Natural, Open, Progress, count, judged, scorer, seconds

progress = Progress()
app = Application(
    broker_address=os.environ["BENCH_KAFKA"],
    consumer_group=os.environ["BENCH_GROUP"],
    auto_offset_reset="earliest",
    state_dir=os.environ["BENCH_STATE"],
    commit_interval=5.0,
    loglevel="WARNING",
)


def scored_minutes(state: State, table: Open, closed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the open minutes; score the closed ones with the brand's scorer."""
    state.set("open", table)
    if closed:
        kept = state.get_bytes("scorer")
        score = pickle.loads(kept) if kept else scorer()  # noqa: S301 - our own state
        judged(closed, score)
        state.set_bytes("scorer", pickle.dumps(score))
    return closed


def natural() -> None:
    """One mention a record."""
    way = Natural()
    topic = app.topic(os.environ["BENCH_TOPIC"], value_deserializer="bytes")
    out = app.topic(os.environ["BENCH_OUT"], value_serializer="json")

    def fold(mention: dict[str, Any], state: State) -> list[dict[str, Any]]:
        progress.add(1)
        if state.exists(mention["id"]):
            return []
        state.set(mention["id"], 1)
        table: Open = state.get("open", {})
        bad = mention["sentiment"] == "negative"
        closed = count(table, seconds(mention["published_at"]), negative=bad)
        return [mention, *scored_minutes(state, table, closed)]

    frame = app.dataframe(topic).apply(way.read)
    frame.apply(fold, stateful=True, expand=True).to_topic(out)


def batched() -> None:
    """Our records and our model."""
    way = Batched()
    topic = app.topic(os.environ["BENCH_TOPIC"], value_deserializer="bytes")
    out = app.topic(os.environ["BENCH_OUT"], value_serializer="bytes")

    def fold(scored: list[Any], state: State) -> bytes:
        progress.add(len(scored))
        table: Open = state.get("open", {})
        fresh, closed = [], []
        for one in scored:
            if state.exists(one.mention.id):
                continue
            state.set(one.mention.id, 1)
            fresh.append(one)
            at_s = one.mention.published_at.timestamp()
            closed += count(table, at_s, negative=one.sentiment == "negative")
        scored_minutes(state, table, closed)
        return way.encode("brand", fresh)

    frame = app.dataframe(topic).apply(way.read).filter(bool)
    frame.apply(fold, stateful=True).to_topic(out)


if os.environ["BENCH_BATCHED"] == "1":
    batched()
else:
    natural()
app.run()
