"""CPU time of the pipeline in one process, stage by stage: no log, no Faust.

python tests/bench/bench_pipeline.py [--weeks 2] [--profile]

`simulated` plays the demo's shop minute by minute (few mentions, many closed minutes); `saturated`
is three brands in crisis with batches of 250 mentions. Texts are read beforehand, so that the
language model is a row of its own. CPU time, not wall time: the machine may be shared.
"""

import argparse
import cProfile
import json
import pstats
import random
import time
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from connectors.ingest.door import Door
from connectors.ingest.match import Matcher
from connectors.sources.simulated import scenario
from connectors.sources.simulated.traffic import Traffic
from detectors.anomaly.bank import BankConfig
from detectors.language.understanding import Language, LanguageConfig, Understood
from streams import codec
from streams.pipeline.config import PipelineConfig
from streams.pipeline.decode import Origin
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.state import PartitionState
from streams.records import Batch, Mention, MentionsRecord, Tick
from streams.settings import BrandSettings

GOAL_MENTION_US = 25.0
GOAL_MINUTE_US = 100.0
START = datetime(2026, 3, 2, tzinfo=UTC)
FLUSH_MENTIONS = 5_000
"""Mentions between two flushes at saturation: 50 ms at 100,000 a second."""


class Known:
    """A reader that has read all texts before."""

    def __init__(self, language: Language, texts: set[str]) -> None:
        self.version = language.version
        self._read = {text: language.understand(text) for text in texts}

    def understand(self, text: str, **_: object) -> Understood:
        """What was read beforehand."""
        return self._read[text]


class Row(NamedTuple):
    case: str
    metric: str
    value: float
    unit: str
    goal: float | None = None


def demo_brands() -> dict[str, BrandSettings]:
    """The brands of the demo's configuration."""
    demo = resources.files("connectors.sources.simulated").joinpath("demo.toml").read_text()
    return {
        name: BrandSettings.model_validate(table)
        for name, table in tomllib.loads(demo)["brands"].items()
    }


def simulated(weeks: float) -> tuple[list[MentionsRecord], int, float]:
    """The demo's records, minute by minute, the items, and the door's CPU seconds."""
    play = scenario(1, weeks=weeks)
    traffic = Traffic(play)
    door = Door("simulated", Matcher(demo_brands()))
    records: list[MentionsRecord] = []
    spent, items = 0.0, 0
    for hour in range(traffic.hours):
        seen = traffic.hour(hour)
        minutes: dict[datetime, dict[str, list[Mention]]] = {}
        began = time.process_time()
        for one in seen:
            for brand, mention in door.admit(one.item, now=one.at).mentions:
                minute = one.at.replace(second=0, microsecond=0)
                minutes.setdefault(minute, {}).setdefault(brand, []).append(mention)
        spent += time.process_time() - began
        items += len(seen)
        for n in range(60):
            at = play.start + timedelta(hours=hour, minutes=n)
            for brand, mentions in minutes.get(at, {}).items():
                records.append(Batch(brand, tuple(mentions)))
            end = at + timedelta(minutes=1)
            records.append(Tick("simulated", watermark=end, clock=end))
    return records, items, spent


def saturated(mentions: int, texts: list[str]) -> list[MentionsRecord]:
    """Three brands in crisis: 250 mentions a batch, 10,000 a minute."""
    rng = random.Random(7)
    records: list[MentionsRecord] = []
    at = START
    for n in range(mentions // 250):
        batch = tuple(
            Mention(
                id=f"forum:{n}-{k}",
                source=rng.choice(("forum", "x", "news")),
                published_at=at + timedelta(milliseconds=6 * k),
                collected_at=at + timedelta(seconds=2),
                text=rng.choice(texts),
                author=f"akun{rng.randrange(20_000)}",
                url=f"https://forum.example/t/{n}/{k}",
            )
            for k in range(250)
        )
        records.append(Batch(("toko", "kurir", "bank")[n % 3], batch))
        at += timedelta(seconds=1.5)
        if n % 4 == 3:
            records.append(Tick("forum", watermark=at, clock=at))
    return records


def texts_of(records: list[MentionsRecord]) -> list[str]:
    """All texts, in order."""
    return [m.text for r in records if isinstance(r, Batch) for m in r.mentions]


def pipeline(records: list[MentionsRecord], reader: Known, *, encode: bool) -> Pipeline:
    """A pipeline of the brands that occur."""
    brands = frozenset(r.brand for r in records if isinstance(r, Batch))
    return Pipeline(PipelineConfig(brands=brands), reader, encode=encode)


def run(case: str, records: list[MentionsRecord], reader: Known) -> Iterator[Row]:
    """CPU of batches and of ticks, values only."""
    way = pipeline(records, reader, encode=False)
    state = PartitionState(0, BankConfig())
    spent = {Batch: 0.0, Tick: 0.0}
    mentions = minutes = 0
    for offset, record in enumerate(records):
        began = time.process_time()
        out = way.step(state, record, offset=offset)
        spent[type(record)] += time.process_time() - began
        mentions += len(out.scored)
        minutes += len(out.minutes)
    yield Row(case, "mention", spent[Batch] / mentions * 1e6, "us", GOAL_MENTION_US)
    yield Row(case, "closed brand-minute", spent[Tick] / minutes * 1e6, "us", GOAL_MINUTE_US)


def whole(case: str, records: list[MentionsRecord], reader: Known) -> Iterator[Row]:
    """From bytes to bytes: decode, stages, encoded outputs, and the state's parts."""
    way = pipeline(records, reader, encode=True)
    state = PartitionState(0, BankConfig())
    raw = [codec.encode(r) for r in records]
    mentions = flushed = written = 0
    applying = flushing = 0.0
    for offset, value in enumerate(raw):
        began = time.process_time()
        out = way.apply(state, value, origin=Origin("m", 0, offset), now=START)
        applying += time.process_time() - began
        mentions += len(out.scored)
        if mentions - flushed >= FLUSH_MENTIONS:
            flushed = mentions
            began = time.process_time()
            written += sum(len(value or b"") for _, value in state.changes())
            flushing += time.process_time() - began
    yield Row(case, "mention, bytes to bytes", applying / mentions * 1e6, "us")
    yield Row(case, "state a mention", flushing / mentions * 1e6, "us")
    yield Row(case, "state a mention", written / mentions, "bytes")


def profiled(work: Callable[[], object]) -> None:
    """Print where the time goes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def main() -> None:
    """Measure, print, and write build/bench/pipeline.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--weeks", type=float, default=2.0)
    parser.add_argument("--mentions", type=int, default=100_000)
    parser.add_argument("--profile", choices=("simulated", "saturated"))
    asked = parser.parse_args()
    language = Language(LanguageConfig(memo_texts=0))  # each call reads
    shop, items, door_s = simulated(asked.weeks)
    storm = saturated(asked.mentions, sorted(set(texts_of(shop)))[:5_000])
    known = Known(language, {*texts_of(shop), *texts_of(storm)})
    if asked.profile:
        records = shop if asked.profile == "simulated" else storm
        profiled(lambda: list(run(asked.profile, records, known)))
        return
    rows = [Row("simulated", "door", door_s / items * 1e6, "us")]
    texts = texts_of(shop)
    began = time.process_time()
    for text in texts:
        language.understand(text)
    rows.append(
        Row("simulated", "language", (time.process_time() - began) / len(texts) * 1e6, "us")
    )
    rows += run("simulated", shop, known)
    rows += run("saturated", storm, known)
    rows += whole("saturated", storm, known)
    for row in rows:
        goal = f"  goal {row.goal:g}" if row.goal else ""
        print(f"{row.case:10} {row.metric:24} {row.value:9.1f} {row.unit}{goal}")
    path = Path("build/bench/pipeline.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [
        row._asdict() | {"reference": row.goal, "ratio": row.value / row.goal if row.goal else None}
        for row in rows
    ]
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
