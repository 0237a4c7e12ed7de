"""What a record led to: values for metrics and tests, entries for the log."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams import codec
from streams.log.port import Entry
from streams.pipeline.state import BrandState, PartitionState
from streams.records import DeadLetter, Incident, Minute, Run, Scored, ScoredBatch
from streams.topics import DEAD, INCIDENTS, MINUTES, SCORED


@dataclass
class Outcome:
    """Collects what one record led to.

    Parameters
    ----------
    partition
        Outputs of a brand stay in its partition, incidents included: one reader sees it whole.
    encode
        False for a backtest: only values are wanted then and `entries` stays empty.
    """

    partition: int
    encode: bool = True
    came_as_bytes: int = 0
    """Size of the record, if it came as bytes."""
    entries: list[Entry] = field(default_factory=list)
    run: Run = ""
    """Run of the scored mentions or the tick."""
    tick: bool = False
    scored: list[Scored] = field(default_factory=list)
    minutes: list[Minute] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    repeats: int = 0

    def publish_scored(self, batch: ScoredBatch) -> None:
        """Scored mentions of one record."""
        self.run = batch.run
        self.scored += batch.mentions
        self._entry(SCORED, batch.brand, batch)

    def publish_minute(self, minute: Minute) -> None:
        """A closed minute."""
        self.minutes.append(minute)
        self._entry(MINUTES, minute.brand, minute)

    def publish_incidents(self, brand: BrandState, incidents: Iterable[Incident]) -> None:
        """Changes of a brand's incident."""
        for incident in incidents:
            brand.changed.add("incident")
            self.incidents.append(incident)
            self._entry(INCIDENTS, incident.id, incident)

    def bury(self, state: PartitionState, dead: DeadLetter) -> None:
        """A dead letter; its id is the same when its record is read again."""
        self.dead.append(dead)
        state.deaths[dead.reason] = state.deaths.get(dead.reason, 0) + 1
        if self.encode:
            self.entries.append(Entry(DEAD, dead.id.encode(), codec.encode(dead)))

    def _entry(self, topic: str, key: str, record: ScoredBatch | Minute | Incident) -> None:
        if self.encode:
            self.entries.append(Entry(topic, key.encode(), codec.encode(record), self.partition))
