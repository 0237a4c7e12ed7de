"""What the judge sees of one minute of one brand: readings, sums, and what is known beside."""

from collections.abc import Iterator

import msgspec

from detectors.anomaly.reading import Reading

MINUTE_S = 60


class Detection(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One closed minute of one brand, or the open one (`partial`) as it stands now.

    Attributes
    ----------
    brand, run
        Whose minute, and of which run (live, a replay, a drill).
    start_s
        Start of the minute in epoch seconds (a multiple of 60).
    readings
        The brand's own signals; scores are -log10 p of this minute.
    topic_readings, channel_readings
        The same per topic and channel, where configured.
    mentions, negative, authors
        Of the minute, without the brand's own mentions; `negative` is the sum of the probabilities
        that each is negative, so that doubtful ones count in part.
    reach, top_reach
        People who may have seen the minute's mentions, and its furthest negative one alone.
    security
        Negative mentions on the topic "security": a data leak pages at low volume.
    blind
        Sources that were silent beyond their habit: their silence is no sign of calm.
    announced
        A planned event (campaign, planned outage) covers this minute.
    partial
        The minute is still open: it may raise a level, it never lowers one nor is it remembered.
    simulated
        The minute holds simulated mentions (a drill or the demo).
    """

    brand: str
    start_s: int
    run: str = "live"
    readings: tuple[Reading, ...] = ()
    topic_readings: dict[str, tuple[Reading, ...]] = {}
    channel_readings: dict[str, tuple[Reading, ...]] = {}
    mentions: int = 0
    negative: float = 0.0
    authors: int = 0
    reach: float = 0.0
    top_reach: float = 0.0
    security: int = 0
    blind: tuple[str, ...] = ()
    announced: bool = False
    partial: bool = False
    simulated: bool = False

    def every_reading(self) -> Iterator[Reading]:
        """The brand's own readings and those of its topics and channels."""
        yield from self.readings
        for parts in (self.topic_readings, self.channel_readings):
            for readings in parts.values():
                yield from readings

    def reading(self, signal: str) -> Reading | None:
        """The brand's own reading of `signal`, or None if that signal is not measured."""
        for reading in self.readings:
            if reading.signal == signal:
                return reading
        return None
