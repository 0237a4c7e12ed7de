"""The flow on Bytewax: `python -m bytewax.run bytewax_flow:flow -r FOLDER -s 10 -b 0`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from work import Batched, Brand, Natural, Progress, count, judged, seconds

BROKERS = [os.environ["BENCH_KAFKA"]]
TOPIC, OUT = os.environ["BENCH_TOPIC"], os.environ["BENCH_OUT"]
BATCHED = os.environ["BENCH_BATCHED"] == "1"
progress = Progress()
flow = Dataflow("bench")
source = kop.input("in", flow, brokers=BROKERS, topics=[TOPIC], batch_size=10 if BATCHED else 1000)


def natural() -> Any:
    """One mention a record."""
    way = Natural()

    def fold(state: Brand | None, mention: dict[str, Any]) -> tuple[Brand, list[Any]]:
        state = state or Brand()
        progress.add(1)
        if not state.fresh(mention["id"]):
            return state, []
        bad = mention["sentiment"] == "negative"
        closed = count(state.open, seconds(mention["published_at"]), negative=bad)
        return state, [mention, *judged(closed, state.scorer)]

    read = op.map("read", source.oks, lambda m: (m.key.decode(), way.read(m.value)))
    counted = op.stateful_map("count", read, fold)
    each = op.flat_map_value("each", counted, lambda found: found)
    return op.map(
        "encode", each, lambda kv: KafkaSinkMessage(kv[0].encode(), json.dumps(kv[1]).encode())
    )


def batched() -> Any:
    """Our records and our model."""
    way = Batched()

    def fold(state: Brand | None, scored: list[Any]) -> tuple[Brand, list[Any]]:
        state = state or Brand()
        progress.add(len(scored))
        fresh = [s for s in scored if state.fresh(s.mention.id)]
        closed = [
            minute
            for s in fresh
            for minute in count(
                state.open,
                s.mention.published_at.timestamp(),
                negative=s.sentiment == "negative",
            )
        ]
        return state, [fresh, judged(closed, state.scorer)]

    read = op.map("read", source.oks, lambda m: (m.key.decode(), way.read(m.value)))
    real = op.filter("no_ticks", read, lambda kv: bool(kv[1]))
    counted = op.stateful_map("count", real, fold)

    def encode(kv: tuple[str, list[Any]]) -> list[KafkaSinkMessage[bytes, bytes]]:
        brand, (fresh, closed) = kv
        key = brand.encode()
        found = [KafkaSinkMessage(key, way.encode(brand, fresh))]
        return found + [KafkaSinkMessage(key, json.dumps(minute).encode()) for minute in closed]

    return op.flat_map("encode", counted, encode)


kop.output(
    "out",
    batched() if BATCHED else natural(),
    brokers=BROKERS,
    topic=OUT,
)
