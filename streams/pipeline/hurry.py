"""What cannot wait for the next tick: a batch that may bring an alarm is looked at when it arrives.

Only a first alarm hurries; who has been told already is told more by the ticks. What is asked here
is rough and cheap, as it is asked of every batch: the look itself judges, and what is passed over
the next tick looks at.
"""

from collections.abc import Sequence

from detectors.incidents.severity import ALERT, SeverityConfig
from detectors.incidents.usual import Usual
from streams.pipeline.minutes import MINUTE_S, together
from streams.pipeline.state import BrandState
from streams.pipeline.watermark import Marks
from streams.records import Mention, Scored

EVERY_S = 1.0
"""Of the run's clock, between two looks at a brand: a crisis comes in many batches a second."""

AHEAD_S = 15.0
"""Three ticks. What says that it was collected later than that is not on the run's clock: mentions
of a replay carry the time of day, and a stamp may be wrong."""


def hurries(
    dials: SeverityConfig, brand: BrandState, fresh: Sequence[Scored], marks: Marks
) -> float | None:
    """The run's clock if a look at the open minutes cannot wait for the next tick, else None.

    It cannot if they hold what an ALERT asks for, beyond what the judge finds usual, and a mention
    of this batch's adds to it.
    """
    if brand.level() >= ALERT:
        return None
    if not any(one.sentiment == "negative" for one in fresh):
        return None
    at_s = _clock_s(fresh[-1].mention, marks)
    if at_s < brand.hot.looked_s + EVERY_S:
        return None
    negative, security, top_reach = together(brand.hot.minutes.values())
    far = top_reach >= dials.velocity_alert_reach
    if negative < dials.alert_excess and not security and not far:
        return None
    usual = brand.incident.usual if brand.incident else Usual()
    minutes = max(at_s - min(brand.hot.minutes), 0.0) / MINUTE_S
    usually = minutes * max(usual.negative, usual.lately)
    pressing = (
        far
        or negative >= max(usually + dials.alert_excess, dials.alert_ratio * usually)
        or security > dials.security_ratio * minutes * usual.security
    )
    return at_s if pressing else None


def _clock_s(newest: Mention, marks: Marks) -> float:
    """What the last tick said, or when the batch's last mention was collected since."""
    collected_s = newest.collected_at.timestamp()
    within = marks.clock_s < collected_s <= marks.clock_s + AHEAD_S
    return collected_s if within else marks.clock_s
