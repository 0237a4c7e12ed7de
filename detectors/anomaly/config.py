"""The dials of detection; docs/detection.md explains them to a comms lead."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BankConfig:
    """How a series is watched. The defaults are meant to be left alone.

    Attributes
    ----------
    step_s
        Seconds of one observation; 60 in the product, the bin width in `backtest counts`.
    scales_s
        Windows that are summed, seconds; those shorter than a step are left out.
    share_scales_s
        Windows of the negative share: a single minute says nothing of the mood.
    slow_scales_s
        Windows of the slow burn.
    block_s
        The level is learned once a block (clock-aligned); at least a step.
    base_days, rhythm_days
        Memory of the usual volume, and of each hour's share in the daily rhythm.
    rhythm_prior_days
        Days that "no rhythm" is worth: the factor of an hour is half believed after so many days.
    carry_s
        How long the recent hours are remembered for what carries over into the next minute.
    restless
        Dispersion that is assumed of an unknown series (0.15: +-40 % around the level is normal).
    restless_blocks
        Blocks of history that this assumption is worth.
    floor_per_minute
        No series is expected to hold less than this, so that one mention is never a sensation.
    event_steps
        A crisis teaches the tail as much as so many surprising steps, however long it lasts.
    event_cap
        One such step counts as at most so many times the usual surprise beyond the 1 % quantile.
    warm_up_s
        No scores before so many seconds of history.
    utc_offset_s
        Seconds that the brand's clock is ahead of UTC: its weekends begin at its own midnight.
    """

    step_s: int = 60
    scales_s: tuple[int, ...] = (60, 300, 900, 3600)
    share_scales_s: tuple[int, ...] = (300, 900, 3600, 14_400)
    slow_scales_s: tuple[int, ...] = (14_400, 43_200, 129_600)
    block_s: int = 900
    base_days: float = 5.0
    rhythm_days: float = 10.0
    rhythm_prior_days: float = 1.0
    carry_s: float = 5400.0
    restless: float = 0.15
    restless_blocks: float = 50.0
    floor_per_minute: float = 0.01
    event_steps: float = 5.0
    event_cap: float = 10.0
    warm_up_s: int = 86_400
    utc_offset_s: int = 0
