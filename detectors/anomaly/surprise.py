"""From a count to its surprise: closed forms that need no table and no SciPy.

All tails here are one formula. P(X >= x) of a Poisson, negative-binomial or binomial variable is
P(B <= p) of a beta variable B, a beta variable is a ratio of two gammas (an F variable), and
Paulson's cube-root transform (1942; it contains Wilson and Hilferty's of 1931) makes an F variable
standard normal to about two digits of the exponent, far into the tail and for fractional counts.
"""

import math
from functools import lru_cache

SQRT_HALF = math.sqrt(0.5)
THIRD = 1.0 / 3.0
LN10 = math.log(10.0)
LN_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
FAR = 12.0
"""Beyond this z, erfc is replaced by its asymptotic series (relative error below 1e-4)."""


def beta_z(a: float, b: float, odds: float) -> float:
    """Standard normal z with P(Z >= z) = P(Beta(a, b) <= odds / (1 + odds)), by Paulson.

    Parameters
    ----------
    a, b
        Shapes, positive.
    odds
        p / (1 - p) of the point, positive.

    Examples
    --------
    P(X >= 9) of Poisson(3) is 0.0038, that is z = 2.67; here 2.65 (a large b is the Poisson limit):

    >>> round(beta_z(9.0, 1e9, 3.0 / 1e9), 2)
    2.65
    """
    g: float = (a / (b * odds)) ** THIRD
    u = 1.0 / (9.0 * a)
    v = 1.0 / (9.0 * b)
    return ((1.0 - u) * g - (1.0 - v)) / math.sqrt(u * g * g + v)


def count_z(x: float, mean: float, dispersion: float) -> float:
    """Upper-tail z of a count: X has this mean and variance `mean + dispersion * mean**2`.

    Examples
    --------
    >>> round(count_z(9.0, 3.0, 0.0), 2)
    2.65
    >>> round(count_z(9.0, 3.0, 0.5), 2)  # the same count in a restless series
    1.68
    """
    if x <= 0.0:
        return -math.inf
    r = 1.0 / max(dispersion, 1e-9)
    return beta_z(x, r, mean / r)


def neg_log_tail(z: float) -> float:
    """-ln P(Z >= z) of a standard normal variable.

    Examples
    --------
    >>> round(neg_log_tail(0.0), 4)
    0.6931
    >>> round(neg_log_tail(20.0), 2)
    203.92
    """
    if z < FAR:
        return -math.log(0.5 * math.erfc(z * SQRT_HALF))
    w = 1.0 / (z * z)
    return 0.5 * z * z + LN_SQRT_2PI + math.log(z) - math.log1p(-w + 3.0 * w * w)


@lru_cache(maxsize=256)  # every new detector asks for the same few
def tail_z(s: float) -> float:
    """Return the z whose `neg_log_tail` is `s`, for s > 1 (fixed point; error below 0.01).

    Examples
    --------
    >>> round(tail_z(neg_log_tail(3.0)), 1)
    3.0
    """
    z = math.sqrt(max(2.0 * s - 2.0, 0.1))
    for _ in range(3):
        # Newton on neg_log_tail, whose slope (the hazard) is close to z + 1/z.
        z = max(z + (s - neg_log_tail(z)) / (z + 1.0 / max(z, 0.5)), 0.05)
    return z
