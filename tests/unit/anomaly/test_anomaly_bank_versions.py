"""Snapshots of former versions go on as they were."""

import math
import random
import struct

from detectors.anomaly.bank import VERSION, Bank, Features
from detectors.anomaly.config import BankConfig
from detectors.anomaly.magnitudes import MagnitudeDetector
from detectors.anomaly.tail import Tail


def taught(minutes: int) -> Bank:
    rng, bank = random.Random(5), Bank()
    for at in range(minutes):
        seen = 120.0 * rng.paretovariate(1.3)
        bank.learn_one(Features(3, 1.0, 3, 3 * seen, seen), start_s=60 * at)
    return bank


def of_version_2(bank: Bank) -> bytes:
    """The snapshot that version 2 wrote of it: magnitudes' tails over the root of the surprise."""
    flat: list[float] = []
    for d in bank.detectors:
        state = d.state()
        if isinstance(d, MagnitudeDetector):
            low, high, excess = state[3:6]
            # The inverse of Tail.unrooted.
            root = math.sqrt(high)
            state[3:6] = [math.sqrt(low), root, (math.sqrt(high + 2.0 * excess) - root) / 2.0]
        flat += state
    return struct.pack(f"<B{len(flat)}d", 2, *flat)


def test_a_bank_of_version_2_scores_as_it_did() -> None:
    bank = taught(2 * 1440)
    now = Bank.restore(BankConfig(), of_version_2(bank))
    assert now.snapshot()[0] == VERSION
    x = Features(4, 2.0, 4, 200_000.0, 150_000.0)
    at_s = 60 * 2 * 1440
    for old, new in zip(
        bank.score_one(x, start_s=at_s), now.score_one(x, start_s=at_s), strict=True
    ):
        assert old.signal == new.signal
        assert math.isclose(old.score or 0.0, new.score or 0.0, rel_tol=1e-6)


def test_what_was_learned_of_the_root_is_taken_over_in_the_mean() -> None:
    rng = random.Random(2)
    tail = Tail(looks=1.8)
    for _ in range(20_000):
        tail.learn(rng.expovariate(1.0))
    heights = [rng.expovariate(1.0 / tail.excess) for _ in range(50_000)]
    mean = sum((tail.high + e) ** 2 - tail.high**2 for e in heights) / len(heights)
    tail.unrooted()
    assert math.isclose(tail.excess, mean, rel_tol=0.03)
