"""State of the brands of one partition, and the small parts in which it is kept.

A brand's state is cut into parts by how often they change: `hot` (open minutes, totals, applied
offsets; every flush), `evidence`, `bank`, `series`, `habits` and `incident` (when they changed),
and dedupe segments of 8 KB. A part carries the token of the flush that wrote it, and `hot`, written
last, names the parts that belong to it, so that it commits them: see recovered.py. Objects here are
used linearly, by the one stream that owns the partition.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from os import urandom

import msgspec

from detectors.anomaly.bank import Bank, BankConfig
from detectors.anomaly.silence import Habits
from detectors.incidents.episode import Episode
from detectors.incidents.evidence import Evidence
from detectors.incidents.incident import IncidentState
from streams.pipeline.dedupe import Extent, Horizon, Known
from streams.pipeline.kept import Kept
from streams.pipeline.minutes import OpenMinute
from streams.pipeline.runs import Keep, Stored, in_memory
from streams.pipeline.series import Series, names_of
from streams.pipeline.shelf import OPEN, Shelf
from streams.pipeline.watermark import Marks
from streams.records import Minute, Run, Sentiment

MARKS = "marks"
HOT = "hot"
SEEN = "seen."
LAZY = frozenset({"bank", "series", "evidence"})
"""Parts that are decoded when they are first asked for."""
TOKEN_BYTES = 8


class Hot(msgspec.Struct, omit_defaults=True):
    """What changes with every record. New fields need a default: old states stay readable."""

    applied: int = -1
    """Highest offset of the mentions topic that this state covers."""
    acted: int = -1
    """The same for the actions topic."""
    closed_through_s: int | None = None
    """Every minute that starts before this is closed."""
    active_s: int = 0
    """Start of the last minute that held a mention."""
    minutes: dict[int, OpenMinute] = msgspec.field(default_factory=dict)
    touched: set[int] = msgspec.field(default_factory=set)
    """Open minutes that have grown since they were last scored."""
    looked_s: float = 0.0
    """The run's clock when they were."""
    totals: dict[str, int] = msgspec.field(default_factory=dict)
    """Mentions ever counted, by `channel|sentiment`."""
    late: int = 0
    repeats: int = 0
    revisions: int = 0
    deaths: dict[str, int] = msgspec.field(default_factory=dict)
    """Dead letters ever made, by reason."""
    parts: dict[str, bytes] = msgspec.field(default_factory=dict)
    """Tokens of the parts that belong to this value, by name."""
    seen: dict[int, Extent] = msgspec.field(default_factory=dict)
    """How much of each dedupe hour belongs to this value: segments only grow."""
    known: Known | None = None
    """What else dedupe knows of its ids; None: written before there were slots."""


_hot_encoder = msgspec.msgpack.Encoder()
_hot_decoder = msgspec.msgpack.Decoder(Hot)


class _MarksValue(msgspec.Struct, omit_defaults=True):
    applied: int = -1
    runs: dict[Run, Marks] = msgspec.field(default_factory=dict)
    deaths: dict[str, int] = msgspec.field(default_factory=dict)


_marks_decoder = msgspec.msgpack.Decoder(_MarksValue)


class BrandState:
    """One brand in one run; `keep` is where ids go that are seldom asked for."""

    bank = Kept(Bank, Bank.restore)
    series = Kept(Series, Series.restore)
    evidence = Kept(lambda _: Evidence(), lambda _, value: Evidence.restore(value))

    def __init__(self, run: Run, brand: str, bank: BankConfig, keep: Keep = in_memory) -> None:
        self.run = run
        self.brand = brand
        self.config = bank
        self.kept: dict[str, bytes] = {}
        """Parts that nobody has asked for, as they were written."""
        self.hot = Hot()
        self.seen = Horizon(keep)
        self.shelf = Shelf()
        self.habits = Habits(bank.block_s)
        self.incident: IncidentState | None = None
        self.latest: Minute | None = None
        """The last minute that was scored; for the metrics, not kept."""
        self.revision = 0
        """Grows with each change and again when it is written: what was read meanwhile is old."""
        self.changed: set[str] = set()
        """Parts besides `hot` and the dedupe segments that changed since the last flush."""

    def count(self, channel: str, sentiment: Sentiment) -> None:
        """Add one mention to the durable totals."""
        key = f"{channel}|{sentiment}"
        self.hot.totals[key] = self.hot.totals.get(key, 0) + 1

    def parts(self, token: bytes) -> Iterator[tuple[str, bytes | None]]:
        """Changed parts in the order in which they are to be written; marks the state clean."""
        segments = self.seen.changes()
        for name, value in segments.items():
            if value is not None:
                yield SEEN + name, token + value
        shelved = self.shelf.sort(self.hot.minutes)
        for name, value in shelved.changed.items():
            self.hot.parts[name] = token
            yield name, token + value
        for name in shelved.gone:
            self.hot.parts.pop(name, None)
        for name in sorted(self.changed):
            if (value := self._part(name)) is not None:
                self.hot.parts[name] = token
                yield name, token + value
        self.hot.seen, self.hot.known = self.seen.extents(), self.seen.known
        hot = msgspec.structs.replace(self.hot, minutes=shelved.hot)
        yield HOT, token + _hot_encoder.encode(hot)
        # Only now does no committed value need them.
        yield from ((SEEN + name, None) for name, value in segments.items() if value is None)
        yield from ((name, None) for name in shelved.gone)
        self.changed = set()

    def _part(self, name: str) -> bytes | None:
        if name in self.kept:
            return self.kept[name]
        part = getattr(self, name)
        value: bytes | None = part.snapshot() if part is not None else None
        return value

    def fold(self) -> None:
        """Encode again what a quiet brand does not need; its last minute is too old to be shown."""
        for name in LAZY & vars(self).keys():
            if (value := self._part(name)) is not None:
                self.kept[name] = value  # first: metrics, beside us, find one of the two
                del vars(self)[name]
        self.seen.rest()
        self.latest = None

    def series_names(self) -> list[str]:
        """Names of the series that have begun; what is encoded stays so."""
        # Metrics, beside us: what was encoded at the first look may be decoded before the next.
        for _ in range(2):
            series: Series | None = vars(self).get("series")
            if series is not None:
                return series.names()
            if (value := self.kept.get("series")) is not None:
                return names_of(value)
        return []

    def inherit(self, past: "BrandState") -> None:
        """Begin with what another run has taught."""
        # No habits: a history may have come under names that no live channel has.
        for name in ("bank", "series"):
            self.kept[name] = past.kept.get(name) or getattr(past, name).snapshot()
            self.changed.add(name)

    def busy(self) -> bool:
        """Whether an incident is open: then every minute is looked at, empty ones too."""
        return self.level() > 0

    def level(self) -> int:
        """Level of the open incident, 0 without one."""
        return self.incident.level if self.incident else 0

    def open_episode(self) -> Episode | None:
        """The open incident, if there is one."""
        episode = self.incident.episode if self.incident else None
        return episode if episode is not None and episode.closed_s is None else None

    @classmethod
    def restore(
        cls,
        run: Run,
        brand: str,
        bank: BankConfig,
        parts: Mapping[str, bytes],
        segments: Mapping[str, Stored],
        keep: Keep,
    ) -> "BrandState":
        """Put a state together from its parts and its dedupe segments."""
        state = cls(run, brand, bank, keep)
        state.hot = _hot_decoder.decode(parts[HOT])
        for name, value in parts.items():
            if name.startswith(OPEN):
                state.hot.minutes |= state.shelf.take_back(name, value)
            elif name in LAZY:
                state.kept[name] = value
            elif name == "habits":
                state.habits = Habits.restore(bank.block_s, value)
            elif name == "incident":
                state.incident = IncidentState.restore(value)
        # A worker of before there were parts closes minutes and goes on naming theirs.
        closed_s = state.hot.closed_through_s or 0
        for minute_s in [at for at in state.hot.minutes if at < closed_s]:
            del state.hot.minutes[minute_s]
        state.seen = Horizon.restore(segments, state.hot.seen, state.hot.known, keep)
        return state


class PartitionState:
    """Everything that one partition of the mentions topic has led to."""

    def __init__(self, partition: int, bank: BankConfig, keep: Keep = in_memory) -> None:
        self.partition = partition
        self.bank = bank
        self.keep = keep
        self.applied = -1
        self.marks: dict[Run, Marks] = {}
        self.brands: dict[tuple[Run, str], BrandState] = {}
        self._awake: dict[Run, set[str]] = {}
        self._resting: dict[Run, dict[str, int]] = {}
        """Through which second their minutes were closed when they came to rest, in that order."""
        self._touched: dict[tuple[Run, str], None] = {}
        self.deaths: dict[str, int] = {}
        """Dead letters that belong to no brand, by reason."""

    def brand(self, run: Run, brand: str) -> BrandState:
        """The state of a brand, made at its first mention."""
        key = (run, brand)
        state = self.brands.get(key)
        if state is None:
            state = self.brands[key] = BrandState(run, brand, self.bank, self.keep)
        return state

    def touch(self, brand: BrandState) -> None:
        """A state has changed and is to be written with the next flush."""
        brand.revision += 1
        self._touched[brand.run, brand.brand] = None

    def wake(self, brand: BrandState) -> None:
        """From now on ticks look at a brand."""
        self._awake.setdefault(brand.run, set()).add(brand.brand)
        self._resting.get(brand.run, {}).pop(brand.brand, None)

    def rest(self, brand: BrandState) -> None:
        """Ticks leave a quiet brand alone; it catches up when it is mentioned again."""
        self._awake[brand.run].discard(brand.brand)
        self._resting.setdefault(brand.run, {})[brand.brand] = brand.hot.closed_through_s or 0

    def fold(self, run: Run, *, before_s: float, most: int) -> None:
        """Encode brands that have rested since before a time: most will for hours."""
        resting = self._resting.get(run, {})
        for name, since_s in list(islice(resting.items(), most)):
            if since_s >= before_s:
                return
            del resting[name]
            self.brands[run, name].fold()

    def awake(self, run: Run) -> list[BrandState]:
        """The brands that a tick must look at, in a stable order."""
        return [self.brands[run, name] for name in sorted(self._awake.get(run, ()))]

    def of_run(self, run: Run) -> list[BrandState]:
        """All brands of a run, in a stable order."""
        return [self.brands[at] for at in sorted(self.brands) if at[0] == run]

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Values to write, brand by brand; `marks_change` comes after these are acknowledged."""
        touched, self._touched = self._touched, {}
        for at in touched:
            state = self.brands[at]
            state.revision += 1
            token = urandom(TOKEN_BYTES)
            for name, value in state.parts(token):
                yield f"{self.partition}|{state.run}|{state.brand}|{name}", value

    def marks_change(self) -> tuple[str, bytes]:
        """The value that commits a flush of the whole partition."""
        value = _MarksValue(applied=self.applied, runs=self.marks, deaths=self.deaths)
        return f"{self.partition}|||{MARKS}", msgspec.msgpack.encode(value)

    @classmethod
    def restore(
        cls,
        partition: int,
        bank: BankConfig,
        brands: Mapping[tuple[Run, str], tuple[Mapping[str, bytes], Mapping[str, Stored]]],
        marks: bytes | None,
        keep: Keep = in_memory,
    ) -> "PartitionState":
        """Put a partition together from what recovered.py found: parts and segments by brand."""
        state = cls(partition, bank, keep)
        if marks is not None:
            value = _marks_decoder.decode(marks)
            state.applied, state.marks, state.deaths = value.applied, value.runs, value.deaths
        for (run, brand), (parts, segments) in brands.items():
            restored = BrandState.restore(run, brand, bank, parts, segments, keep)
            state.brands[run, brand] = restored
            state.wake(restored)
        if any_bank := next((p["bank"] for p, _ in brands.values() if "bank" in p), None):
            # Other windows than those of the state: told now, not at a quiet brand's next mention.
            Bank.restore(bank, any_bank)
        return state


def read_hot(hot: bytes) -> Hot:
    """Decode a `hot` part."""
    return _hot_decoder.decode(hot)


def applied_through(marks: bytes) -> int:
    """Highest offset of the mentions topic that an encoded `marks` value covers."""
    return _marks_decoder.decode(marks).applied
