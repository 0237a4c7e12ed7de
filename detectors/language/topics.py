"""What a mention is about: the taxonomy's rules, corrected by labels (one pass, multi-label)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from river import base

from detectors.language.linear import Places, Table, Values, sigmoid
from detectors.language.packed import ONE
from detectors.language.reading import read
from detectors.language.scorer import Scorer
from detectors.language.taxonomy import ENOUGH, Rules, Taxonomy, default
from detectors.language.tokens import split

STEEPNESS: Final = 2.0
"""Log-odds a point: 3 points give 0.73, 4 give 0.95, 2 give 0.27."""
EVEN_POINTS: Final = ENOUGH - 0.5
"""Points of even odds."""
POINTS_MOST: Final = 6.0
"""Further points say nothing more: labels must be able to outweigh the rules."""
TOPIC_SPACE: Final = 1 << 16
"""Rows of learned topic weights: labels are thousands, not millions."""


def prior_log_odds(points: float) -> float:
    """Log-odds of a topic whose words add up to `points`."""
    return STEEPNESS * (min(points, POINTS_MOST) - EVEN_POINTS)


class TopicClassifier(base.MultiLabelClassifier):
    """Rules give the prior log-odds of each topic; labels add a learned linear correction.

    Parameters
    ----------
    taxonomy
        The closed set of topics; None for the default one for e-commerce.
    variance
        Prior variance of a learned weight (on features of unit length).

    Examples
    --------
    >>> from detectors.language.topics import TopicClassifier
    >>> model = TopicClassifier()
    >>> [t for t, yes in model.predict_one("paket saya hilang di gudang kurir").items() if yes]
    ['delivery']
    """

    def __init__(self, taxonomy: Taxonomy | None = None, variance: float = 12.0) -> None:
        self.taxonomy = taxonomy
        self.variance = variance
        known = taxonomy or default()
        self._known: list[Any] = [t.name for t in known.topics]
        self._table = Table(max(1, len(self._known)), variance, TOPIC_SPACE)
        self._make_rules()

    def _make_rules(self) -> None:
        rules = Rules(self.taxonomy or default())
        self.rules = rules
        self._prior = Scorer((), rules.points, rules.pairs, rules.fields)
        self._make_scorer()

    def _make_scorer(self) -> None:
        rules = self.rules
        self._scorer = Scorer((self._table,), rules.points, rules.pairs, rules.fields)
        self._stale = False

    @property
    def table(self) -> Table:
        """The learned weights: rows are hashed features, columns the topics."""
        return self._table

    def prior(self, x: str | Mapping[Any, Any]) -> list[float]:
        """Log-odds of every topic by the rules alone."""
        return self.prior_of(split(x)) if isinstance(x, str) else [0.0] * len(self._known)

    def prior_of(self, raws: Sequence[str]) -> list[float]:
        """As `prior`, of a text that is already split."""
        known = [0.0] * len(self._known)
        sums, _ = self._prior.sums_of(raws)
        known[: len(sums)] = [prior_log_odds(s / ONE) for s in sums]
        return known

    def learn_one(self, x: str | Mapping[Any, Any], y: Mapping[Any, bool]) -> None:
        """One Bayesian step for every topic that `y` names; new topics join."""
        self.learn_read(*read(x), self.prior(x), y)

    def learn_read(
        self, places: Places, values: Values, prior: Sequence[float], y: Mapping[Any, bool]
    ) -> None:
        """As `learn_one`, of features that are already read."""
        prior = list(prior)
        for name in y:
            if name not in self._known:
                self._known.append(name)
                prior.append(0.0)
                if len(self._known) > self._table.outputs:
                    self._table.widen()
                    self._make_scorer()  # its fields are those of fewer topics
        chances = [
            sigmoid(p + s) for p, s in zip(prior, self._table.scores(places, values), strict=False)
        ]
        error = np.zeros(self._table.outputs)
        for place, (name, chance) in enumerate(zip(self._known, chances, strict=False)):
            if name in y:
                error[place] = float(y[name]) - chance
        self._table.step(places, values, error, max(p * (1.0 - p) for p in chances))
        self._stale = True

    def log_odds(self, x: str | Mapping[Any, Any]) -> list[float]:
        """Log-odds of every topic."""
        if not isinstance(x, str):
            scores = self._table.scores(*read(x))
            return [float(s) for s in scores[: len(self._known)]]
        if self._stale:
            self._scorer.forget()
            self._stale = False
        sums, length = self._scorer.sums(x)
        learned = [s / (ONE * length) for s in sums[: self._table.outputs]]
        points = sums[self._table.outputs :]
        for place, p in enumerate(points):
            learned[place] += prior_log_odds(p / ONE)
        return learned[: len(self._known)]

    def predict_proba_one(self, x: Any, **_: Any) -> dict[Any, dict[bool, float]]:
        """Probability of each topic."""
        found = {}
        for name, odds in zip(self._known, self.log_odds(x), strict=False):
            chance = sigmoid(odds)
            found[name] = {True: chance, False: 1.0 - chance}
        return found

    def stale(self) -> None:
        """Call after the table was changed from outside."""
        self._stale = True

    def __getstate__(self) -> dict[str, Any]:
        gone = ("_scorer", "_prior", "rules", "_stale")
        return {k: v for k, v in self.__dict__.items() if k not in gone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_rules()
