"""Whether a level can come at all: bounds from above, asked before the dear look."""

from collections.abc import Iterable

from detectors.incidents.joint import both_say, joint
from detectors.incidents.severity import SeverityConfig
from detectors.incidents.surge import Surge, lasting_gain
from detectors.incidents.verdict import far_seen


def may_rise(
    surges: tuple[Surge, ...],
    config: SeverityConfig,
    *,
    negative: float,
    top_reach: float,
    security: int,
) -> bool:
    """Whether open minutes that hold so much in all may raise a level before they close.

    Every level asks for a size, and what is there is taken for excess to the last mention. Not
    asked is what can wait for the end of the minute: attention, which raises a WATCH at most, and
    a slow burn, which has hours.
    """
    asked = min(config.watch_excess, config.floor_alert)
    if security or top_reach >= config.velocity_reach or negative >= asked:
        return True
    return any(
        surge.excess + negative >= asked
        for surge in surges
        if surge.signal in ("negative", "negative_share")
    )


def may_call(
    surges: tuple[Surge, ...], config: SeverityConfig, *, security: float, warming: bool
) -> bool:
    """Whether `level_of` might call for a level: of most minutes it does not, which is soon seen.

    Parameters
    ----------
    security, warming
        As in `Recent`; whatever else is recent speaks only once these or a surge's evidence do.
    """
    if warming or security >= min(config.security_alert, config.security_crisis):
        return True
    asked = config.watch_evidence
    for surge in surges:
        if surge.smooth + surge.lasting >= asked:
            return True
        if surge.key == "velocity" and far_seen(surge, config):
            return True
    return joint(surges) >= asked


def may_carry(
    surges: tuple[Surge, ...],
    scores: Iterable[float],
    minutes: int,
    top_reach: float,
    config: SeverityConfig,
) -> bool:
    """Whether so many minutes with these scores might carry a surge's evidence to a WATCH.

    A bound from above: `smooth` only moves towards a score, and each minute adds at most its gain
    to `lasting` (surge.py). A complaint that is seen far needs no score (`far_seen`).
    """
    if top_reach >= config.velocity_far_reach:
        return True
    top = max(scores, default=0.0)
    lasting = 0.0
    gain = minutes * max(lasting_gain(top), 0.0)
    for surge in surges:
        top = max(top, surge.smooth)
        lasting = max(lasting, surge.lasting)
    return max(top + lasting + gain, both_say(top, top)) >= config.watch_evidence
