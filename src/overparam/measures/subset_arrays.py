"""What models trained on random subsets say of rows: arrays checked once, read by blocks of rows.

Arrays are `[K, n]` (K models, n rows), and may be mapped from a file: they are only ever read some
columns at a time, and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from overparam.data.subsets import number_values
from overparam.errors import DataError
from overparam.measures import checked_arrays

_BLOCK_BYTES = 2**25  # of one float64 block; a few are alive at a time
_LARGEST = 1e70
_SUM_TOLERANCE = 1e-2  # of probabilities, which may have been stored in half precision


def as_array(name: str, values: Any, n_axes: tuple[int, ...] = (2,)) -> np.ndarray:
    """Return an array, tensor or list as an array of as many axes as asked, an array uncopied.

    Raises:
        DataError: another number of axes, no elements, or no numbers.
    """
    try:
        held = checked_arrays.as_array(values)
    except (TypeError, ValueError):  # ragged lists
        held = np.empty(0, dtype=object)
    if held.dtype.kind not in "biuf":
        raise DataError(f"{name} holds no numbers", got=f"dtype {held.dtype}")
    if held.ndim not in n_axes or 0 in held.shape:
        raise DataError(
            f"{name} has a wrong shape",
            got=list(held.shape),
            allowed=" or ".join(f"{n} axes" for n in n_axes) + ", none of them empty",
        )
    return held


def as_vector(name: str, values: Any, length: int, of: str) -> np.ndarray:
    """Return a copy of `[length]` numbers, whole ones as int64, others as float64.

    Raises:
        DataError: another number of axes or of elements, or no numbers.
    """
    held = as_array(name, values, (1,))
    if len(held) != length:
        raise DataError(f"{name} is not of the same {of}", got=len(held), allowed=length)
    return held.astype(np.float64 if held.dtype.kind == "f" else np.int64)


def as_groups(name: str, values: Any, n_rows: int) -> np.ndarray:
    """Return the number of each row's group, int64 `[n]`; without values each row is its own.

    Raises:
        DataError: values of other rows, missing ones, or no single ones.
    """
    return np.arange(n_rows) if values is None else number_values(name, n_rows, values)


def as_masks(in_subset: Any) -> np.ndarray:
    """Return `in_subset` as an array `[K, n]`; its values are checked as they are read.

    Raises:
        DataError: not `[K, n]`, or a single model, which says nothing of what leaving a row out
            does.
    """
    masks = as_array("in_subset", in_subset)
    if len(masks) < 2:
        raise DataError(
            "one model cannot have a row both in and out",
            got=f"in_subset {list(masks.shape)}",
            allowed="[n_models, n_rows] with n_models >= 2",
        )
    return masks


def check_fits(name: str, values: np.ndarray, masks: np.ndarray, *, rows: bool = True) -> None:
    """Refuse an array of other models, or (with `rows`) of other rows, than the masks.

    Raises:
        DataError: as above.
    """
    axes = 2 if rows else 1
    if tuple(values.shape[:axes]) != tuple(masks.shape[:axes]):
        raise DataError(
            f"in_subset and {name} are not of the same {'models and rows' if rows else 'models'}",
            got=f"{list(masks.shape)} and {list(values.shape)}",
            allowed=f"first {axes} axes equal" if rows else "first axis equal",
            remedy="take both from one ensemble; models are rows of these arrays",
        )


def blocks(n_rows: int, n_models: int, width: int = 1) -> Iterator[slice]:
    """Yield slices of rows such that `[n_models, rows, width]` of float64 is a small block."""
    step = max(1, _BLOCK_BYTES // (8 * n_models * width))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def read_numbers(values: np.ndarray, rows: slice) -> np.ndarray:
    """Return a float64 copy of some columns."""
    return np.array(values[:, rows], np.float64)


def read_masks(masks: np.ndarray, rows: slice) -> np.ndarray:
    """Return some columns of `in_subset`, bool.

    Raises:
        DataError: a value that is neither 0 nor 1.
    """
    block = masks[:, rows]
    if block.dtype == bool:
        return np.array(block)
    _check_binary("in_subset", block)
    return block == 1


def read_correct(name: str, values: np.ndarray, rows: slice) -> np.ndarray:
    """Return some columns of 0, 1 and NaN (not known), float64.

    Raises:
        DataError: any other value.
    """
    block = read_numbers(values, rows)
    _check_binary(name, block[~np.isnan(block)])
    return block


def check_margins(name: str, low: float, high: float) -> None:
    """Refuse what has the range of probabilities or of their logarithms, and is given as margins.

    Margins of models that are right on every row, or wrong on every row, have no score either way.

    Raises:
        DataError: all in [0, 1], or none above 0.
    """
    if (low >= 0 and high <= 1) or high <= 0:
        raise DataError(
            f"{name} are no margins: none says that a model is {'wrong' if low >= 0 else 'right'}",
            got=f"{low:.4g}..{high:.4g}",
            allowed="logit of the label minus the largest other one, above 0 where it is right",
            remedy="give logits' margins (hinge_margin), or what is 0 or 1 as correct",
        )


def check_probabilities(said: np.ndarray) -> None:
    """Refuse what is no probability, `[K, n]` of labels or `[K, n, classes]`; NaN is let be.

    Raises:
        DataError: values outside [0, 1], or classes that do not sum to 1.
    """
    known = said[~np.isnan(said).any(2)] if said.ndim == 3 else said[~np.isnan(said)]
    if known.size and not (known.min() >= -1e-6 and known.max() <= 1 + _SUM_TOLERANCE):
        raise DataError(
            "probabilities lie outside [0, 1]",
            got=f"{known.min():.4g}..{known.max():.4g}",
            remedy="if these are logits, take their softmax first",
        )
    if said.ndim == 3 and known.size:
        off = np.abs(known.sum(1) - 1).max()
        if off > _SUM_TOLERANCE:
            raise DataError(
                "probabilities of a row do not sum to 1",
                got=f"off by {off:.3g}",
                allowed=f"1 within {_SUM_TOLERANCE}",
                remedy="the last axis is classes; if these are other scores, take their softmax",
            )


def check_squares(name: str, values: np.ndarray) -> None:
    """Refuse numbers whose squares' squares overflow; NaN is let be.

    Raises:
        DataError: infinity, or beyond 1e70.
    """
    large = np.abs(values) > _LARGEST
    if large.any():
        raise DataError(
            f"{name} hold infinity, or numbers too large to square",
            got=f"{int(large.sum())} of {values.size}",
            allowed="at most 1e70, and NaN for what is not known",
        )


def _check_binary(name: str, values: np.ndarray) -> None:
    strange = values[(values != 0) & (values != 1)]
    if strange.size:
        raise DataError(
            f"{name} holds other values than 0 and 1",
            got=float(strange.flat[0]),
            allowed="bool, or 0 and 1",
            remedy="give margins as margins, probabilities as probabilities",
        )
