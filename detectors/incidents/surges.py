"""All surges of a brand, one minute on: brand level, topics and channels."""

from typing import NamedTuple

from detectors.anomaly.reading import Reading
from detectors.incidents.detection import Detection
from detectors.incidents.severity import SeverityConfig
from detectors.incidents.surge import GONE, SLACK, UP, Amount, Surge, grow, rest

MAX_SURGES = 24
"""Kept at most, the strongest; bounds the state of a brand."""
AT_ONCE = frozenset({"velocity", "reach"})
"""Over in a minute: one post is seen once. Magnitudes of such minutes do not add up either."""
UNSUMMED = AT_ONCE | {"slow_burn"}
"""A slow burn's windows overlap: their sums do not add up."""
SHARE_SLACK = 0.06
"""Points above the usual share: half of what a doubtful classifier shows of a rise by 0.20."""
HOT_SCORE = 1.0
"""A minute that one ordinary minute in ten exceeds is remarkable enough to delay the end."""


def advance(
    surges: tuple[Surge, ...], detection: Detection, config: SeverityConfig
) -> tuple[tuple[Surge, ...], bool]:
    """The surges after this minute, and whether it was remarkable.

    A signal that is still warming up has no score and gathers no evidence. A surge whose signal
    is not in this minute rests, unless a source is blind: then it waits.
    """
    before = {surge.key: surge for surge in surges}
    after: list[Surge] = []
    hot = False
    start_s, score_cap = detection.start_s, config.score_cap
    for prefix, readings in _series(detection):
        sums: _Sums | None = None
        for reading in readings:
            key = prefix + reading.signal
            surge = before.pop(key, None)
            score = reading.score
            if score is None:
                continue
            if score >= HOT_SCORE and reading.signal != "slow_burn":
                hot = True
            if surge is None and score <= 0.0:
                continue
            sums = sums or _sums(readings, detection)
            if surge is None and _dull(reading, score, sums):
                continue
            grown = grow(
                surge,
                key,
                reading,
                _amount(reading, sums),
                start_s=start_s,
                score_cap=score_cap,
                at_once=reading.signal == "velocity",
            )
            if grown is not None:
                after.append(grown)
    for surge in before.values():
        rested = surge if detection.blind else rest(surge, start_s=start_s)
        if rested is not None:
            after.append(rested)
    if len(after) > 1:
        after.sort(key=lambda s: (-(s.smooth + s.lasting), s.key))
    return tuple(after[:MAX_SURGES]), hot


def rest_all(surges: tuple[Surge, ...], start_s: int) -> tuple[Surge, ...]:
    """The surges after quiet minutes up to and with `start_s`."""
    rested = (rest(surge, start_s=start_s) for surge in surges)
    return tuple(surge for surge in rested if surge is not None)


def _series(detection: Detection) -> list[tuple[str, tuple[Reading, ...]]]:
    series = [("", detection.readings)]
    if topics := detection.topic_readings:
        series += [(f"topic/{topic}/", topics[topic]) for topic in sorted(topics)]
    if channels := detection.channel_readings:
        series += [(f"channel/{channel}/", channels[channel]) for channel in sorted(channels)]
    return series


class _Sums(NamedTuple):
    """Of the minute, in the series that a reading belongs to."""

    mentions: float
    negative: float
    usual_share: float


def _sums(readings: tuple[Reading, ...], detection: Detection) -> _Sums:
    volume = negative = None
    for reading in readings:
        if reading.signal == "volume":
            volume = reading
        elif reading.signal == "negative":
            negative = reading
    return _Sums(
        volume.observed if volume else float(detection.mentions),
        negative.observed if negative else detection.negative,
        _usual_share(volume, negative),
    )


def _dull(reading: Reading, score: float, sums: _Sums) -> bool:
    """Whether a minute is no beginning of a surge: what `grow` would say of it, without sums.

    Most readings of ordinary minutes are; asking first halves what folding a minute costs.
    """
    signal = reading.signal
    if score >= (GONE if signal == "velocity" else GONE / UP):
        return False
    if signal in UNSUMMED:
        return True
    expected = reading.expected or 0.0
    if signal == "negative_share":
        return sums.negative <= expected * sums.mentions + SHARE_SLACK * sums.mentions
    return reading.observed <= SLACK * expected


def _amount(reading: Reading, sums: _Sums) -> Amount:
    mentions, negative, share = sums
    observed, expected = reading.observed, reading.expected or 0.0
    slack: float | None = SLACK * expected
    steady = True
    window_s = 60
    if reading.signal == "negative_share":
        # As counts, so that shares of minutes of different size add up.
        observed, expected = negative, expected * mentions
        slack, steady = expected + SHARE_SLACK * mentions, False
    elif reading.signal == "slow_burn":
        # A rate over hours: the window's own sums.
        window_s = reading.window_s
        observed, expected = observed * window_s / 60, expected * window_s / 60
        slack, steady = None, False
    elif reading.signal in AT_ONCE:
        slack, steady = None, False
    return Amount(observed, expected, mentions, negative, share, slack, steady, window_s)


def _usual_share(volume: Reading | None, negative: Reading | None) -> float:
    """Usual negative part of the mentions, 0..1; 0 while nothing is known."""
    if volume is None or negative is None or not volume.expected or negative.expected is None:
        return 0.0
    return min(negative.expected / volume.expected, 1.0)
