"""`siaga run` on the embedded log, killed with -9 at random: nothing lost, everything once.

    python tests/chaos/kill_embedded.py --kills 50 --seed 1

Rows are added to a followed file all the while; in the end every one must be counted once.
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[0] / "support", HERE.parents[1] / "deploy" / "local"):
    sys.path.insert(0, str(folder))

from chain import free_port, mentions_by_brand  # noqa: E402 - found by the lines above
from chaos_cluster import Slot  # noqa: E402 - as above

BRANDS = ("angin", "bukit", "cahaya")
ROWS = 150
"""Added before each kill."""


def prepare(home: Path) -> Slot:
    """A folder with a configuration and an empty file to follow."""
    home.mkdir(parents=True)
    port = free_port()
    tables = "\n".join(f'[brands.{name}]\nnames = ["{name}"]' for name in BRANDS)
    (home / "rows.csv").write_text("id,created_at,author,text,brand\n")
    (home / "siaga.toml").write_text(
        f"""
{tables}
[log]
kind = "embedded"
partitions = 4
[metrics]
port = {port}
[page]
port = {free_port()}
[sources.rows]
type = "file"
run = "live"
path = "rows.csv"
follow = true
"""
    )
    return Slot("run", home, ("run",), port)


def grow(home: Path, rng: random.Random, first: int, wanted: Counter[str]) -> None:
    """Add rows to the file."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    with (home / "rows.csv").open("a") as file:
        for n in range(first, first + ROWS):
            brand = rng.choice(BRANDS)
            file.write(f"r{n},{now},orang{n % 40},halo {brand} nomor {n},{brand}\n")
            wanted[brand] += 1


def torment(home: Path, *, kills: int, seed: int) -> list[str]:
    """Kill it that often; return what is wrong in the end."""
    rng = random.Random(seed)
    slot = prepare(home)
    wanted: Counter[str] = Counter()
    try:
        for kill in range(kills):
            grow(home, rng, kill * ROWS, wanted)
            slot.start()
            if rng.random() < 0.3:
                time.sleep(rng.uniform(0, 3))  # perhaps in the middle of its start
            else:
                before = sum(mentions_by_brand(slot.port).values())
                end = time.monotonic() + 60
                while time.monotonic() < end:
                    if sum(mentions_by_brand(slot.port).values()) > before:
                        break
                    time.sleep(0.05)
                time.sleep(rng.uniform(0, 0.5))
            slot.kill()
        grow(home, rng, kills * ROWS, wanted)
        slot.start()
        end = time.monotonic() + 120
        while mentions_by_brand(slot.port) != dict(wanted) and time.monotonic() < end:
            time.sleep(0.3)
        found = mentions_by_brand(slot.port)
    finally:
        slot.stop()
    problems = [] if found == dict(wanted) else [f"metrics: {found}, not {dict(wanted)}"]
    [path] = home.rglob("*.db")
    return problems + asyncio.run(_scored(path, sum(wanted.values())))


async def _scored(path: Path, wanted: int) -> list[str]:
    from streams.log.embedded import EmbeddedLog

    log = EmbeddedLog(path)
    batches: dict[str, str] = {}
    problems = []
    try:
        async for chunk in log.read("siaga.scored.v1"):
            for record in chunk:
                batch = json.loads(record.value or b"{}")
                ids = json.dumps([m["mention"]["id"] for m in batch["mentions"]])
                if batches.setdefault(batch["id"], ids) != ids:
                    problems.append(f"{batch['id']} came twice with different contents")
    finally:
        await log.close()
    once = Counter(name for ids in batches.values() for name in json.loads(ids))
    if len(once) != wanted or max(once.values(), default=0) > 1:
        problems.append(f"{len(once)} of {wanted} scored, {max(once.values(), default=0)} times")
    return problems


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(tempfile.mkdtemp(prefix="siaga-kill-"))
    began = time.monotonic()
    problems = torment(folder / "home", kills=asked.kills, seed=asked.seed)
    shutil.rmtree(folder, ignore_errors=True)
    verdict = "; ".join(problems) or "nothing lost, everything once"
    print(f"{asked.kills} kills in {time.monotonic() - began:.0f} s: {verdict}")  # noqa: T201 - a command's output
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
