"""Is a channel silent beyond its habit? Then the brand's series hold instead of learning zeros.

What a brand's volume is expected to be is known already (level.py); a channel's habit is its share
of that, so a channel costs a handful of numbers. Of L mentions that were expected since the last
one, the chance of none is (1 + a L)^(-1/a) under a negative-binomial law of dispersion a. From 1 in
10,000 on the channel is blind, unless its own longest silence was half as long: nights and quiet
Sundays, which no model knows at first, are no outage.
"""

import math
from collections.abc import Mapping

import msgspec

MINUTE_S = 60
RESTLESS = 0.3
"""Dispersion of what a channel brings: it varies by half, so silences are forgiven generously."""
CHANCE = 1e-4
MISSED: float = (CHANCE**-RESTLESS - 1.0) / RESTLESS
"""Expected mentions, some fifty, that have to be missed: quiet brands are never called blind."""
LEAST_MINUTES = 5
LONGER = 2.0
"""So many times the longest silence so far is beyond habit."""
RECORD_CAP = 2.0
"""A silence that was called blind teaches at most so many times what was missed by then."""
RECORD_HALF_S = 604_800.0
"""A longest silence counts half after a week: what happened last Sunday is still known."""
SHARE_DAYS = 5.0
"""Memory of a channel's share of the mentions."""
LIVELY = 3.0
"""A minute teaches shares at most so many times what is usual: a burst makes no habit."""
KNOWN_S = 2 * 86_400
"""Nobody knows a channel's nights before: until then none is called blind."""
GIVEN_UP_MINUTES = 1440
"""A channel that was blind for a day is gone; if it comes back, it begins anew."""
LISTENED = 2.0 * SHARE_DAYS * MISSED
"""Mentions remembered (some hundred a day) from which on a channel's silence is listened to."""

VERSION = 1


class Habit(msgspec.Struct, array_like=True):
    """One channel. Mutable: its owner uses it linearly."""

    heard: float = 0.0
    """Faded sum of its mentions."""
    rate: float = 0.0
    """Usual mentions a minute, in this block."""
    missed: float = 0.0
    """Expected since its last mention, up to this block."""
    here: int = 0
    """Silent minutes of this block: a product, not a sum, is the same however time is cut."""
    silent: int = 0
    """Minutes since its last mention."""
    record: float = 0.0
    record_s: int = 0
    """The longest silence that ended, as expected mentions, and when."""
    blind: int = 0
    """Minutes since it was found blind, 0 if it is not."""
    since_s: int = 0
    """Its first mention."""

    def bound(self, now_s: float) -> float:
        """Expected mentions whose absence is beyond habit."""
        longest = self.record * math.exp2((self.record_s - now_s) / RECORD_HALF_S)
        return max(MISSED, LONGER * longest)


class _Kept(msgspec.Struct, array_like=True):
    block: int
    total: float
    usual: float
    channels: dict[str, Habit]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Kept)


class UnknownHabits(ValueError):
    """A snapshot that this version cannot read: written by a newer one, or damaged."""


class Habits:
    """The channels of one brand, minute by minute; constant memory, exact however time is cut.

    Parameters
    ----------
    block_s
        Seconds for which one expectation stands (`BankConfig.block_s`).

    Examples
    --------
    >>> habits = Habits(900)
    >>> for minute in range(3000):
    ...     if habits.due(60 * minute):
    ...         habits.enter(60 * minute, usual=10.0)
    ...     habits.take({"forum": 10} if minute < 2990 else {}, start_s=60 * minute)
    >>> habits.blind
    ('forum',)
    >>> habits.take({"forum": 1}, start_s=60 * 3000)
    >>> habits.blind
    ()
    """

    __slots__ = ("block", "block_s", "channels", "total", "usual")

    def __init__(self, block_s: int) -> None:
        self.block_s = block_s
        self.block = -1
        self.total = 0.0
        self.usual = 0.0
        self.channels: dict[str, Habit] = {}

    def due(self, start_s: int) -> bool:
        """Whether a block begins: then `enter` is to be told what is usual."""
        return start_s // self.block_s != self.block

    def minutes_left(self, start_s: int) -> int:
        """Minutes from `start_s` to the end of its block, at least 1."""
        return max(1, (self.block_s - start_s % self.block_s) // MINUTE_S)

    def enter(self, start_s: int, *, usual: float) -> None:
        """Begin the block of `start_s`.

        Parameters
        ----------
        usual
            Mentions a minute that the brand's history leads to expect.
        """
        block = start_s // self.block_s
        fade = math.exp(-max(block - self.block, 0) * self.block_s / (86_400.0 * SHARE_DAYS))
        self.block, self.usual = block, usual
        self.total *= fade
        for name, habit in list(self.channels.items()):
            if habit.blind > GIVEN_UP_MINUTES:
                self.total -= fade * habit.heard
                del self.channels[name]
                continue
            habit.heard *= fade
            habit.missed += habit.here * habit.rate
            habit.here = 0
            habit.rate = usual * habit.heard / self.total if self.total > 0.0 else 0.0

    def take(self, heard: Mapping[str, int], *, start_s: int) -> None:
        """Take what each channel brought in a minute of this block."""
        if heard:
            mentions = sum(heard.values())
            weight = min(1.0, LIVELY * (self.usual + 1.0) / mentions)
            self.total += weight * mentions
            for name, count in heard.items():
                habit = self.channels.get(name)
                if habit is None:
                    habit = self.channels[name] = Habit(since_s=start_s)
                elif habit.silent:
                    _ended(habit, start_s)
                habit.heard += weight * count
        for name, habit in self.channels.items():
            if name not in heard:
                habit.here += 1
                habit.silent += 1
                if habit.blind:
                    habit.blind += 1
                elif _beyond(habit, habit.here, habit.silent, start_s):
                    habit.blind = 1

    def calm(self, minutes: int, *, start_s: int) -> int:
        """How many of the next silent minutes of this block find no further channel blind."""
        for habit in self.channels.values():
            if habit.blind or habit.rate <= 0.0:
                continue
            if habit.missed + (habit.here + minutes) * habit.rate < MISSED:
                continue
            for n in range(minutes):
                at_s = start_s + n * MINUTE_S
                if _beyond(habit, habit.here + n + 1, habit.silent + n + 1, at_s):
                    minutes = n
                    break
        return minutes

    def pass_silent(self, minutes: int) -> None:
        """Let silent minutes of this block pass, as `take` of each; `calm` said how many."""
        for habit in self.channels.values():
            habit.here += minutes
            habit.silent += minutes
            if habit.blind:
                habit.blind += minutes

    @property
    def blind(self) -> tuple[str, ...]:
        """Channels that are silent beyond their habit; metrics read it in a thread of their own."""
        # A copy: a channel that joins meanwhile would end the look with an error.
        found = [name for name, habit in list(self.channels.items()) if habit.blind]
        return tuple(sorted(found)) if found else ()

    @property
    def lively(self) -> bool:
        """Whether a channel would soon be missed: somebody has to listen to the silence."""
        return any(habit.blind or habit.heard >= LISTENED for habit in self.channels.values())

    def clear(self) -> None:
        """Forget all channels: for longer than anybody remembers there was none."""
        self.channels.clear()
        self.total = 0.0

    def snapshot(self) -> bytes:
        """All that was learned: some 50 bytes a channel."""
        kept = _Kept(self.block, self.total, self.usual, self.channels)
        return bytes([VERSION]) + _encoder.encode(kept)

    @classmethod
    def restore(cls, block_s: int, data: bytes) -> "Habits":
        """The habits of a snapshot.

        Raises
        ------
        UnknownHabits
            If it is of a later version or damaged.
        """
        if not data or data[0] != VERSION:
            version = data[0] if data else "none"
            msg = f"habits snapshot of version {version}; this release reads {VERSION}: upgrade"
            raise UnknownHabits(msg)
        try:
            kept = _decoder.decode(data[1:])
        except msgspec.DecodeError as e:
            msg = f"damaged habits snapshot: {e}"
            raise UnknownHabits(msg) from e
        habits = cls(block_s)
        habits.block, habits.total = kept.block, kept.total
        habits.usual, habits.channels = kept.usual, kept.channels
        return habits


def _beyond(habit: Habit, here: int, silent: int, now_s: int) -> bool:
    missed = habit.missed + here * habit.rate
    return (
        missed >= MISSED
        and silent >= LEAST_MINUTES
        and now_s - habit.since_s >= KNOWN_S
        and missed >= habit.bound(now_s)
    )


def _ended(habit: Habit, now_s: int) -> None:
    """A silence is over; it teaches how long silences are."""
    missed = habit.missed + habit.here * habit.rate
    bound = habit.bound(now_s)
    if habit.blind:
        missed = min(missed, RECORD_CAP * bound)
    if LONGER * missed > bound:
        habit.record, habit.record_s = missed, now_s
    habit.missed, habit.here, habit.silent, habit.blind = 0.0, 0, 0, 0
