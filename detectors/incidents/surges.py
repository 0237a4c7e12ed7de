"""All surges of a brand, one minute on: brand level, topics and channels."""

from collections.abc import Iterator

from detectors.anomaly.reading import Reading
from detectors.incidents.detection import Detection
from detectors.incidents.severity import SeverityConfig
from detectors.incidents.surge import Surge, chance_of, grow, rest

MAX_SURGES = 24
"""Kept at most, the strongest; bounds the state of a brand."""
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
    for prefix, readings in _series(detection):
        for reading in readings:
            key = prefix + reading.signal
            surge = before.pop(key, None)
            if reading.score is None:
                continue
            if reading.score >= HOT_SCORE:
                hot = True
            if surge is None and reading.score <= 0.0:
                continue
            grown = _grown(surge, key, reading, readings, detection, config)
            if grown is not None:
                after.append(grown)
    for surge in before.values():
        rested = surge if detection.blind else rest(surge, start_s=detection.start_s)
        if rested is not None:
            after.append(rested)
    after.sort(key=lambda s: (-s.evidence, s.key))
    return tuple(after[:MAX_SURGES]), hot


def rest_all(surges: tuple[Surge, ...], start_s: int) -> tuple[Surge, ...]:
    """The surges after quiet minutes up to and with `start_s`."""
    rested = (rest(surge, start_s=start_s) for surge in surges)
    return tuple(surge for surge in rested if surge is not None)


def _series(detection: Detection) -> Iterator[tuple[str, tuple[Reading, ...]]]:
    yield "", detection.readings
    for topic, readings in sorted(detection.topic_readings.items()):
        yield f"topic/{topic}/", readings
    for channel, readings in sorted(detection.channel_readings.items()):
        yield f"channel/{channel}/", readings


def _grown(
    surge: Surge | None,
    key: str,
    reading: Reading,
    readings: tuple[Reading, ...],
    detection: Detection,
    config: SeverityConfig,
) -> Surge | None:
    by_signal = {r.signal: r for r in readings}
    volume, negative = by_signal.get("volume"), by_signal.get("negative")
    mentions = volume.observed if volume else float(detection.mentions)
    complaints = negative.observed if negative else float(detection.negative)
    observed, expected = reading.observed, reading.expected or 0.0
    source = reading if reading.signal in ("volume", "negative", "authors") else volume
    if reading.signal == "negative_share":
        # As counts, so that shares of minutes of different size add up.
        observed, expected = complaints, expected * mentions
        source = negative
    return grow(
        surge,
        key,
        reading,
        start_s=detection.start_s,
        observed=observed,
        expected=expected,
        mentions=mentions,
        negative=complaints,
        chance=chance_of(source.expected if source else None),
        score_cap=config.score_cap,
        ceiling=config.evidence_ceiling,
        smooth_minutes=config.slow_minutes if reading.signal == "slow_burn" else 0,
    )
