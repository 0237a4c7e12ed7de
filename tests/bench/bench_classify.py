"""Lines a second of `siaga classify`, by the clock and by CPU time (`make bench-sentiment`).

The lines are Indonesian complaints, praise and questions of about 100 characters, spoken by the
simulated source, with a Zipf-like tail of made-up words, numbers and handles as real streams have.
Two sizes are run: their difference is the rate without the start of Python and loading of weights.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from itertools import islice

from connectors.sources.simulated.phrases import SYLLABLES
from connectors.sources.simulated.scenario import scenario
from connectors.sources.simulated.traffic import Traffic

LENGTH = 100
TAIL_SHARE = 0.06
"""One word in sixteen is from the tail of made-up words."""


def lines(count: int, seed: int = 1) -> bytes:
    """JSON lines with texts of `LENGTH` characters, cut at no word's middle but the last's."""
    rng = random.Random(seed)
    texts = _texts(seed)
    made = []
    for number in range(count):
        words: list[str] = []
        while sum(map(len, words)) + len(words) <= LENGTH:
            for word in next(texts).split():
                words.append(word)
                if rng.random() < TAIL_SHARE:
                    words.append(_rare(rng))
        text = " ".join(words)[:LENGTH]
        made.append(json.dumps({"id": f"x:{number}", "text": text}, ensure_ascii=False))
    return "\n".join(made).encode() + b"\n"


def _texts(seed: int):  # type: ignore[no-untyped-def]  # a plain generator of strings
    while True:
        traffic = Traffic(scenario(seed, weeks=2, base_rate=4, quiet=True))
        for hour in range(traffic.hours):
            for seen in traffic.hour(hour):
                yield seen.item.text
        seed += 1


def _rare(rng: random.Random) -> str:
    """A word of the tail: the k-th of very many with a chance of about 1/k."""
    rank = int(10 ** (rng.random() * 6))
    word = "".join(random.Random(rank).choices(SYLLABLES, k=2 + rank % 3))
    return (word, f"@{word}", str(rank), word)[rank % 4]


def cpu_seconds(body: bytes) -> float:
    """CPU of a whole `siaga classify` of one process that reads these lines."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds(body, "--jobs", "1")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def seconds(body: bytes, *options: str) -> float:
    """How long a whole `siaga classify` takes."""
    begin = time.perf_counter()
    work = [sys.executable, "-m", "streams.cli", "classify", *options]
    done = subprocess.run(work, input=body, stdout=subprocess.PIPE, check=True)
    if done.stdout.count(b"\n") != body.count(b"\n"):
        sys.exit("a line was lost")
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    body = lines(wanted.lines)
    few = b"\n".join(islice(body.split(b"\n"), wanted.lines // 6)) + b"\n"
    whole = [cpu_seconds(body) for _ in range(wanted.rounds)]
    start = [cpu_seconds(few) for _ in range(wanted.rounds)]
    clock = min(seconds(body) for _ in range(wanted.rounds))
    rate = (body.count(b"\n") - few.count(b"\n")) / (min(whole) - min(start))
    print(
        f"siaga classify: {wanted.lines / clock:,.0f} lines a second by the clock, all cores, with "
        f"its start; one process {wanted.lines / min(whole):,.0f} lines a CPU-second over "
        f"{wanted.lines:,} lines with its start, {rate:,.0f} once warm "
        f"({len(body) / wanted.lines:.0f} bytes a line)"
    )


if __name__ == "__main__":
    main()
