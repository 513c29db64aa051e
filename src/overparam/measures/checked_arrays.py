"""What measures of rows are given, as NumPy arrays: converted once, checked, never modified."""

from __future__ import annotations

import numpy as np
import torch

from overparam.errors import DataError


def as_array(values: object) -> np.ndarray:
    """Return an array or tensor as a NumPy array, without a copy where there need be none.

    Masked entries become NaN.

    >>> as_array(torch.tensor([1.0, 2.0], requires_grad=True))
    array([1., 2.], dtype=float32)
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.asarray(values)


def checked_numbers(name: str, values: object, layout: str) -> np.ndarray:
    """Return real numbers of a layout such as ``[epochs, n]``, in the dtype they came in.

    Raises:
        DataError: another number of axes, an empty axis, or entries that are no real numbers.

    >>> checked_numbers("losses", [[1, 2]], "[epochs, n]").shape
    (1, 2)
    """
    try:
        found = as_array(values)
    except (TypeError, ValueError):  # ragged lists
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "biuf":
        raise DataError(f"{name} must be real numbers", got=found.dtype, allowed=layout)
    if found.ndim != layout.count(",") + 1 or found.size == 0:
        raise DataError(
            f"{name} have the wrong shape",
            got=list(found.shape),
            allowed=f"{layout}, none of them 0",
        )
    return found


def checked_floats(name: str, values: object, layout: str, *, finite: bool = False) -> np.ndarray:
    """Return `checked_numbers` in float64, all of them finite where that is asked.

    Raises:
        DataError: as in `checked_numbers`, whole numbers that float64 does not hold, or NaN or
            infinity where all must be finite.

    >>> checked_floats("losses", [[1, 2]], "[epochs, n]")
    array([[1., 2.]])
    """
    given = checked_numbers(name, values, layout)
    found = given.astype(np.float64)
    if given.dtype.kind in "iu" and given.dtype.itemsize == 8:
        with np.errstate(invalid="ignore"):  # 2**63 goes back to no int64
            rounded = found.astype(given.dtype) != given
        if rounded.any():
            raise DataError(
                f"{name} are whole numbers that would be rounded",
                got=f"{given[rounded][0]}, one of {int(rounded.sum())}",
                allowed="up to 2**53 in size",
                remedy="subtract what they have in common, or give ranks",
            )
    if finite and not np.isfinite(found).all():
        raise DataError(
            f"{name} hold NaN or infinity",
            got=f"{int((~np.isfinite(found)).sum())} of {found.size} entries",
            remedy="drop or impute these rows",
        )
    return found


def checked_labels(labels: object, n_rows: int, n_classes: int) -> np.ndarray:
    """Return int64 classes `[n]` that index the columns of `[n, n_classes]`.

    Raises:
        DataError: not n whole numbers in 0 ... n_classes - 1.

    >>> checked_labels([1.0, 0.0], 2, 2)
    array([1, 0])
    """
    found = checked_numbers("labels", labels, "[n]")
    if len(found) != n_rows:
        raise DataError("labels are of another number of rows", got=len(found), allowed=n_rows)
    inside = (found >= 0) & (found < n_classes) & (found == np.floor(found))
    if not inside.all():
        raise DataError(
            "labels must be whole numbers that index the columns",
            got=f"{found[~inside][0]}",
            allowed=f"0..{n_classes - 1}",
        )
    return found.astype(np.int64)
