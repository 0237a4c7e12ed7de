"""Series of a brand's topics and channels: complaints of each against its own history.

One detector a series and 0.7 KB kept; a series costs nothing in a minute without mentions of it
(it catches up when it is mentioned again) and begins with its first mention.
"""

from collections.abc import Mapping

import msgspec

from detectors.anomaly.config import BankConfig
from detectors.anomaly.features import Features
from detectors.anomaly.level import DAYS
from detectors.anomaly.negative import Negative
from detectors.anomaly.reading import Reading
from streams.records import Scored

MINUTE_S = 60
QUIET_LEARNED = 7 * 1440
"""Of a longer silence only the last week is learned, as of the brand's own series."""

USUAL_SHARE = 0.5
"""The usual mood of a part is not measured: half of a surge has to be complaints."""


class Part(msgspec.Struct):
    """What an open minute holds of one topic or channel. Mutable: its minute owns it."""

    mentions: int = 0
    negative: float = 0.0


class Watched(msgspec.Struct, frozen=True):
    """Which topics and channels have series of their own."""

    topics: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()

    def add(self, parts: dict[str, Part], scored: Scored) -> None:
        """Count one mention in an open minute; praise is no part of a topic of complaint."""
        if self.topics and scored.sentiment != "positive":
            for topic in scored.topics:
                if topic in self.topics:
                    _add(parts, f"topic/{topic}", scored)
        if scored.mention.source in self.channels:
            _add(parts, f"channel/{scored.mention.source}", scored)


def _add(parts: dict[str, Part], name: str, scored: Scored) -> None:
    part = parts.get(name)
    if part is None:
        part = parts[name] = Part()
    part.mentions += 1
    part.negative += scored.probabilities[0]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, list[float]])
_names = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])


def names_of(snapshot: bytes) -> list[str]:
    """Names of the series of a snapshot, which is left encoded."""
    return list(_names.decode(snapshot))


class Series:
    """All series of one brand; used linearly, like its bank."""

    def __init__(self, config: BankConfig) -> None:
        self.config = config
        self._detectors: dict[str, Negative] = {}

    def names(self) -> list[str]:
        """`topic/NAME` and `channel/NAME` of the series that have begun."""
        return list(self._detectors)

    def read(
        self,
        parts: Mapping[str, Part],
        *,
        start_s: int,
        closed_s: int,
        elapsed_ratio: float = 1.0,
    ) -> tuple[dict[str, tuple[Reading, ...]], dict[str, tuple[Reading, ...]]]:
        """Readings by topic and by channel of what a minute holds; learns nothing of it.

        `closed_s`: every minute that starts before it is closed, so what is not known of it was
        quiet.
        """
        topics: dict[str, tuple[Reading, ...]] = {}
        channels: dict[str, tuple[Reading, ...]] = {}
        for name, part in parts.items():
            detector = self._caught_up(name, min(start_s, closed_s))
            negative = detector.read(
                Features(part.mentions, part.negative),
                start_s=start_s,
                elapsed_ratio=elapsed_ratio,
            )
            usual = negative.expected / USUAL_SHARE if negative.expected is not None else None
            volume = Reading("volume", float(part.mentions), usual)
            kind, _, what = name.partition("/")
            (topics if kind == "topic" else channels)[what] = (volume, negative)
        return topics, channels

    def learn(self, parts: Mapping[str, Part], *, start_s: int, held: bool) -> bool:
        """Learn a closed minute; whether anything has changed."""
        if held:
            for name, detector in self._detectors.items():
                part = parts.get(name, Part())
                self._caught_up(name, start_s)
                features = Features(mentions=part.mentions, negative=part.negative)
                detector.learn(features, start_s=start_s, held=True)
            return bool(self._detectors)
        for name, part in parts.items():
            detector = self._caught_up(name, start_s)
            detector.learn(Features(part.mentions, part.negative), start_s=start_s)
        return bool(parts)

    def pass_unheard(self, minutes: int, *, start_s: int) -> None:
        """Let minutes pass in which a source was blind: nothing is known of them."""
        for name, detector in self._detectors.items():
            self._caught_up(name, start_s)
            detector.learn(Features(), start_s=start_s + (minutes - 1) * MINUTE_S, held=True)

    def _caught_up(self, name: str, start_s: int) -> Negative:
        """The detector of a series, taught that it was quiet since it was last mentioned."""
        detector = self._detectors.get(name)
        if detector is None:
            return self._detectors.setdefault(name, Negative(self.config))
        gap = (start_s - detector.clock) // MINUTE_S if detector.clock else 0
        if gap > 0:
            learned = min(gap, QUIET_LEARNED)
            detector.quiet(learned, start_s=start_s - learned * MINUTE_S)
        return detector

    def snapshot(self) -> bytes:
        """All that was learned."""
        return _encoder.encode({name: d.state() for name, d in self._detectors.items()})

    @classmethod
    def restore(cls, config: BankConfig, data: bytes) -> "Series":
        """The series of a snapshot; one of other windows begins anew."""
        series = cls(config)
        size = len(Negative(config).state())
        for name, state in _decoder.decode(data).items():
            # As in a bank's first version: without the weekdays, which are the last numbers.
            if len(state) in (size, size - 2 * DAYS):
                detector = series._detectors[name] = Negative(config)
                detector.load(state)
        return series
