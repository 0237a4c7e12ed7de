"""Watermarks of one partition: what each source's ticks said, by run. Pure values."""

from typing import NamedTuple

import msgspec

from streams.records import Tick


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Last word of a source, in epoch seconds."""

    watermark_s: float
    clock_s: float
    """Clock of the last healthy tick."""
    ended: bool = False


class Marks(msgspec.Struct, frozen=True, array_like=True):
    """All sources of one run, as one partition has heard them.

    Examples
    --------
    >>> marks = Marks(sources={"a": Mark(100.0, 100.0), "b": Mark(40.0, 90.0)}, clock_s=100.0)
    >>> marks.watermark_s(blind_after_s=300)
    40.0
    >>> marks.blind(blind_after_s=5)
    ('b',)
    >>> marks.watermark_s(blind_after_s=5)
    100.0
    """

    sources: dict[str, Mark] = {}
    clock_s: float = 0.0

    def heard(self, tick: Tick) -> "Marks":
        """The marks after a tick; watermarks and clocks never go back.

        A source that starts again after its end (a second replay) is live again.
        """
        last = self.sources.get(tick.source)
        watermark_s = tick.watermark.timestamp()
        clock_s = tick.clock.timestamp()
        mark = Mark(
            watermark_s=max(watermark_s, last.watermark_s) if last else watermark_s,
            clock_s=(
                max(clock_s, last.clock_s if last else clock_s)
                if tick.healthy or last is None
                else last.clock_s
            ),
            ended=tick.ended,
        )
        return Marks(
            sources={**self.sources, tick.source: mark}, clock_s=max(self.clock_s, clock_s)
        )

    def blind(self, *, blind_after_s: float) -> tuple[str, ...]:
        """Live sources that have been silent for too long."""
        return tuple(
            sorted(
                name
                for name, mark in self.sources.items()
                if not mark.ended and self.clock_s - mark.clock_s > blind_after_s
            )
        )

    def heard_of(self, *, blind_after_s: float) -> "Heard":
        """What these marks tell every brand: worked out once a tick, not once a brand."""
        return Heard(
            self.watermark_s(blind_after_s=blind_after_s),
            self.blind(blind_after_s=blind_after_s),
            self.over,
        )

    @property
    def over(self) -> bool:
        """Whether every source has ended: then no silence is anybody's."""
        return all(mark.ended for mark in self.sources.values())

    def watermark_s(self, *, blind_after_s: float) -> float | None:
        """The least of the live sources'; None before the first tick.

        When every source has ended or is blind, the furthest that one of them came.
        """
        if not self.sources:
            return None
        live = [
            mark.watermark_s
            for mark in self.sources.values()
            if not mark.ended and self.clock_s - mark.clock_s <= blind_after_s
        ]
        return min(live) if live else max(m.watermark_s for m in self.sources.values())


class Heard(NamedTuple):
    """What marks tell, at one `blind_after_s`."""

    watermark_s: float | None
    blind: tuple[str, ...]
    over: bool
