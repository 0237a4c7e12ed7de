"""One-pass Bayesian linear models: a mean and a variance a feature (extended Kalman filter).

Each observation is one Gaussian update of a logistic or softmax model with a diagonal covariance
(the "online Bayesian" update of Graepel et al., AdPredictor, ICML 2010, and of the EKF view of
Ollivier, 2018): what was seen often moves little, what is new moves fast, so that ten labels on
new words teach while a thousand old ones are kept. One variance serves all outputs of a feature:
on SmSA it did not cost accuracy and it saves two thirds of the state.

Sums are NumPy reductions of fixed order (no BLAS): the same sequence gives the same bits.
"""

import math
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.language.features import MASK, SPACE

Places = NDArray[np.int64]
Values = NDArray[np.float64]

LEAST_CURVATURE: Final = 0.02
"""Floor of p(1-p): a confident model still learns a little of what it gets right."""
LEAST_VARIANCE: Final = 1e-4


class Table:
    """Weights of `outputs` linear functions over the hashed features.

    Parameters
    ----------
    outputs
        Number of functions.
    variance
        Prior variance of every weight.
    space
        Number of rows, a power of two; features of the full space are folded into it.
    """

    __slots__ = ("mask", "prior", "taught", "variance", "weights")

    def __init__(self, outputs: int, variance: float = 3.0, space: int = SPACE) -> None:
        self.mask = space - 1
        self.prior = variance
        self.taught = False
        """Whether any weight may differ from 0."""
        self.weights = np.zeros((space, outputs), dtype=np.float32)
        self.variance = np.full(space, variance, dtype=np.float32)

    @property
    def outputs(self) -> int:
        return int(self.weights.shape[1])

    def widen(self) -> None:
        """Add one output with zero weights."""
        self.weights = np.ascontiguousarray(
            np.pad(self.weights, ((0, 0), (0, 1))), dtype=np.float32
        )

    def rows(self, places: Places) -> Places:
        return places if self.mask == MASK else places & self.mask

    def scores(self, places: Places, values: Values) -> Values:
        """Shape (outputs,): the linear functions of one text."""
        total: Values = (self.weights.take(self.rows(places), axis=0) * values[:, None]).sum(axis=0)
        return total

    def step(self, places: Places, values: Values, error: Values, curvature: float) -> None:
        """Move towards the truth.

        Parameters
        ----------
        error
            Shape (outputs,): target minus predicted probability.
        curvature
            The likelihood's second derivative, p(1 - p).
        """
        self.taught = True
        rows = self.rows(places)
        variance = self.variance.take(rows)
        gain = variance * values
        curvature = max(curvature, LEAST_CURVATURE)
        shrink = 1.0 / (1.0 + curvature * float((gain * values).sum()))
        # A place that occurs twice in a text is moved once: the last assignment stands.
        self.weights[rows] = self.weights.take(rows, axis=0) + gain[:, None] * (error * shrink)
        gain *= gain
        gain *= curvature * shrink
        self.variance[rows] = np.maximum(variance - gain, LEAST_VARIANCE)

    def __getstate__(self) -> dict[str, Any]:
        # Sparse: a young model in a pickle costs what it learned, not the whole table.
        used = np.flatnonzero((self.variance != np.float32(self.prior)) | self.weights.any(axis=1))
        return {
            "space": self.mask + 1,
            "outputs": self.outputs,
            "prior": self.prior,
            "rows": used.astype(np.uint32),
            "weights": self.weights[used],
            "variance": self.variance[used],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["outputs"], state["prior"], state["space"])  # type: ignore[misc]  # unpickling rebuilds in place
        self.taught = len(state["rows"]) > 0
        self.weights[state["rows"]] = state["weights"]
        self.variance[state["rows"]] = state["variance"]

    def difference(self, base: "Table | None") -> bytes:
        """Rows that differ from `base` (None: an untaught table), exact and compressed."""
        other = base or Table(self.outputs, self.prior, self.mask + 1)
        changed = np.flatnonzero(
            (self.variance != other.variance) | (self.weights != other.weights).any(axis=1)
        )
        columns = (
            changed.astype("<u4").tobytes()
            + self.weights[changed].astype("<f4").tobytes()
            + self.variance[changed].astype("<f4").tobytes()
        )
        return len(changed).to_bytes(4, "little") + zlib.compress(columns, 1)

    def put(self, difference: bytes) -> None:
        """Write the rows of a `difference` into this table.

        Raises
        ------
        ValueError
            If the bytes are of a table with other outputs.
        """
        count = int.from_bytes(difference[:4], "little")
        columns = zlib.decompress(difference[4:])
        if len(columns) != count * (8 + 4 * self.outputs):
            msg = f"these weights are not of a table with {self.outputs} outputs"
            raise ValueError(msg)
        self.taught = self.taught or count > 0
        rows = np.frombuffer(columns, "<u4", count)
        flat = np.frombuffer(columns, "<f4", count * self.outputs, count * 4)
        self.weights[rows] = flat.reshape(count, self.outputs)
        self.variance[rows] = np.frombuffer(columns, "<f4", count, count * (4 + 4 * self.outputs))

    def copy(self) -> "Table":
        """An independent copy."""
        twin = Table.__new__(Table)
        twin.mask, twin.prior, twin.taught = self.mask, self.prior, self.taught
        twin.weights, twin.variance = self.weights.copy(), self.variance.copy()
        return twin


def softmax(scores: list[float]) -> list[float]:
    """Probabilities of the scores; exact in the order given."""
    top = max(scores)
    powers = [math.exp(s - top) for s in scores]
    total = sum(powers)
    return [p / total for p in powers]


def sigmoid(score: float) -> float:
    """1 / (1 + e^-score) without overflow."""
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-score))
    power = math.exp(score)
    return power / (1.0 + power)
