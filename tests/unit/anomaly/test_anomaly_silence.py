"""When is a channel silent beyond its habit?"""

import math

import numpy as np
import pytest

from detectors.anomaly.bank import Bank
from detectors.anomaly.features import Features
from detectors.anomaly.silence import Habit, Habits, UnknownHabits

DAY = 1440


class Listener:
    """A brand's bank and habits, as the pipeline drives them."""

    def __init__(self):
        self.bank, self.habits, self.minute = Bank(), Habits(900), 0

    def hear(self, **channels):
        start_s, habits = 60 * self.minute, self.habits
        if habits.due(start_s):
            habits.enter(start_s, usual=self.bank.usual(start_s))
        heard = {name: count for name, count in channels.items() if count}
        habits.take(heard, start_s=start_s)
        x = Features(mentions=sum(heard.values()))
        self.bank.learn_one(x, start_s=start_s, held=bool(habits.blind))
        self.minute += 1
        return habits.blind


def night(minute):
    """1 by day, 0 from 22:00 to 06:00."""
    return float(6 <= minute // 60 % 24 < 22)


def test_a_channel_is_blind_sooner_the_more_it_usually_brings():
    def minutes_until_blind(rate, most=3 * DAY):
        brand = Listener()
        for n in np.random.default_rng(4).poisson(rate, 4 * DAY).tolist():
            assert brand.hear(forum=n) == ()
        for i in range(most):
            if brand.hear():
                return i
        return math.inf

    assert minutes_until_blind(50.0) <= 5
    assert 15 <= minutes_until_blind(2.0) <= 60
    assert minutes_until_blind(0.02) == math.inf


@pytest.mark.parametrize("by_day", [0.5, 3.0, 30.0])
def test_nights_and_quiet_sundays_are_no_outage(by_day):
    brand = Listener()
    rng = np.random.default_rng(11)
    blind = 0
    for minute in range(15 * DAY):
        sunday = minute // DAY % 7 == 6
        mood = rng.gamma(4.0, 0.25)  # restless: the same hour brings half or twice as much
        rate = by_day * mood * night(minute) * (0.1 if sunday else 1.0)
        blind += bool(brand.hear(forum=int(rng.poisson(rate))))
    assert blind == 0


def test_a_burst_that_ends_leaves_no_habit():
    brand = Listener()
    rng = np.random.default_rng(2)
    for minute in range(6 * DAY):
        burst = 30.0 if 4 * DAY <= minute < 4 * DAY + 180 else 0.0
        blind = brand.hear(forum=int(rng.poisson(0.05)), video=int(rng.poisson(burst)))
        assert blind == (), minute


def test_one_channel_of_two_is_missed_and_given_up_after_a_day():
    brand = Listener()
    rng = np.random.default_rng(3)
    for _ in range(3 * DAY):
        assert brand.hear(forum=int(rng.poisson(2)), video=int(rng.poisson(6))) == ()
    seen = [brand.hear(forum=int(rng.poisson(2))) for _ in range(2 * DAY)]
    assert seen[60] == ("video",)
    assert seen[-1] == ()
    assert list(brand.habits.channels) == ["forum"]


def test_a_false_word_teaches():
    brand = Listener()
    for _ in range(3 * DAY):
        brand.hear(forum=5)
    first = next(i for i in range(DAY) if brand.hear())
    for _ in range(DAY):
        brand.hear(forum=5)
    second = next(i for i in range(DAY) if brand.hear())
    assert second > 2 * first


def test_silent_minutes_in_one_piece_are_the_same_as_one_by_one():
    brand = Listener()
    rng = np.random.default_rng(5)
    for _ in range(3 * DAY):
        brand.hear(forum=int(rng.poisson(1.3)), video=int(rng.poisson(3.1)))
    data = brand.habits.snapshot()
    one, other = Habits.restore(900, data), Habits.restore(900, data)
    at = 3 * DAY
    for minute in range(at, at + 300):
        if one.due(60 * minute):
            one.enter(60 * minute, usual=4.4)
        one.take({}, start_s=60 * minute)
    minute = at
    while minute < at + 300:
        if other.due(60 * minute):
            other.enter(60 * minute, usual=4.4)
        left = min(other.minutes_left(60 * minute), int(rng.integers(1, 9)), at + 300 - minute)
        calm = other.calm(left, start_s=60 * minute)
        other.pass_silent(calm)
        minute += calm
        if calm < left:
            other.take({}, start_s=60 * minute)
            minute += 1
    assert one.blind
    assert one.snapshot() == other.snapshot()


def test_habits_of_a_later_release_or_damaged_ones_are_refused():
    data = Listener().habits.snapshot()
    for wrong in (b"", bytes([99]) + data[1:], data[:3]):
        with pytest.raises(UnknownHabits):
            Habits.restore(900, wrong)


def test_who_looks_while_a_channel_joins_sees_the_others():
    habits = Habits(900)

    class Joining:
        @property
        def blind(self):
            habits.channels[f"new{len(habits.channels)}"] = Habit()
            return 1

    habits.channels = {"forum": Joining(), "video": Joining()}
    assert habits.blind == ("forum", "video")
