"""Python's collector of cycles, told what a process of ours is like."""

import gc


def spare_the_collector() -> None:
    """Look for cycles seldom: what lives here is large and has none.

    The model alone is some 100,000 objects, looked through again and again: a tenth of the CPU.
    The cycles that come are kafka-python's, two time-outs a second with all their frames: 50,000
    objects of them were 10 MiB, and a pause of 35 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 100, 50)
