"""What happens when, for a seed: pure, so that tests and the demo know the onset beforehand."""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Jakarta")

START = datetime(2025, 1, 6, tzinfo=ZONE).astimezone(UTC)
"""A Monday at midnight in Jakarta: every run of a seed is the same run."""

MINUTE = timedelta(minutes=1)

MAIN = "tokoraya"


@dataclass(frozen=True)
class Shop:
    """A fictitious brand."""

    name: str
    title: str
    handle: str
    share: float
    """Mentions relative to the main brand's."""


SHOPS = (
    Shop(MAIN, "Tokoraya", "tokoraya_id", 1.0),
    Shop("dompetraya", "Dompetraya", "dompetraya", 0.35),
    Shop("kirimnusa", "Kirimnusa", "kirimnusa", 0.5),
    Shop("lapaksari", "Lapaksari", "lapaksari_id", 0.6),
)
"""The shop, its wallet, its courier (siblings), and a rival."""

CHANNELS = ("twitter", "instagram", "forum", "play_store", "news")

BURSTS_PER_WEEK = 3.0
"""Small organic bursts a brand: a giveaway, a song in an advertisement, a short hiccup."""


@dataclass(frozen=True)
class Burst:
    """A small surge that is no crisis."""

    brand: str
    minute: int
    minutes: int
    strength: float
    """Extra mentions relative to the ordinary rate."""
    mood: str
    """negative | neutral | positive"""


@dataclass(frozen=True)
class Crisis:
    """The late-delivery crisis of the main brand."""

    minute: int
    """Minutes from the start to the first angry post."""
    ramp: int
    """Minutes until it is at its height."""
    peak: float
    """Extra mentions a minute at the height, relative to the base rate."""
    half_life: int
    """Minutes in which it halves after an hour at its height."""
    plateau: int = 60

    def strength(self, minute: float) -> float:
        """Extra mentions a minute relative to the base rate, at a minute from the start."""
        t = minute - self.minute
        if t < 0:
            return 0.0
        if t < self.ramp:
            # Shares beget shares: exponential growth that ends at the peak.
            return self.peak * math.expm1(4 * t / self.ramp) / math.expm1(4)
        return float(self.peak * 0.5 ** (max(t - self.ramp - self.plateau, 0) / self.half_life))


@dataclass(frozen=True)
class Scenario:
    """A run from its first to its last minute."""

    seed: int
    start: datetime
    end: datetime
    base_rate: float
    """Mean mentions a minute of the main brand on an ordinary day."""
    brands: tuple[str, ...]
    bursts: tuple[Burst, ...]
    crisis: Crisis | None

    @property
    def onset(self) -> datetime | None:
        """When the first angry post of the crisis is published; None without a crisis."""
        return self.start + self.crisis.minute * MINUTE if self.crisis else None

    @property
    def minutes(self) -> int:
        """Length of the run."""
        return int((self.end - self.start) / MINUTE)


def scenario(
    seed: int,
    *,
    weeks: float = 2.0,
    base_rate: float = 2.0,
    quiet: bool = False,
    after_hours: float = 6.0,
    start: datetime = START,
) -> Scenario:
    """Return the scenario of a seed.

    Parameters
    ----------
    seed
        The same seed gives the same mentions, to the letter.
    weeks
        Length in weeks; with a crisis, the run ends `after_hours` after its onset, in the last
        third of the time.
    base_rate
        Mean mentions a minute of the main brand.
    quiet
        No crisis: ordinary life for all of the time.
    after_hours
        How long the run goes on after the onset.
    start
        First minute; by default a fixed Monday.

    Examples
    --------
    >>> s = scenario(7)
    >>> s == scenario(7), s.onset > s.start, scenario(7, quiet=True).onset
    (True, True, None)
    """
    rng = random.Random(f"scenario/{seed}")
    days = max(1.0, weeks * 7)
    crisis = None
    minutes = round(days * 1440)
    bursts = _bursts(rng, minutes)
    if not quiet:
        day = int(rng.uniform(days * 0.7, max(days * 0.7, days - 1)))
        # In the waking hours: a post at four in the morning goes viral at breakfast.
        onset = day * 1440 + rng.randrange(9 * 60, 20 * 60)
        crisis = Crisis(
            minute=onset,
            ramp=rng.randint(20, 60),
            peak=rng.uniform(10, 22),
            half_life=rng.randint(90, 200),
        )
        minutes = onset + round(after_hours * 60)
        # The hours before it are plain life, so that "not before the onset" can be asserted.
        bursts = tuple(b for b in bursts if b.brand != MAIN or abs(b.minute - onset) > 180)
    return Scenario(
        seed=seed,
        start=start,
        end=start + minutes * MINUTE,
        base_rate=base_rate,
        brands=tuple(s.name for s in SHOPS),
        bursts=bursts,
        crisis=crisis,
    )


def _bursts(rng: random.Random, minutes: int) -> tuple[Burst, ...]:
    found: list[Burst] = []
    for shop in SHOPS:
        at = rng.expovariate(BURSTS_PER_WEEK / 10080)
        while at < minutes:
            lasting = rng.randint(8, 30)
            strength = rng.uniform(0.4, 1.2)
            mood = rng.choice(("positive", "positive", "neutral", "neutral", "negative"))
            if mood == "negative":
                # Complaints that double for half an hour are an incident, no ordinary week.
                strength *= 0.4
            found.append(
                Burst(
                    brand=shop.name,
                    minute=int(at),
                    minutes=lasting,
                    strength=strength,
                    mood=mood,
                )
            )
            at += rng.expovariate(BURSTS_PER_WEEK / 10080)
    return tuple(sorted(found, key=lambda b: b.minute))
