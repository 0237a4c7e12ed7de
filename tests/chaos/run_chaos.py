"""`make chaos ROUNDS=n SEED=s`: random rounds against the real Kafka; a seed repeats its round.

The same input first goes through undisturbed; each round must lead to the same incidents.
"""

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[0] / "support", HERE.parents[1] / "deploy" / "local"):
    sys.path.insert(0, str(folder))

import services  # noqa: E402 - found by the lines above
from chaos_round import Input, Plan, Result, Round, Takeover  # noqa: E402 - as above

LIMITS_S = {"kill": 10.0, "kill_stay": 20.0, "term": 5.0, "two": 20.0}
HOURS_PER_ROW = 6.0 / 200_000


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - a command's output


def play(plan: Plan, data: Input, home: Path) -> Result:
    """One round on a broker of its own: a killed one looks through the topics of all rounds."""
    broker = services.start(["kafka"], home / "services", ports=services.EPHEMERAL).kafka
    assert broker is not None
    try:
        return Round(plan, data, broker, home, say).run()
    finally:
        services.load(home / "services").destroy()


def differences(result: Result, calm: Result) -> list[str]:
    """What a round led to that the undisturbed run did not, and the reverse."""
    problems = []
    if result.incidents != calm.incidents:
        problems.append(f"incidents: {result.incidents}, undisturbed {calm.incidents}")
    wrong = {
        at: (result.negatives[at], calm.negatives[at])
        for at in result.negatives | calm.negatives
        if result.negatives[at] != calm.negatives[at]
    }
    if wrong:
        problems.append(
            f"negatives: {len(wrong)} brands and minutes differ from the undisturbed run: "
            f"{list(wrong.items())[:3]}"
        )
    return problems


def tell(takeovers: list[Takeover]) -> None:
    """Print the times to go on after each kind of failure, apart from those that hit another."""
    for event, limit_s in LIMITS_S.items():
        for settled in (True, False):
            times = [t.seconds for t in takeovers if (t.event, t.settled) == (event, settled)]
            if times:
                how = "by itself   " if settled else "upon another"
                middle, worst = statistics.median(times), max(times)
                aim = f" (goal {limit_s:.0f} s)" if settled else ""
                say(
                    f"{event:9} {how} {len(times):3} times: "
                    f"median {middle:.1f} s, worst {worst:.1f} s{aim}"
                )


def main() -> int:
    """Run the rounds; the exit status counts those that failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=8)
    parser.add_argument("--keep", type=Path, help="keep logs of failed rounds here")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that all is cleared away
    folder = Path(tempfile.mkdtemp(prefix="siaga-chaos-"))
    failed = 0
    takeovers: list[Takeover] = []
    try:
        hours = asked.rows * HOURS_PER_ROW
        data = Input.write(folder / "data", seed=20, rows=asked.rows, hours=hours)
        calm = play(Plan(0, (), asked.rows, hours), data, folder / "calm")
        say(f"undisturbed: {calm.seconds:.0f} s, {len(calm.incidents)} incidents")
        for problem in calm.problems:
            say(f"  WRONG {problem}")
            failed = 1
        for seed in range(asked.seed, asked.seed + asked.rounds):
            plan = Plan.drawn(seed, events=asked.events, rows=asked.rows)
            say(f"round with seed {seed}: {', '.join(plan.events)}")
            home = folder / f"round-{seed}"
            result = play(plan, data, home)
            result.problems += differences(result, calm)
            for problem in result.problems:
                say(f"  WRONG {problem}")
            takeovers += result.takeovers
            say(
                f"  {'failed' if result.problems else 'exact'} in {result.seconds:.0f} s; repeats "
                f"{dict(result.repeats)}; jumps healed {result.gaps}",
            )
            failed += bool(result.problems)
            if result.problems and asked.keep:
                shutil.copytree(home, asked.keep / home.name, dirs_exist_ok=True)
            shutil.rmtree(home, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tell(takeovers)
    say(f"{asked.rounds} rounds, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
