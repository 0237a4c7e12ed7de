"""The round over all targets: whose turn it is, and where each of them stands (the cursor)."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from connectors.sources.cursor import LenientCursor
from connectors.sources.youtube.quota import Spent

THREADS_REMEMBERED = 500
"""Threads whose number of replies is kept in the cursor."""


class Spot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where one target stands."""

    since_ms: int = 0
    """Stamp of the newest item given out before this round."""
    high_ms: int = 0
    """The same, with this round's."""
    token: str = ""
    """The page of its threads that is next in this round; "": the first."""


class Pending(msgspec.Struct, frozen=True, omit_defaults=True):
    """A thread with more replies than came with it."""

    thread: str
    count: int
    target: str
    low_ms: int
    """What is older was given out before."""
    token: str = ""
    """The page of its replies that is next; "": the first."""


class Place(LenientCursor, frozen=True):
    """The cursor."""

    spots: dict[str, Spot] = msgspec.field(default_factory=dict)
    turn: str = ""
    pending: tuple[Pending, ...] = ()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """Replies that a thread had when they were last read."""
    found: tuple[str, ...] = ()
    searched_ms: dict[str, int] = msgspec.field(default_factory=dict)
    round_ms: int = 0
    """When the last whole round began: everything older has been seen."""
    began_ms: int = 0
    spent: Spent = Spent()


class Round:
    """Targets in turn: those that were named, the searches, and the videos that these have found.

    A target's key is its kind (channel, video or search) and its name: `video:dQw4w9WgXcQ`.

    Parameters
    ----------
    channels, videos, search
        As the settings name them.
    """

    def __init__(
        self, *, channels: Sequence[str], videos: Sequence[str], search: Sequence[str]
    ) -> None:
        self._named = (*(f"channel:{c}" for c in channels), *(f"video:{v}" for v in videos))
        self._searches = tuple(f"search:{w}" for w in search)

    def is_named(self, key: str) -> bool:
        """Whether the settings name a target, so that it was not found by a search."""
        return key in self._named

    def turn(self, place: Place) -> str:
        """Key of the target that is next."""
        targets = self._targets(place)
        return place.turn if place.turn in targets else targets[0]

    def after(self, place: Place, key: str) -> Place:
        """The same with the next target's turn; the last one ends the round."""
        targets = self._targets(place)
        n = targets.index(key) + 1
        return self.settled(replace(place, turn=targets[n] if n < len(targets) else ""))

    def settled(self, place: Place) -> Place:
        """The same, with the round noted as whole if nothing of it is left to do."""
        if place.turn or place.pending:
            return place
        kept = {k: s for k, s in place.spots.items() if k in self._targets(place)}
        return replace(place, round_ms=place.began_ms, spots=kept)

    def _targets(self, place: Place) -> list[str]:
        found = (f"video:{v}" for v in place.found)
        return list(dict.fromkeys([*self._named, *self._searches, *found]))


def counted(place: Place, thread: str, count: int) -> Place:
    """The same, with the replies that a thread had when they were read."""
    counts = {**place.counts, thread: count}
    while len(counts) > THREADS_REMEMBERED:
        del counts[next(iter(counts))]
    return replace(place, counts=counts)


def to_ms(at: datetime) -> int:
    """Epoch milliseconds of a time."""
    return int(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """The time, UTC."""
    return datetime.fromtimestamp(max(ms, 0) / 1000, UTC)
