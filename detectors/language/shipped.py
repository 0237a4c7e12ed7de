"""The shipped weights: a small, quantised, compressed form of a trained table.

Form: magic, header length, JSON header, then LZMA of the columns: gaps between used rows (uint16,
0xFFFF carries on), weights as int8 times `STEP`, log2 variance in sixteenths as uint8.
"""

import json
import lzma
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.language.linear import Table

MAGIC: Final = b"SIAGAW1\n"
STEP: Final = 1 / 40
"""Weights are kept to 0.025, up to +-3.2 (a softmax weight; a text's features have length 1)."""
VARIANCE_STEP: Final = 1 / 16
"""log2 of the variance is kept to a sixteenth: 4 %."""


def quantised(table: Table) -> Table:
    """The table as it will be after shipping, so that training can measure what is shipped."""
    twin = table.copy()
    weights, variance, used = _columns(table)
    twin.weights[:] = 0.0
    twin.variance[:] = table.prior
    _fill(twin, used, weights, variance)
    return twin


def _columns(table: Table) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    weights = np.clip(np.rint(table.weights / STEP), -127, 127).astype(np.int8)
    falls = np.rint(np.log2(table.prior / table.variance) / VARIANCE_STEP)
    variance = np.clip(falls, 0, 255).astype(np.uint8)
    used = np.flatnonzero(weights.any(axis=1))
    return weights[used], variance[used], used


def _fill(table: Table, used: NDArray[Any], weights: NDArray[Any], falls: NDArray[Any]) -> None:
    table.taught = True
    table.weights[used] = weights.astype(np.float32) * np.float32(STEP)
    table.variance[used] = (
        table.prior * np.exp2(-falls.astype(np.float64) * VARIANCE_STEP)
    ).astype(np.float32)


def dump(table: Table, about: dict[str, Any]) -> bytes:
    """Bytes of a table; `about` (version, labels, ...) is kept in the header."""
    weights, variance, used = _columns(table)
    header = json.dumps(
        {
            **about,
            "space": table.mask + 1,
            "outputs": table.outputs,
            "prior": table.prior,
            "rows": len(used),
        },
        sort_keys=True,
    ).encode()
    gaps = np.diff(used, prepend=0).astype("<u2")
    if len(used) and int(np.diff(used, prepend=0).max()) > 0xFFFF:
        msg = "the table is too sparse to ship: gaps between used rows exceed 65,535"
        raise ValueError(msg)
    columns = gaps.tobytes() + weights.T.tobytes() + variance.tobytes()
    packed = lzma.compress(columns, preset=9 | lzma.PRESET_EXTREME)
    return MAGIC + len(header).to_bytes(4, "little") + header + packed


def load(blob: bytes) -> tuple[Table, dict[str, Any]]:
    """A table and its header.

    Raises
    ------
    ValueError
        If the bytes are not of this form.
    """
    if not blob.startswith(MAGIC):
        msg = "these are not weights of this program: train them with `siaga model train`"
        raise ValueError(msg)
    at = len(MAGIC)
    size = int.from_bytes(blob[at : at + 4], "little")
    about: dict[str, Any] = json.loads(blob[at + 4 : at + 4 + size])
    rows, outputs = about["rows"], about["outputs"]
    columns = lzma.decompress(blob[at + 4 + size :])
    gaps = np.frombuffer(columns, "<u2", rows)
    weights = np.frombuffer(columns, np.int8, rows * outputs, rows * 2).reshape(outputs, rows).T
    falls = np.frombuffer(columns, np.uint8, rows, rows * (2 + outputs))
    table = Table(outputs, about["prior"], about["space"])
    _fill(table, np.cumsum(gaps.astype(np.int64)), weights, falls)
    return table, about


@cache
def shipped(name: str) -> tuple[Table, dict[str, Any]]:
    """The table that the package ships under `weights/`; shared, so copy before learning."""
    return load(files("detectors.language").joinpath("weights", name).read_bytes())
