"""Run detectors over brand weeks and over crises, and compare them at one false-page budget."""

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from crises import DAY, KINDS, START_S, WEEK, Array, Case, Weeks, inject
from rivals import BIN, HalfSpaceTrees

from detectors.anomaly.bank import Bank, BankConfig, Features
from detectors.incidents.detection import Detection
from detectors.incidents.severity import SeverityConfig
from detectors.incidents.surge import Surge
from detectors.incidents.surges import advance
from detectors.incidents.usual import Usual
from detectors.incidents.verdict import alerts_at

MERGE = 120
"""Minutes above the threshold no further apart than this are one page..."""
REPAGE = 720
"""...and what goes on is paged again after so many."""
BLIND_AFTER = 5
"""Minutes of silence after which the tick calls a source blind."""


@dataclass
class Runs:
    """Scores of one detector: clean weeks (with what does not count) and crises."""

    clean: list[tuple[Array, Array]] = field(default_factory=list)
    crises: list[tuple[Case, Array]] = field(default_factory=list)

    def false_pages(self, threshold: float) -> int:
        return sum(pages(scores, threshold, busy) for scores, busy in self.clean)

    @property
    def brand_weeks(self) -> float:
        return sum(float((~busy).sum()) for _, busy in self.clean) / WEEK

    def threshold(self, budget: float) -> float:
        """Return the lowest threshold with at most `budget` false pages a brand-week."""
        allowed = budget * self.brand_weeks
        values = np.unique(np.concatenate([s[~b] for s, b in self.clean]))
        lo, hi = 0, len(values)
        while lo < hi:
            mid = (lo + hi) // 2
            if self.false_pages(float(values[mid])) <= allowed:
                hi = mid
            else:
                lo = mid + 1
        return float(values[lo]) if lo < len(values) else float(values[-1]) + 1.0


def pages(scores: Array, threshold: float, busy: Array) -> int:
    """Pages that touch no busy minute."""
    at = np.flatnonzero(scores >= threshold)
    if not at.size:
        return 0
    count = 0
    for group in np.split(at, np.flatnonzero(np.diff(at) > MERGE) + 1):
        for piece in range(0, int(group[-1] - group[0]) + 1, REPAGE):
            part = group[(group >= group[0] + piece) & (group < group[0] + piece + REPAGE)]
            count += bool(part.size and not busy[part].any())
    return count


def onsets(weeks: Weeks, train: int, count: int, rng: np.random.Generator) -> list[int]:
    """Random minutes after the training weeks, a day away from real labelled events."""
    longest = max(k.minutes for k in KINDS)
    near = np.convolve(weeks.busy, np.ones(2 * DAY), mode="same") > 0
    free = np.flatnonzero(~near[: len(weeks) - longest])
    return [int(x) for x in rng.choice(free[free >= train], count)]


def cases(weeks: Weeks, train: int, repeats: int, seed: int) -> list[Case]:
    """Every kind and size, `repeats` times, each at its own onset."""
    rng = np.random.default_rng(seed)
    out = []
    for kind in KINDS:
        for size in kind.sizes:
            out += [
                inject(weeks, kind, size, onset, int(rng.integers(1 << 30)))
                for onset in onsets(weeks, train, repeats, rng)
            ]
    return sorted(out, key=lambda c: c.onset)


def features(w: Weeks) -> list[Features]:
    columns = (w.mentions, w.negative, w.authors, w.reach, w.top_reach)
    return [Features(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


JUDGE = SeverityConfig()
UNKNOWN = Usual()


@dataclass(frozen=True)
class Seen:
    """What the product's judge has made of a brand's minutes (incidents/incident.py)."""

    surges: tuple[Surge, ...] = ()
    usual: Usual = UNKNOWN
    announced: bool = False
    blind: bool = False

    def after(
        self, bank: Bank, row: Features, at: int, *, announced: bool = False, blind: bool = False
    ) -> "Seen":
        """Fold one minute."""
        detection = Detection(
            brand="",
            start_s=at,
            readings=bank.score_one(row, start_s=at),
            mentions=int(row.mentions),
            negative=row.negative,
            authors=int(row.authors),
            reach=row.reach,
            top_reach=row.top_reach,
            blind=("source",) if blind else (),
            announced=announced,
        )
        surges, _ = advance(self.surges, detection, JUDGE)
        return Seen(surges, self.usual.after(detection, learn=True), announced, blind)


PageRule = Callable[[Seen], float]
"""What a threshold is put to."""


def product(seen: Seen) -> float:
    """Return the product's own rule: the threshold that a budget allows is its `alert_evidence`.

    Sizes, kinds and the dials of other signals are asked as shipped.
    """
    recent = seen.usual.recent(warming=False)
    return max(alerts_at(seen.surges, recent, JUDGE, announced=seen.announced), 0.0)


def without(*signals: str) -> PageRule:
    """Return the product's rule without some signals."""
    return lambda seen: product(
        replace(seen, surges=tuple(s for s in seen.surges if s.signal not in signals))
    )


def any_signal(seen: Seen) -> float:
    """Return the largest smoothed score, whatever it is of and however small."""
    return max((s.smooth for s in seen.surges), default=0.0)


def run_bank(
    weeks: Weeks,
    todo: Iterable[Case],
    train: int,
    config: BankConfig,
    rules: dict[str, tuple[PageRule, Runs]],
) -> None:
    """Our bank, with any number of page rules over the same scores."""
    bank = Bank(config)
    rows = features(weeks)
    queue = list(todo)
    scores = {name: np.zeros(len(rows)) for name in rules}
    seen = Seen()
    for i, row in enumerate(rows):
        while queue and queue[0].onset == i:
            case = queue.pop(0)
            branch = _branch(bank, case, config, seen)
            for rule, runs in rules.values():
                runs.crises.append((case, np.array([0.0 if s.blind else rule(s) for s in branch])))
        at = START_S + 60 * i
        if i >= train - DAY:
            seen = seen.after(bank, row, at)
        if i >= train:
            for name, (rule, _) in rules.items():
                scores[name][i] = rule(seen)
        bank.learn_one(row, start_s=at)
    for name, (_, runs) in rules.items():
        runs.clean.append((scores[name][train:], weeks.busy[train:]))


def _branch(bank: Bank, case: Case, config: BankConfig, seen: Seen) -> list[Seen]:
    """Each minute of a crisis, on a copy."""
    copy = Bank.restore(config, bank.snapshot())
    out = []
    for j, row in enumerate(features(case.weeks)):
        at = START_S + 60 * (case.onset + j)
        blind = case.blind and j >= BLIND_AFTER
        seen = seen.after(copy, row, at, announced=case.held, blind=blind)
        out.append(seen)
        copy.learn_one(row, start_s=at, held=case.held or blind)
    return out


Rival = Callable[[Weeks], Array]
"""Scores of every minute of a brand's weeks, each from what came before it."""


def run_rival(rival: Rival, weeks: Weeks, todo: Iterable[Case], train: int, runs: Runs) -> None:
    """Run a rival that is cheap enough to be run again over nine days for each crisis."""
    runs.clean.append((rival(weeks)[train:], weeks.busy[train:]))
    for case in todo:
        runs.crises.append((case, rival(spliced(weeks, case))[-len(case.weeks) :]))


def run_trees(weeks: Weeks, todo: Iterable[Case], train: int, runs: Runs) -> None:
    """River's rival learns as it goes: each crisis continues from a copy of it at the onset."""
    chosen = list(todo)
    scores, kept = HalfSpaceTrees().run(weeks, [c.onset for c in chosen])
    runs.clean.append((scores[train:], weeks.busy[train:]))
    for case in chosen:
        model: HalfSpaceTrees = pickle.loads(kept[case.onset - case.onset % BIN])  # noqa: S301 - our own bytes
        runs.crises.append((case, model.run(case.weeks, [])[0]))


def spliced(weeks: Weeks, case: Case, days: int = 9) -> Weeks:
    """The days before an onset, then the crisis."""
    first = max(0, case.onset - days * DAY)
    first -= first % 60  # hourly rivals keep their hours
    cut = slice(first, case.onset)
    names = ("mentions", "negative", "authors", "reach", "top_reach", "rate", "busy")
    joined = {n: np.concatenate([getattr(weeks, n)[cut], getattr(case.weeks, n)]) for n in names}
    return Weeks(weeks.name, **joined)


@dataclass(frozen=True)
class Line:
    """What one detector made of one sort of crisis."""

    cases: int
    detected: float
    median: float
    p90: float


def summary(runs: Runs, threshold: float, pick: Callable[[Case], bool]) -> Line:
    """Minutes from onset; a crisis that is not detected counts as its whole length."""
    chosen = [(c, s) for c, s in runs.crises if pick(c)]
    delays, hits = [], 0
    for case, scores in chosen:
        at = np.flatnonzero(scores >= threshold)
        hits += bool(at.size)
        delays.append(float(at[0]) + 1.0 if at.size else float(case.kind.minutes))
    if not chosen:
        return Line(0, float("nan"), float("nan"), float("nan"))
    return Line(
        len(chosen),
        hits / len(chosen),
        float(np.median(delays)),
        float(np.quantile(delays, 0.9)),
    )
