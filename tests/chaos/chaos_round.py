"""One round: known input through real processes that are killed, stopped and paused at random."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import chaos_check
from chain import samples
from chaos_cluster import Cluster, Slot
from chaos_input import Expected, planted, write
from chaos_probe import Probe
from kafka import KafkaProducer
from services import Kafka

PARTITIONS = 6
PAUSE_S = 13.0
"""Longer than the session time-out of 10 s."""

SETTLED_S = 2.0
"""A partition that has gone on so lately had recovered from what was before."""

EVENTS = ("kill", "kill_stay", "term", "join", "two", "broker", "connector", "pause")
PLANTED = 30


@dataclass(frozen=True)
class Plan:
    """What a round does; everything random in it comes from the seed."""

    seed: int
    events: tuple[str, ...]
    rows: int = 200_000
    hours: float = 6.0

    @classmethod
    def drawn(cls, seed: int, *, events: int, rows: int) -> "Plan":
        """Draw the events of a round; all kinds come before one comes twice."""
        rng = random.Random(seed)
        chosen: list[str] = []
        while len(chosen) < events:
            chosen += rng.sample(EVENTS, len(EVENTS))
        return cls(seed, tuple(chosen[:events]), rows)


class Takeover(NamedTuple):
    """How long the partitions of a victim stood still."""

    event: str
    seconds: float
    settled: bool
    """Whether all was well before: else the failure before it counts, too."""


@dataclass
class Result:
    """What a round led to."""

    problems: list[str]
    incidents: list[tuple[str, str, int, str]]
    negatives: Counter[tuple[str, str, int]]
    repeats: Counter[str]
    takeovers: list["Takeover"]
    seconds: float
    gaps: int = 0


@dataclass
class Input:
    """The two files and what must come of them."""

    folder: Path
    expected: dict[str, Expected] = field(default_factory=dict)

    @classmethod
    def write(cls, folder: Path, *, seed: int, rows: int, hours: float) -> "Input":
        """Write the files."""
        folder.mkdir(parents=True)
        side = rows // 5
        made = cls(folder)
        made.expected["main"] = write(
            folder / "main.csv", seed=seed, rows=rows - side, hours=hours, crises=True
        )
        made.expected["side"] = write(
            folder / "side.csv", seed=seed + 1, rows=side, hours=hours, crises=False
        )
        return made


class Round:
    """Runs a plan on a broker of its own kind (it is killed, too)."""

    def __init__(
        self, plan: Plan, data: Input, broker: Kafka, folder: Path, say: Callable[[str], None]
    ) -> None:
        self.plan = plan
        self.data = data
        self.broker = broker
        self.say = say
        self.rng = random.Random(plan.seed)
        self.prefix = f"c{plan.seed}x{time.time_ns() % 10**9}."
        self.cluster = Cluster.prepare(
            folder, address=broker.address, prefix=self.prefix, partitions=PARTITIONS,
            data=data.folder,
        )  # fmt: skip
        self.takeovers: list[Takeover] = []
        self.gaps = 0

    def run(self) -> Result:
        """Run it to its end and check it."""
        began = time.monotonic()
        cluster = self.cluster
        probe = Probe(self.broker.address, self.prefix, PARTITIONS)
        try:
            for worker in cluster.workers[:2]:
                worker.start()
            self._wait("two workers", lambda: self._owners() == {0, 1})
            probe.start()
            cluster.connect.start()
            cluster.replay.start()
            count = self._plant()
            for event in self.plan.events:
                if self.rng.random() < 0.7:  # the others may hit workers that are starting
                    self._wait("a working worker", lambda: self._working() != [], fatal=False)
                time.sleep(self.rng.uniform(0.5, 3.0))
                self._happen(event, probe)
            for slot in cluster.slots:
                if slot.starts and (slot is not cluster.replay or self._failed(slot)):
                    slot.start()
            wanted = self.data.expected["main"].by_brand()
            found = cluster.wait_drained(wanted, stuck_s=90)
            problems = [] if found == wanted else [f"metrics: {found}, not {wanted}"]
            self._wait("the replay's end", lambda: not cluster.replay.alive(), timeout_s=240)
            problems += self._drained(probe)
            self._count_gaps()
        finally:
            probe.stop()
            cluster.stop()
        out = chaos_check.read(self.broker.address, self.prefix)
        problems += chaos_check.compare(out, self.data.expected, count)
        problems += self._durable(wanted)
        return Result(
            problems,
            chaos_check.incidents(out),
            chaos_check.negatives(out),
            out.repeats,
            self.takeovers,
            time.monotonic() - began,
            self.gaps,
        )

    # -- events

    def _happen(self, event: str, probe: Probe) -> None:
        cluster = self.cluster
        alive = [w for w in cluster.workers if w.alive()]
        victim = self.rng.choice(self._working() or alive)
        owned = victim.owned()
        begin = time.monotonic()
        settled = all(seen[-1:] > [begin - SETTLED_S] for seen in probe.seen.values())
        until_s = 10.0
        if event == "kill":
            victim.kill()
            victim.start()
        elif event == "kill_stay":
            victim.kill()
            until_s = 20.0
        elif event == "term":
            victim.send(signal.SIGTERM)
        elif event == "join":
            idle = [w for w in cluster.workers if not w.alive()]
            (idle or [victim])[0].start()
        elif event == "two":
            for worker in alive[:2]:
                worker.kill()
            owned = set(range(PARTITIONS))
            time.sleep(self.rng.uniform(0, 2))
            for worker in cluster.workers[:2]:
                worker.start()
        elif event == "broker":
            self.broker.kill()
            time.sleep(self.rng.uniform(0, 2))
            self.broker.start(timeout_s=180)
        elif event == "connector":
            source = self.rng.choice((cluster.connect, cluster.replay))
            if source.alive():
                source.kill()
            time.sleep(self.rng.uniform(0, 1))
            if source is cluster.connect or source.process is None or self._failed(source):
                source.start()
        elif event == "pause":
            victim.send(signal.SIGSTOP)
            time.sleep(PAUSE_S)
            victim.send(signal.SIGCONT)
        self.say(f"  {event} {victim.name if owned else ''}")
        if event in ("kill", "kill_stay", "term", "two"):
            seconds = self._interruption_s(owned, begin, until_s, probe)
            if seconds is not None:
                self.takeovers.append(Takeover(event, seconds, settled))
                self.say(f"    processing again after {seconds:.1f} s{'' if settled else ' *'}")
        for worker in cluster.workers[:2]:
            worker.start()  # what died comes back, as under a supervisor

    def _interruption_s(
        self, owned: set[int], begin: float, until_s: float, probe: Probe
    ) -> float | None:
        """The longest interruption of the partitions that the victim had."""
        if not owned:
            return None
        deadline = begin + 2 * until_s
        while time.monotonic() < deadline:
            # Over when each has gone on after the longest pause, and for a second.
            now = time.monotonic()
            if now - begin > 4 and all(probe.seen[p][-1:] > [now - 1.0] for p in owned):
                break
            time.sleep(0.2)
        return probe.interruption_s(owned, begin, time.monotonic())

    def _failed(self, slot: Slot) -> bool:
        return not slot.alive() and slot.process is not None and slot.process.returncode != 0

    # -- around

    def _working(self) -> list[Slot]:
        return [w for w in self.cluster.workers if w.alive() and w.owned()]

    def _owners(self) -> set[int]:
        alive = [(n, w) for n, w in enumerate(self.cluster.workers) if w.alive()]
        return {n for n, w in alive if w.owned()} or {
            # Before the first tick nobody shows partitions: then being up is enough.
            n
            for n, w in alive
            if samples(w.port, "siaga_worker_up")
        }

    def _plant(self) -> tuple[int, int]:
        """Put bad records into the mentions topic, as another program might."""
        producer = KafkaProducer(bootstrap_servers=self.broker.address, acks="all")
        dead = good = 0
        rng = random.Random(PLANTED)  # the same in every round
        for n in range(PLANTED):
            record, bad, fine = planted(rng, n)
            # One brand lives in one partition; what belongs to none may stand anywhere.
            producer.send(f"{self.prefix}siaga.mentions.v1", record, partition=0).get(30)
            dead, good = dead + bad, good + fine
        producer.close()
        return dead, good

    def _drained(self, probe: Probe) -> list[str]:
        """Wait until the workers have passed the end of the mentions topic."""
        seen = {p: len(times) for p, times in probe.seen.items()}
        end = time.monotonic() + 60
        while time.monotonic() < end:
            # A probe's tick that was sent after all the input has been covered everywhere.
            if all(len(probe.seen[p]) > n + 10 for p, n in seen.items()):
                return []
            time.sleep(0.2)
        return ["the workers came to no end"]

    def _count_gaps(self) -> None:
        for worker in self.cluster.workers:
            found = samples(worker.port, "siaga_stream_gaps_total") if worker.alive() else {}
            self.gaps += int(sum(found.values()))

    def _durable(self, wanted: dict[str, int]) -> list[str]:
        """What a new worker reads back from the changelog is what the metrics said."""
        worker = self.cluster.workers[2]
        worker.start()
        try:
            found = self.cluster.wait_drained(wanted, stuck_s=60)
        finally:
            worker.stop()
        return [] if found == wanted else [f"durable totals: {found}, not {wanted}"]

    def _wait(
        self, what: str, done: Callable[[], bool], timeout_s: float = 90, *, fatal: bool = True
    ) -> None:
        end = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > end:
                if not fatal:
                    return
                raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
            time.sleep(0.3)
