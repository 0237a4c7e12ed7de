"""The next step is expected to hold: base x rhythm of hours and weekdays x what carries over."""

import math

HOURS = 24
DAYS = 7
CAP = 4.0
"""A block's ratio to its expectation counts as at most this where carry-over is learned."""


class Level:
    """Expected count per step, learned from blocks of steps; constant memory.

    expected = base * rhythm(hour, weekday) * (1 - rho + rho * carried)

    * base: exponentially faded mean (a plain mean until there is enough history).
    * rhythm: 24 factors, each shrunk to 1 by a prior of `rhythm_prior_days` days and ten mentions,
      so that it is harmless before it is known. Linear between the middles of hours. Times 7
      factors of weekdays (local), shrunk alike by two such days: 24 x 7 hours of a week would each
      be seen once a week, a weekday's level and a day's shape are known in a quarter of the time.
    * carried: the recent ratio to base * rhythm; rho, how much of it persists, is a faded
      regression through the origin, so a noisy (small) series learns rho near 0 by itself.

    Parameters
    ----------
    step_s, block_s
        Seconds a step and a block.
    base_days, rhythm_days
        Memory of the base and of each hour's factor.
    carry_s
        Time constant of what carries over; 0 turns it off.
    utc_offset_s
        Seconds that local clocks are ahead of UTC. A Jakarta weekend that began at the midnight of
        Greenwich made Saturday mornings a surprise each week (a score of 3 came 12.8 times as
        often as promised where weekends hold 0.42 of a workday's mentions).
    """

    __slots__ = (
        "base_fade", "base_n", "base_x", "bins_n", "bins_x", "carry_fade", "carry_n", "carry_x",
        "cov", "day_fade", "day_keep", "day_prior", "days_n", "days_x", "hour_fade", "hour_keep",
        "hour_prior", "per_day", "rho_fade", "utc_offset_s", "var",
    )  # fmt: skip

    RHO_PRIOR = 0.5
    RHO_WEIGHT = 0.5
    CARRY_PRIOR = 2.0
    """Mentions that pull the carried ratio to 1."""
    CARRIED_MOST = 1.5
    """A lively hour explains at most half again as many in the next one: without a bound, a small
    brand's crisis of threefold volume was expected within the hour that it began."""
    RHYTHM_MENTIONS = 10.0
    """Mentions that pull each hour's (and weekday's) factor to 1."""
    WEEKDAY_PRIOR = 2.0
    """A weekday is half believed after so many of its days times `rhythm_prior_days`..."""
    WEEKDAY_MEMORY = 0.6
    """... and remembered for so many weeks times `rhythm_days`: six weeks."""
    WEEKDAY_MOST = 2.0
    """A block teaches its weekday at most so many times the usual: an evening's crisis is no habit
    of Mondays."""

    def __init__(
        self,
        step_s: int,
        block_s: int,
        base_days: float,
        rhythm_days: float,
        rhythm_prior_days: float,
        carry_s: float,
        prior_rate: float,
        utc_offset_s: int = 0,
    ) -> None:
        self.utc_offset_s = utc_offset_s
        per_hour = max(3600.0 / step_s, 1e-9)
        self.per_day = HOURS * per_hour
        self.base_fade = math.exp(-block_s / (86_400.0 * base_days))
        self.hour_fade = block_s / (3600.0 * rhythm_days)
        self.carry_fade = math.exp(-block_s / carry_s) if carry_s > 0 else 0.0
        self.rho_fade = self.base_fade
        self.day_fade = block_s / (86_400.0 * rhythm_days * self.WEEKDAY_MEMORY)
        # What a whole block leaves of an hour and of a weekday: nearly all blocks are whole.
        self.hour_keep = math.exp(-self.hour_fade)
        self.day_keep = math.exp(-self.day_fade)
        # Steps that "no rhythm" is worth in an hour, and days in a weekday.
        self.hour_prior = rhythm_prior_days * per_hour
        self.day_prior = self.WEEKDAY_PRIOR * rhythm_prior_days
        self.base_n = max(1800.0 / step_s, 0.25)
        self.base_x = prior_rate * self.base_n
        self.bins_x = [0.0] * HOURS
        self.bins_n = [0.0] * HOURS
        self.days_x = [0.0] * DAYS
        self.days_n = [0.0] * DAYS
        self.carry_x = 0.0
        self.carry_n = 0.0
        self.cov = 0.0
        self.var = 0.0

    def weekday(self, t_s: float) -> float:
        """Factor of the local day of the week, 1 until it is known."""
        day = int((t_s + self.utc_offset_s) // 86_400) % DAYS
        usual = self.per_day * self.base_x / self.base_n
        prior = self.day_prior * usual + self.RHYTHM_MENTIONS
        return (self.days_x[day] + prior) / (self.days_n[day] + prior)

    def rhythm(self, t_s: float) -> float:
        """Factor of the hour and the weekday."""
        return self.hourly(t_s) * self.weekday(t_s)

    def hourly(self, t_s: float) -> float:
        """Factor of the time of day (UTC), linear between the middles of the hours."""
        at = t_s / 3600.0 - 0.5
        hour = math.floor(at)
        share = at - hour
        first = hour % HOURS
        second = (first + 1) % HOURS
        x, n = self.bins_x, self.bins_n
        prior = self.hour_prior * self.base_x / self.base_n + self.RHYTHM_MENTIONS
        return (1.0 - share) * ((x[first] + prior) / (n[first] + prior)) + share * (
            (x[second] + prior) / (n[second] + prior)
        )

    def persistence(self) -> float:
        """Rho, 0..1."""
        if self.carry_fade == 0.0:
            return 0.0
        rho = (self.cov + self.RHO_PRIOR * self.RHO_WEIGHT) / (self.var + self.RHO_WEIGHT)
        return min(max(rho, 0.0), 1.0)

    def carried(self) -> float:
        return min(self._lately(), self.CARRIED_MOST)

    def _lately(self) -> float:
        return (self.carry_x + self.CARRY_PRIOR) / (self.carry_n + self.CARRY_PRIOR)

    def expect(self, t_s: float) -> float:
        """Mean of one step at time `t_s`."""
        rho = self.persistence()
        return self.base_x / self.base_n * self.rhythm(t_s) * (1.0 - rho + rho * self.carried())

    def usual(self, t_s: float) -> float:
        """Mean of one step at time `t_s`, were the hours before not livelier than usual."""
        rho = self.persistence()
        carried = min(self.carried(), 1.0)
        return self.base_x / self.base_n * self.rhythm(t_s) * (1.0 - rho + rho * carried)

    def learn(self, x: float, steps: float, t_s: float, block_share: float) -> None:
        """Learn that `steps` steps around `t_s` held `x` (already capped) mentions in total.

        `block_share`: which part of the block was seen, 0..1; the rest was held.
        """
        if steps <= 0.0:
            return
        base = self.base_x / self.base_n
        hourly, weekday = self.hourly(t_s), self.weekday(t_s)
        rhythm = hourly * weekday
        usual = base * rhythm * steps
        if self.carry_fade > 0.0:
            q = min(self._lately() - 1.0, CAP)
            d = min(x / max(usual, 1e-9) - 1.0, CAP)
            weight = block_share * usual / (usual + 2.0)
            self.cov = self.rho_fade * self.cov + weight * d * q
            self.var = self.rho_fade * self.var + weight * q * q
            self.carry_x = self.carry_fade * self.carry_x + x
            self.carry_n = self.carry_fade * self.carry_n + usual
        hour = int(t_s // 3600) % HOURS
        whole = block_share == 1.0
        fade = self.hour_keep if whole else math.exp(-self.hour_fade * block_share)
        self.bins_x[hour] = fade * self.bins_x[hour] + x
        self.bins_n[hour] = fade * self.bins_n[hour] + base * weekday * steps
        day = int((t_s + self.utc_offset_s) // 86_400) % DAYS
        fade = self.day_keep if whole else math.exp(-self.day_fade * block_share)
        most = self.WEEKDAY_MOST * usual + self.CARRY_PRIOR
        self.days_x[day] = fade * self.days_x[day] + min(x, most)
        self.days_n[day] = fade * self.days_n[day] + base * hourly * steps
        self.base_x = self.base_fade * self.base_x + x
        self.base_n = self.base_fade * self.base_n + rhythm * steps

    def pass_time(self, blocks: float) -> None:
        """Blocks that nothing is known of: what carried over fades, the rest stays."""
        if self.carry_fade > 0.0:
            fade = self.carry_fade**blocks
            self.carry_x *= fade
            self.carry_n *= fade

    def state(self) -> list[float]:
        return [
            self.base_x, self.base_n, self.carry_x, self.carry_n, self.cov, self.var,
            *self.bins_x, *self.bins_n, *self.days_x, *self.days_n,
        ]  # fmt: skip

    def load(self, state: list[float]) -> None:
        self.base_x, self.base_n, self.carry_x, self.carry_n, self.cov, self.var = state[:6]
        self.bins_x = list(state[6 : 6 + HOURS])
        hours = 6 + 2 * HOURS
        self.bins_n = list(state[6 + HOURS : hours])
        # A state of the first version ends here: it knew no weekdays.
        self.days_x = list(state[hours : hours + DAYS]) or [0.0] * DAYS
        self.days_n = list(state[hours + DAYS :]) or [0.0] * DAYS
