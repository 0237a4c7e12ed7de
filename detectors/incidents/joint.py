"""What volume and mood say together."""

import math

from detectors.incidents.surge import Surge

LN10 = math.log(10.0)


def joint(surges: tuple[Surge, ...]) -> float:
    """Evidence that there is more said and that it is worse said, both at once.

    In ordinary life the volume says nothing of the mood, so the two bear witness apart: Fisher's
    method (Statistical Methods for Research Workers, 1932), P(p1 p2 <= q) = q (1 - ln q). A small
    brand's crisis is often surprising in both and not enough so in either.
    """
    more = worse = 0.0
    for surge in surges:
        if surge.key == "volume":
            more = surge.smooth
        elif surge.key == "negative_share":
            worse = surge.smooth
    return both_say(more, worse) if more > 0.0 and worse > 0.0 else 0.0


def both_say(more: float, worse: float) -> float:
    """Evidence of two that bear witness apart; it grows with each of them."""
    return more + worse - math.log10(1.0 + LN10 * (more + worse))
