"""Many brands at once: a platform, a courier or a bank fails, and one parent says so.

A pure fold over the minutes of all brands. A brand takes part while it is at WATCH or above; an
outbreak is declared when more brands take part than is usual for so many, and it closes when most
have calmed down. A brand's own incident never waits for it.
"""

import math

import msgspec
from msgspec.structs import replace

from detectors.incidents.detection import MINUTE_S
from detectors.incidents.severity import ALERT, NORMAL, WATCH
from detectors.incidents.snapshot import Snapshots


class OutbreakConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The dials of an outbreak."""

    least_brands: int = 3
    """Two brands are a coincidence or a quarrel between them."""
    least_share: float = 0.2
    """Of the brands heard of within a day."""
    usual_ratio: float = 4.0
    """Times the usual number of brands above NORMAL."""
    window_s: int = 900
    """Brands that rose within this time rose together."""
    close_share: float = 0.5
    """It holds while more than this part of those it had at its peak is still above NORMAL."""
    hold_s: int = 900
    forget_s: int = 86_400
    """A brand not heard of for so long counts no more."""


class Member(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a brand."""

    seen_s: int
    level: int = NORMAL
    rose_s: int = 0
    """When it last left NORMAL."""
    incident: str = ""
    topic: str = ""
    """The leading topic of its incident, if told."""


class Outbreak(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A parent incident; open while `closed_s` is None."""

    id: str
    run: str
    opened_s: int
    onset_s: int
    updated_s: int
    level: int
    peak_level: int
    brands: tuple[str, ...]
    peak_brands: int
    incidents: tuple[str, ...] = ()
    usual: float = 0.0
    """Brands that are above NORMAL at an ordinary time."""
    topics: dict[str, float] = {}
    """Share of the brands by leading topic."""
    sequence: int = 0
    calm_s: int | None = None
    closed_s: int | None = None
    change: str = "opened"
    """opened | level | brands | closed"""


class OutbreakState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All brands of one run."""

    members: dict[str, Member] = {}
    minute_s: int = 0
    usual: float = 0.0
    """Slow mean of how many brands are above NORMAL."""
    minutes: int = 0
    outbreak: Outbreak | None = None

    def snapshot(self) -> bytes:
        """A value to store."""
        return _snapshots.write(self)

    @staticmethod
    def restore(data: bytes) -> "OutbreakState":
        """The state of a snapshot; ValueError if it is of another version or damaged."""
        return _snapshots.read(data)


_snapshots = Snapshots("outbreak", 1, OutbreakState)

USUAL_MINUTES = 10_080.0
"""The usual number of brands above NORMAL forgets over a week."""


def observe(
    state: OutbreakState,
    *,
    brand: str,
    minute_s: int,
    level: int,
    incident: str = "",
    topic: str = "",
) -> OutbreakState:
    """Take a brand's closed minute, in any order between brands; an older one changes nothing."""
    before = state.members.get(brand, Member(0))
    if minute_s <= before.seen_s:
        return state
    rose_s = before.rose_s
    if level > NORMAL and before.level == NORMAL:
        rose_s = minute_s
    member = Member(minute_s, level, rose_s, incident, topic or before.topic if level else "")
    return replace(state, members={**state.members, brand: member})


def settle(
    state: OutbreakState, *, run: str, minute_s: int, config: OutbreakConfig
) -> tuple[OutbreakState, Outbreak | None]:
    """Close a minute for all brands; the second value is the outbreak if it changed."""
    if minute_s <= state.minute_s:
        return state, None
    members = {
        brand: member
        for brand, member in state.members.items()
        if minute_s - member.seen_s <= config.forget_s
    }
    hot = sorted(brand for brand, member in members.items() if member.level >= WATCH)
    gap = (minute_s - state.minute_s) // MINUTE_S if state.minute_s else 1
    outbreak = _next(state, members, hot, run=run, minute_s=minute_s, config=config)
    usual, minutes = state.usual, state.minutes + gap
    if outbreak is None or outbreak.closed_s is not None:
        # An outbreak must not become what is usual.
        weight = 1.0 - math.exp(-gap / min(float(minutes), USUAL_MINUTES))
        usual += weight * (len(hot) - usual)
    changed = outbreak is not state.outbreak and (
        outbreak is not None
        and (
            state.outbreak is None
            or outbreak.sequence != state.outbreak.sequence
            or outbreak.id != state.outbreak.id
        )
    )
    state = replace(
        state, members=members, minute_s=minute_s, usual=usual, minutes=minutes, outbreak=outbreak
    )
    return state, outbreak if changed else None


def _next(
    state: OutbreakState,
    members: dict[str, Member],
    hot: list[str],
    *,
    run: str,
    minute_s: int,
    config: OutbreakConfig,
) -> Outbreak | None:
    current = state.outbreak
    if current is None or current.closed_s is not None:
        together = [b for b in hot if minute_s - members[b].rose_s <= config.window_s]
        asked = max(
            config.least_brands,
            config.least_share * len(members),
            config.usual_ratio * state.usual,
        )
        if len(together) < asked:
            return current
        level = max(members[b].level for b in hot)
        return Outbreak(
            id=f"{run}/*/{minute_s}",
            run=run,
            opened_s=minute_s + MINUTE_S,
            onset_s=min(members[b].rose_s for b in together),
            updated_s=minute_s + MINUTE_S,
            level=level,
            peak_level=level,
            brands=tuple(together),
            peak_brands=len(together),
            incidents=tuple(members[b].incident for b in together if members[b].incident),
            usual=round(state.usual, 3),
            topics=_topics(members, together),
        )
    mine = [b for b in hot if b in current.brands or members[b].rose_s >= current.onset_s]
    if len(mine) <= config.close_share * current.peak_brands:
        calm_s = current.calm_s if current.calm_s is not None else minute_s
        if minute_s - calm_s < config.hold_s:
            return current if current.calm_s is not None else replace(current, calm_s=calm_s)
        return replace(
            current,
            level=NORMAL,
            closed_s=minute_s + MINUTE_S,
            updated_s=minute_s + MINUTE_S,
            sequence=current.sequence + 1,
            change="closed",
        )
    brands = tuple(sorted({*current.brands, *mine}))
    level = max(current.level, *(members[b].level for b in mine))
    if brands == current.brands and level == current.level:
        return current if current.calm_s is None else replace(current, calm_s=None)
    return replace(
        current,
        level=level,
        peak_level=max(level, current.peak_level),
        brands=brands,
        peak_brands=max(current.peak_brands, len(mine)),
        incidents=tuple(sorted({*current.incidents, *(members[b].incident for b in mine)} - {""})),
        topics=_topics(members, mine),
        updated_s=minute_s + MINUTE_S,
        sequence=current.sequence + 1,
        calm_s=None,
        change="level" if level > current.level else "brands",
    )


def _topics(members: dict[str, Member], brands: list[str]) -> dict[str, float]:
    counts: dict[str, int] = {}
    for brand in brands:
        topic = members[brand].topic or "other"
        counts[topic] = counts.get(topic, 0) + 1
    order = sorted(counts, key=lambda t: (-counts[t], t))
    return {topic: round(counts[topic] / len(brands), 4) for topic in order}


def pages(outbreak: Outbreak) -> bool:
    """Whether it is worth a page: at least one of its brands is at ALERT."""
    return outbreak.level >= ALERT
