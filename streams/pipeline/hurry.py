"""What cannot wait for the next tick: a batch that may bring an alarm is looked at when it arrives.

Only a first alarm hurries; who has been told already is told more by the ticks. What is asked here
is rough and cheap, as it is asked of every batch: the look itself judges, and what is passed over
the next tick looks at.
"""

from detectors.incidents.severity import ALERT, SeverityConfig
from streams.pipeline.minutes import MINUTE_S
from streams.pipeline.state import BrandState
from streams.pipeline.watermark import Marks
from streams.records import Batch

EVERY_S = 1.0
"""Of the run's clock, between two looks at a brand: a crisis comes in many batches a second."""

AHEAD_S = 15.0
"""Three ticks. What says that it was collected later than that is not on the run's clock: mentions
of a replay carry the time of day, and a stamp may be wrong."""


def hurries(dials: SeverityConfig, brand: BrandState, clock_s: float) -> bool:
    """Whether the open minutes hold what an ALERT asks for, beyond what the judge finds usual."""
    if brand.level() >= ALERT or clock_s < brand.hot.looked_s + EVERY_S:
        return False
    negative, top_reach, security = 0.0, 0.0, 0
    for minute in brand.hot.minutes.values():
        negative += minute.negative_mass
        top_reach = max(top_reach, minute.top_reach)
        security += minute.security
    if top_reach >= dials.velocity_alert_reach:
        return True
    if negative < dials.alert_excess and not security:
        return False
    if brand.incident is None:
        return True
    minutes = max(clock_s - min(brand.hot.minutes), 0.0) / MINUTE_S
    usual = brand.incident.usual
    usually = minutes * max(usual.negative, usual.lately)
    return (
        negative >= max(usually + dials.alert_excess, dials.alert_ratio * usually)
        or security > dials.security_ratio * minutes * usual.security
    )


def clock_s(batch: Batch, marks: Marks) -> float:
    """The run's clock when a batch arrives: what the last tick said, or its collection since."""
    # A batch fills in the order of collection.
    collected_s = batch.mentions[-1].collected_at.timestamp() if batch.mentions else 0.0
    within = marks.clock_s < collected_s <= marks.clock_s + AHEAD_S
    return collected_s if within else marks.clock_s
