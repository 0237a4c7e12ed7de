"""What came of a replayed history, as values that travel between processes and into reports."""

import msgspec

from detectors.incidents.severity import ALERT
from streams.records import Incident


class Point(msgspec.Struct, array_like=True, frozen=True):
    """One signal in one minute (or the mean of a longer bin)."""

    start_s: int
    observed: float
    expected: float | None = None
    upper: float | None = None


class Reached(msgspec.Struct, array_like=True, frozen=True):
    """A level of an incident as it was told when it was first reached."""

    at_s: float
    signal: str
    onset_s: float
    observed: float
    expected: float
    score: float


class Case(msgspec.Struct):
    """One incident: as it ended, and as a person would have read it when it paged."""

    last: Incident
    paged: Incident | None = None
    """The record with which it first reached ALERT; None: it never did."""
    pages: int = 0
    """How often it rose to ALERT or above; more than once if it was reopened."""
    points: list[Point] = []
    """Minutes around the page of the signal that raised it."""
    signal: str = ""

    reached: dict[int, Reached] = {}
    """Each level when first reached; a jump reaches the lower ones too."""

    def note(self, incident: Incident) -> None:
        """Take its levels in as they are told: what comes later (a slow burn that goes on) must
        not date them back, and a long incident's record forgets its first changes."""
        for change in incident.history:
            for level in range(1, change.level + 1):
                if level not in self.reached:
                    self.reached[level] = Reached(
                        change.at.timestamp(),
                        incident.signal,
                        incident.onset.timestamp(),
                        incident.observed,
                        incident.expected,
                        incident.score,
                    )

    @property
    def onset_s(self) -> float:
        """When it began, as it was told when it paged (else when it opened)."""
        told = self.reached.get(ALERT) or self.reached.get(1)
        return told.onset_s if told else self.last.onset.timestamp()

    @property
    def end_s(self) -> float:
        """When it closed, or was last seen."""
        return (self.last.closed_at or self.last.updated_at).timestamp()


class Raised(msgspec.Struct, array_like=True, frozen=True):
    """A minute above NORMAL, as it matters for outbreaks."""

    start_s: int
    level: int
    incident: str
    topic: str


class BrandResult(msgspec.Struct):
    """One brand over the whole history."""

    brand: str
    mentions: int = 0
    negative: int = 0
    late: int = 0
    repeats: int = 0
    first_s: int = 0
    last_s: int = 0
    cases: list[Case] = []
    hours: dict[int, Point] = {}
    """Means a minute of the negative count, by the start of the hour."""
    calm: bytes = b""
    """Closed minutes at NORMAL: 4 bytes each, the minute since 1970."""
    raised: list[Raised] = []

    @property
    def weeks(self) -> float:
        """Length of its history; at least a day, or a rate means nothing."""
        return max(self.last_s - self.first_s, 86_400) / 604_800

    @property
    def paged(self) -> list[Case]:
        """The incidents that would have paged."""
        return [case for case in self.cases if case.paged is not None]


class Result(msgspec.Struct):
    """One configuration over the whole history."""

    name: str
    brands: list[BrandResult] = []
    outbreaks: list[Incident] = []
    """Parents of many brands at once, as each ended; in the order of time."""

    @property
    def mentions(self) -> int:
        """Mentions that were counted."""
        return sum(b.mentions for b in self.brands)

    @property
    def brand_weeks(self) -> float:
        """Weeks of all brands together."""
        return sum(b.weeks for b in self.brands)

    @property
    def pages(self) -> int:
        """How often somebody would have been paged."""
        return sum(case.pages for b in self.brands for case in b.cases)

    @property
    def pages_per_week(self) -> float:
        """Pages a brand and week."""
        return self.pages / self.brand_weeks if self.brands else 0.0
