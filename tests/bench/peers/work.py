"""What both peers do with mentions: the natural way, and with our batches and our model.

Natural: one mention a record, JSON, a River sentiment model, counts a brand and minute, a River
anomaly score a closed minute. Topics, lateness, revisions and incidents are left out, to their
favour. The state is a plain dictionary, so that each framework keeps it its own way.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

MINUTE_S = 60
LATENESS_MINUTES = 2
KNOWN_IDS = 10_000
"""Ids a brand that are remembered to drop repeats."""


class Progress:
    """Tells CPU seconds by mentions done, and ends the process when all are."""

    def __init__(self) -> None:
        self.total = int(os.environ["BENCH_MENTIONS"])
        self.every = self.total // 20
        self.done = 0

    def add(self, mentions: int) -> None:
        """Count mentions whose results have been handed to the output."""
        before, self.done = self.done, self.done + mentions
        if before // self.every != self.done // self.every:
            sys.stdout.write(json.dumps({"n": self.done, "cpu_s": time.process_time()}) + "\n")
            sys.stdout.flush()


class Natural:
    """A River sentiment model, taught at the start."""

    def __init__(self) -> None:
        from river import feature_extraction, linear_model

        self.model = feature_extraction.BagOfWords() | linear_model.SoftmaxRegression()
        for text, label in json.loads(Path(os.environ["BENCH_LABELS"]).read_text()):
            self.model.learn_one(text, label)

    def read(self, raw: bytes) -> dict[str, Any]:
        """Decode a mention and add its sentiment."""
        mention: dict[str, Any] = json.loads(raw)
        probabilities = self.model.predict_proba_one(mention["text"])
        mention["probabilities"] = probabilities
        mention["sentiment"] = max(probabilities, key=probabilities.get)
        return mention


Open = dict[str, list[int]]
"""[mentions, negative ones] by minute."""


def count(table: Open, published_s: float, *, negative: bool) -> list[dict[str, Any]]:
    """Count one mention; return the minutes that it closes."""
    minute = int(published_s) // MINUTE_S
    counts = table.setdefault(str(minute), [0, 0])
    counts[0] += 1
    counts[1] += negative
    old = [m for m in table if int(m) < minute - LATENESS_MINUTES] if len(table) > 1 else []
    closed = []
    for name in old:
        mentions, bad = table.pop(name)
        closed.append({"minute": int(name), "mentions": mentions, "negative": bad})
    return closed


def scorer() -> Any:
    """River's anomaly score of a brand."""
    from river import anomaly

    return anomaly.GaussianScorer(window_size=None, grace_period=100)


def judged(closed: list[dict[str, Any]], score: Any) -> list[dict[str, Any]]:
    """Score closed minutes and learn them."""
    for minute in closed:
        minute["score"] = score.score_one(None, minute["negative"])
        score.learn_one(None, minute["negative"])
    return closed


class Brand:
    """State of one brand where the framework keeps objects."""

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self.open: Open = {}
        self.scorer = scorer()

    def fresh(self, mention_id: str) -> bool:
        """Remember an id; False for a repeat."""
        if mention_id in self.ids:
            return False
        self.ids[mention_id] = None
        if len(self.ids) > KNOWN_IDS:
            del self.ids[next(iter(self.ids))]
        return True


def seconds(stamp: str) -> float:
    """Epoch seconds of an RFC 3339 time."""
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()


class Batched:
    """Our records and our model object."""

    def __init__(self) -> None:
        from detectors.language.understanding import Language
        from streams import codec

        self.language = Language()
        self.codec = codec

    def read(self, raw: bytes) -> list[Any]:
        """Decode a batch and read its mentions; nothing for a tick."""
        from streams.records import Batch, Scored

        record = self.codec.mentions.decode(raw)
        if not isinstance(record, Batch):
            return []
        understand, version = self.language.understand, self.language.version
        scored = []
        for mention in record.mentions:
            read = understand(mention.text, lang=mention.lang, source=mention.source)
            scored.append(
                Scored(
                    mention=mention,
                    sentiment=read.sentiment,
                    probabilities=read.probabilities,
                    topics=read.topics,
                    language=read.language,
                    flags=read.flags,
                    model=version,
                )
            )
        return scored

    def encode(self, brand: str, scored: list[Any]) -> bytes:
        """Encode the result of a batch."""
        from streams.records import ScoredBatch

        name = f"live/{scored[0].mention.id}" if scored else "live/none"
        return self.codec.encode(ScoredBatch(id=name, brand=brand, mentions=tuple(scored)))
