"""Replays history through the stages of the worker, one configuration or two, on all cores.

Brands never meet in the pipeline, so each process takes some of them and every tick. The result is
the same for any number of processes.
"""

import multiprocessing as mp
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

import msgspec

from detectors.incidents.severity import ALERT
from streams.backtest.result import BrandResult, Case, Point, Raised, Result
from streams.collector import spare_the_collector
from streams.outbreak.watch import leading_topic
from streams.pipeline.config import PipelineConfig
from streams.pipeline.outcome import Outcome
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.state import PartitionState
from streams.pipeline.understand import Reader
from streams.records import Batch, Incident, MentionsRecord, Minute

BEFORE_MINUTES = 180
"""Of the signal's curve, drawn before the page."""
AFTER_S = 2 * 3600
"""Of the curve, drawn after the incident's end."""
MOST_POINTS = 900
"""Minutes shown around a page: fifteen hours."""
HOUR_S = 3600
CHUNK = 400
"""Records per message to another process."""
WAITING = 4
"""Messages that a process may lag behind."""

_encoder = msgspec.msgpack.Encoder()
_chunk = msgspec.msgpack.Decoder(list[MentionsRecord])
_results = msgspec.msgpack.Decoder(list[Result])


class Replay:
    """One configuration over the brands of one process."""

    def __init__(self, name: str, config: PipelineConfig, reader: Reader) -> None:
        self.name = name
        self.pipeline = Pipeline(config, reader, encode=False)
        self.state = PartitionState(0, config.bank)
        self._offset = 0
        self._brands: dict[str, _Watched] = {}

    def take(self, record: MentionsRecord) -> None:
        """Work one record, as a worker would."""
        outcome = self.pipeline.step(self.state, record, offset=self._offset)
        self._offset += 1
        self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        for minute in outcome.minutes:
            self._of(minute.brand).minute(minute)
        for incident in outcome.incidents:
            self._of(incident.brand).incident(incident)

    def _of(self, brand: str) -> "_Watched":
        watched = self._brands.get(brand)
        if watched is None:
            watched = self._brands[brand] = _Watched(brand)
        return watched

    def result(self) -> Result:
        """What came of it."""
        for (_, brand), state in self.state.brands.items():
            result = self._of(brand).result
            result.late, result.repeats = state.hot.late, state.hot.repeats
            result.mentions += state.hot.late
        return Result(self.name, [w.finish() for _, w in sorted(self._brands.items())])


class _Watched:
    """Collects what one brand's minutes and incidents say, in constant memory but for incidents."""

    def __init__(self, brand: str) -> None:
        self.result = BrandResult(brand)
        self._calm = array("I")
        self._cases: dict[str, Case] = {}
        self._recent: deque[Minute] = deque(maxlen=BEFORE_MINUTES)
        self._drawn: list[Case] = []
        """Cases whose picture still grows."""

    def minute(self, minute: Minute) -> None:
        start_s = int(minute.start.timestamp())
        result = self.result
        result.first_s = result.first_s or start_s
        result.last_s = max(result.last_s, start_s + 60)
        result.mentions += minute.counts.mentions + minute.counts.own
        result.negative += minute.counts.negative
        self._recent.append(minute)
        if minute.level:
            topic = leading_topic(minute)
            result.raised.append(Raised(start_s, minute.level, minute.incident, topic))
        else:
            self._calm.append(start_s // 60)
        if self._drawn:
            for case in self._drawn:
                _draw(case, minute, start_s)
            self._drawn = [c for c in self._drawn if _grows(c, start_s)]
        self._add_to_hour(minute, start_s)

    def finish(self) -> BrandResult:
        """The result, once all is read."""
        self.result.calm = self._calm.tobytes()
        return self.result

    def incident(self, incident: Incident) -> None:
        case = self._cases.get(incident.id)
        if case is None:
            case = self._cases[incident.id] = Case(incident)
            self.result.cases.append(case)
        case.note(incident)
        before = case.last.level if case.last is not incident and not case.last.closed_at else 0
        if incident.level >= ALERT > before:
            case.pages += 1
        if incident.level >= ALERT and case.paged is None:
            case.paged = incident
            case.signal = incident.signal
            if not any(r.signal == case.signal for r in incident.readings):
                case.signal = "negative"
            case.points = []
            for minute in self._recent:
                _draw(case, minute, int(minute.start.timestamp()))
            self._drawn.append(case)
        case.last = incident

    def _add_to_hour(self, minute: Minute, start_s: int) -> None:
        hour_s = start_s - start_s % HOUR_S
        reading = next((r for r in minute.readings if r.signal == "negative"), None)
        if reading is None:
            return
        known = self.result.hours.get(hour_s, Point(hour_s, 0.0))
        # Quiet minutes are not told: the sum over 60 is the hour's mean. No upper bound: that of a
        # minute means nothing for a mean.
        self.result.hours[hour_s] = Point(
            hour_s, known.observed + reading.observed / 60, reading.expected or known.expected
        )


def _draw(case: Case, minute: Minute, start_s: int) -> None:
    for reading in minute.readings:
        if reading.signal == case.signal:
            case.points.append(Point(start_s, reading.observed, reading.expected, reading.upper))


def _grows(case: Case, start_s: int) -> bool:
    return len(case.points) < MOST_POINTS and (
        case.last.closed_at is None or start_s < case.end_s + AFTER_S
    )


Configs = Sequence[tuple[str, PipelineConfig]]
Progress = Callable[[int], None]
"""Told of mentions as they are read."""


def replay(
    records: Iterator[MentionsRecord],
    configs: Configs,
    reader: Reader,
    *,
    brands: int,
    jobs: int | None = None,
    progress: Progress = lambda _: None,
) -> list[Result]:
    """Replay one history through each configuration.

    Parameters
    ----------
    brands
        How many there are: there is no use for more processes.
    jobs
        Processes; None: as many as there are cores. 1 works in this process.

    Returns
    -------
    list of Result
        One a configuration, in their order.
    """
    spare_the_collector()
    jobs = min(jobs or _cores(), brands)
    if jobs < 2 or "fork" not in mp.get_all_start_methods():
        return _here(records, configs, reader, progress)
    parts = _spread(records, configs, reader, jobs, progress)
    return [_joined(found) for found in zip(*parts, strict=True)]


def _here(
    records: Iterator[MentionsRecord], configs: Configs, reader: Reader, progress: Progress
) -> list[Result]:
    replays = [Replay(name, config, reader) for name, config in configs]
    for record in records:
        for one in replays:
            one.take(record)
        if isinstance(record, Batch):
            progress(len(record.mentions))
    return [one.result() for one in replays]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _joined(parts: Sequence[Result]) -> Result:
    brands = sorted((b for part in parts for b in part.brands), key=lambda b: b.brand)
    return Result(parts[0].name, brands)


def _spread(
    records: Iterator[MentionsRecord],
    configs: Configs,
    reader: Reader,
    jobs: int,
    progress: Progress,
) -> list[list[Result]]:
    # Forked, so that the models are loaded once and their memo starts warm.
    context = mp.get_context("fork")
    workers = [_Worker(context, configs, reader) for _ in range(jobs)]
    try:
        place: dict[str, _Worker] = {}
        for record in records:
            if isinstance(record, Batch):
                worker = place.get(record.brand)
                if worker is None:
                    # The least busy one; brands differ much in size.
                    worker = place[record.brand] = min(workers, key=lambda w: w.mentions)
                worker.mentions += len(record.mentions)
                worker.send(record)
                progress(len(record.mentions))
            else:
                for worker in workers:
                    worker.send(record)
        return [worker.finish() for worker in workers]
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process that works its brands."""

    def __init__(self, context: "mp.context.ForkContext", configs: Configs, reader: Reader) -> None:
        self.mentions = 0
        self._held: list[MentionsRecord] = []
        self._mine, theirs = context.Pipe()
        self._room = context.Semaphore(WAITING)
        self._process = context.Process(
            target=_work, args=(theirs, self._room, configs, reader), daemon=True
        )
        self._process.start()
        theirs.close()

    def send(self, record: MentionsRecord) -> None:
        self._held.append(record)
        if len(self._held) >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        while not self._room.acquire(timeout=1.0):
            if not self._process.is_alive():
                self.finish()
        self._mine.send_bytes(_encoder.encode(self._held))
        self._held = []

    def finish(self) -> list[Result]:
        if self._held and self._process.is_alive():
            self._flush()
        self._mine.send_bytes(b"")
        try:
            return _results.decode(self._mine.recv_bytes())
        except EOFError as e:
            self._process.join()
            msg = f"a process of the backtest died with exit code {self._process.exitcode}"
            raise RuntimeError(msg) from e

    def stop(self) -> None:
        self._mine.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.terminate()


def _work(
    pipe: Connection, room: "mp.synchronize.Semaphore", configs: Configs, reader: Reader
) -> None:
    replays = [Replay(name, config, reader) for name, config in configs]
    while data := pipe.recv_bytes():
        room.release()
        for record in _chunk.decode(data):
            for one in replays:
                one.take(record)
    pipe.send_bytes(_encoder.encode([one.result() for one in replays]))
    pipe.close()
