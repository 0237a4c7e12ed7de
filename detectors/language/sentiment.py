"""The sentiment classifier: a River classifier over raw text (or over a dictionary of features)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from river import base

from detectors.language.linear import Places, Table, Values, softmax
from detectors.language.packed import ONE
from detectors.language.reading import read
from detectors.language.scorer import Scorer


class SentimentClassifier(base.Classifier):
    """One-pass Bayesian softmax over words in context, parts of words and a lexicon.

    Learns and predicts in tens of microseconds and keeps a variance for every weight, so that new
    words are learned fast and old ones are kept. Accepts text as `x` (or any River features).

    Parameters
    ----------
    labels
        Labels known from the start (None: none), in the order of `predict_proba_one`; others join
        when they are seen.
    variance
        Prior variance of a weight: how far one lesson may move an unknown word (3 measured best
        on SmSA valid and prdect together, see `make bench-sentiment`).

    Examples
    --------
    >>> from detectors.language.sentiment import SentimentClassifier
    >>> model = SentimentClassifier()
    >>> for text, label in [("barangnya bagus", "positive"), ("paket hilang", "negative")] * 3:
    ...     model.learn_one(text, label)
    >>> model.predict_one("bagus bgt")
    'positive'
    """

    def __init__(self, labels: tuple[Any, ...] | None = None, variance: float = 3.0) -> None:
        self.labels = labels
        self.variance = variance
        self._known: list[Any] = list(labels or ())
        self._table = Table(max(1, len(labels or ())), variance)
        self._scorer: Scorer | None = None
        self._warmth = 0

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: str | Mapping[Any, Any], y: Any) -> None:
        """One Bayesian step towards the label `y`."""
        self.learn_read(*read(x), y)

    def learn_read(self, places: Places, values: Values, y: Any, trust: float = 1.0) -> None:
        """As `learn_one`, of features that are already read; `trust` 0..1 weighs the label."""
        if y not in self._known:
            self._known.append(y)
            if len(self._known) > self._table.outputs:
                self._table.widen()
                self._scorer = None  # its fields are those of fewer labels
        chances = self._chances(places, values)
        error = np.array([-p for p in chances])
        error[self._known.index(y)] += 1.0
        self._table.step(places, values, error * trust, max(p * (1.0 - p) for p in chances) * trust)
        self._warmth = 0

    def predict_proba_one(self, x: str | Mapping[Any, Any], **_: Any) -> dict[Any, float]:
        """Probability of every label known so far; {} before the first."""
        if not self._known:
            return {}
        if isinstance(x, str):
            sums, length = self.scorer.sums(x)
            chances = softmax([s / (ONE * length) for s in sums])
        else:
            chances = self._chances(*read(x))
        return dict(zip(self._known, chances, strict=True))

    def _chances(self, places: Places, values: Values) -> list[float]:
        return softmax(self._table.scores(places, values)[: len(self._known)].tolist())

    @property
    def scorer(self) -> Scorer:
        """The memo over the table as it is now."""
        if self._scorer is None:
            self._scorer = Scorer((self._table,))
        elif self._warmth == 0:
            self._scorer.forget()
        self._warmth = 1
        return self._scorer

    @property
    def table(self) -> Table:
        """The weights: rows are hashed features, columns the labels."""
        return self._table

    def adopt(self, table: Table) -> None:
        """Take over trained weights whose columns are this model's labels.

        Raises
        ------
        ValueError
            If the number of columns is not that of the labels.
        """
        if table.outputs != len(self._known):
            msg = f"weights for {table.outputs} labels do not fit {self._known}"
            raise ValueError(msg)
        self._table = table
        self._scorer = None

    def stale(self) -> None:
        """Call after the table was changed from outside."""
        self._warmth = 0

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_scorer", "_warmth")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._scorer = None
        self._warmth = 0

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {}
