"""How bad is bad: the levels, and every dial of what they take in one place."""

from dataclasses import dataclass

NORMAL, WATCH, ALERT, CRISIS = 0, 1, 2, 3
LEVELS = (NORMAL, WATCH, ALERT, CRISIS)

NEGATIVE_SIGNALS = frozenset({"negative", "negative_share", "velocity", "slow_burn"})
"""Only these can raise more than WATCH: a crisis is negative, attention alone is not."""


OWN_DIAL = frozenset({"velocity", "slow_burn"})
"""The others of these share `alert_evidence`: more complaints, or a larger part of them."""


@dataclass(frozen=True, slots=True)
class SeverityConfig:
    """The dials. Evidence is a smoothed score: 5 means "in one ordinary minute of 100,000".

    A brand has 10,080 minutes a week and seven signals, not counting topics and channels; scores of
    neighbouring minutes go together (some four to a cluster), so that 4.4 comes about every tenth
    week by chance. The size that a level asks for removes most of these.
    """

    watch_evidence: float = 4.2
    alert_evidence: float = 4.8
    """Of complaints: more of them (`negative`) or a larger part (`negative_share`). With the sizes
    below one page in 53 brand-weeks without a crisis (make bench-detection); at 4.6 one of 64
    ordinary weeks of the simulated shop's brands paged too (29 complaints where 9 are usual)."""
    velocity_evidence: float = 4.4
    """Of one viral post: two such pages in 53 brand-weeks of heavy-tailed reach."""
    slow_burn_evidence: float = 6.2
    """Half a day of a lively market is a slow burn in a brand that is talked of for its price: at
    less than this three such days in 53 brand-weeks paged."""
    crisis_evidence: float = 6.0
    score_cap: float = 8.0
    """Most that one minute counts. Half of it is below `alert_evidence`: a single minute, however
    wild, pages nobody."""
    part_margin: float = 0.5
    """Added for topics and channels: ten more series would otherwise find ten times the chance."""

    attention_margin: float = 0.8
    """Added for volume, reach and authors, which are news and no complaint."""
    attention_ratio: float = 2.5

    watch_excess: float = 5.0
    """Negative mentions (or mentions) beyond the expected ones that a level takes at least."""
    alert_excess: float = 8.0
    """Eight more complaints than usual are worth a person's look whatever the brand's size."""
    crisis_excess: float = 80.0
    watch_ratio: float = 1.8
    """Observed over expected since the onset: what is surprising may still be too small to matter.
    A busy brand's 20 % more is significant within the hour and no news."""
    alert_ratio: float = 2.0
    """The weakest crisis that has to be found is three times the volume."""
    crisis_ratio: float = 4.0
    crisis_minutes: int = 5
    """A CRISIS lasts; five minutes more than an ALERT takes tell a wave from a splash."""
    alert_negative_share: float = 0.5
    """Negative part of the surge's mentions from which it is a crisis whatever is usual..."""
    alert_share_rise: float = 0.15
    """... or the rise over the usual part from which it is one. A positive surge that carries its
    usual tenth of (perhaps misread) complaints is attention, not a crisis."""
    share_points: float = 0.1
    """Rise of the negative share that alerts. The smallest that has to be found is 0.20, of which
    the probabilities of a doubtful classifier show about two thirds."""

    velocity_reach: float = 10_000.0
    """People reached by one negative post before its speed is worth a WATCH..."""
    velocity_alert_reach: float = 30_000.0
    """... and an ALERT."""
    velocity_far_reach: float = 100_000.0
    """A complaint that so many see, and..."""
    velocity_far_ratio: float = 50.0
    """... so many times the reach that is remarkable for the brand (a reading's `upper`, one in
    1,000), needs no more evidence: surprise grows with the logarithm of reach only, and a small
    brand has no history from which it could be more surprised. Where reach is a power law with an
    exponent of 1 to 1.3 such a complaint comes once in ten weeks or more seldom."""
    crisis_reach: float = 1_000_000.0
    """One negative post seen by a million people makes an ALERT a CRISIS. While nobody knows yet
    what is usual for the brand it is an ALERT by itself."""

    slow_part: float = 0.3
    """A slow burn asks for this part of what the ratios ask: 30 % more over half a day alerts."""
    slow_told: float = 1.25
    """So many times is set aside what acute incidents have told: their calm minutes were not
    counted, and a long window sees the whole of them. Without it a crisis of three hours that had
    ended was told once more as a slow burn, and held for a day."""
    slow_hold: float = 0.6
    """A slow burn holds until its evidence falls below this part of what it took."""

    hold_fraction: float = 0.25
    """A level holds while the last ten minutes exceed the expected by this part of its excess..."""
    hold_sigmas: float = 2.0
    """... by so many standard deviations of a plain count..."""
    hold_ratio: float = 1.5
    """... and are this many times the expected: people are more restless than plain counts."""
    security_alert: float = 2.5
    """Negative security mentions in about an hour (three within twenty minutes)."""
    security_crisis: float = 20.0
    security_ratio: float = 3.0
    """Over the brand's own usual rate: a bank hears "hacked" every day."""

    floor_alert: float = 25.0
    """Negative mentions in about ten minutes that alert while the detectors are warming up."""
    floor_crisis: float = 150.0
    floor_share: float = 0.5
    floor_ratio: float = 4.0
    """Over what was usual so far (and in the last two hours: nobody knows its evenings yet), or a
    busy brand would alert when it is first seen. A hiccup of half an hour may treble complaints;
    once the detectors are warm they judge that."""
    floor_minutes: int = 10
    """Minutes before "usual so far" means anything; until then the floors are four times higher."""

    announced_margin: float = 1.5
    """Evidence added while a planned event runs; its volume and reach raise nothing."""
    announced_negative_share: float = 0.5

    min_duration_s: int = 600
    """A level stays at least this long: the team has just been told of it."""
    hold_s: int = 600
    """Calm that it takes to come down: a lull between two waves is not the end. It doubles each
    time that the level comes back: a crisis of eleven hours at the edge of a level was closed and
    told anew seven times."""
    hold_most_s: int = 7200
    """Most calm that it takes."""
    calm_s: int = 2700
    """No remarkable minute for this long is calm, whatever evidence is left (quiet brands)."""
    blind_hold_s: int = 7200
    """A blind source holds a level at most this long."""
    reopen_s: int = 7200
    """Within this time after its end an incident is reopened, not opened anew."""
    refresh_s: int = 300
    """Least time between two evidence refreshes of an open incident."""
    dismissed_ratio: float = 2.0
    """A dismissed incident reopens only for a higher level or this many times its rate."""

    lesson_step: float = 0.75
    """What a false alarm adds to the evidence that its signal needs for WATCH and ALERT."""
    lesson_bound: float = 2.5
    """Most that false alarms add: CRISIS, security and the floors are never untaught."""
    lesson_half_life_s: int = 14 * 86_400

    def asked_of(self, signal: str) -> float:
        """Evidence that an ALERT takes."""
        if signal == "velocity":
            return self.velocity_evidence
        return self.slow_burn_evidence if signal == "slow_burn" else self.alert_evidence
