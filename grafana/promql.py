"""PromQL that survives a rebalance: while a brand moves, no worker exports it for some seconds."""

LOOKBACK = "2m"
"""Longer than any hand-over (static members: under 15 s) and several scrapes."""


def selector(metric: str, **matchers: str) -> str:
    """`metric{label=~"pattern"}`; without matchers, the bare name."""
    inside = ",".join(f'{label}=~"{pattern}"' for label, pattern in sorted(matchers.items()))
    return f"{metric}{{{inside}}}" if inside else metric


def latest(metric: str, *by: str, **matchers: str) -> str:
    """The last known value per `by`, whichever worker exported it."""
    lookback = f"last_over_time({selector(metric, **matchers)}[{LOOKBACK}])"
    return f"max by ({', '.join(by)}) ({lookback})" if by else f"max({lookback})"


def level(**matchers: str) -> str:
    """Severity of each brand, 0..3."""
    return latest("siaga_severity_level", "brand", **matchers)


def driver() -> str:
    """One series a brand: the signal that surprises most, with its score."""
    return f"topk by (brand) (1, {latest('siaga_anomaly_score', 'brand', 'signal')})"


def driver_observed() -> str:
    """What that signal observed; the negative count while no signal knows a score yet."""
    observed = latest("siaga_observed", "brand", "signal")
    fallback = latest("siaga_observed", "brand", "signal", signal="negative")
    return f"({observed} and on (brand, signal) {driver()}) or on (brand) {fallback}"


def driver_expected() -> str:
    """What that signal led to expect; no series while it is unknown."""
    return (
        f"{latest('siaga_expected', 'brand', 'signal')} "
        f"and on (brand, signal) ({driver_observed()})"
    )


def else_zero_per_brand(expr: str) -> str:
    """`expr`, and 0 for brands without it: rules then resolve at once, not when series go stale."""
    return f"({expr}) or on (brand) (0 * {level()})"
