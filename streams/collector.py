"""Python's collector of cycles, told what a process of ours is like."""

import gc


def spare_the_collector() -> None:
    """Look for cycles seldom: what lives here is large and has none.

    The model alone is some 100,000 objects, looked through again and again: a tenth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
