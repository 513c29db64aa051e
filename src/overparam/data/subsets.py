"""Many random subsets of one data set, balanced over its rows: what an ensemble is trained on.

A row's memorization is read from models that saw it and models that did not. Independent subsets
leave rows that every one of a few models saw (at ten models and a ratio of 0.7: 2.8 %); here each
row is in and out of some as soon as the number of models allows it, and every model has its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from overparam.checks import check_count, check_range
from overparam.data.arrays import is_missing
from overparam.data.turns import deal, deal_by_class, longest_wait, round_of
from overparam.errors import DataError, UsageError
from overparam.streams import Streams, check_streams


def draw_subsets(
    n_models: int,
    n_rows: int,
    ratio: float,
    streams: Streams,
    *,
    classes: Sequence[Any] | np.ndarray | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
) -> np.ndarray:
    """Return which rows each model is trained on, bool `[n_models, n_rows]`.

    Models are drawn in rounds. In a round of q models, where ratio x q is whole, each row is in
    exactly ratio x q of them, and rows are dealt so that each model has its share of them; where
    no q up to 20 makes it whole, a row is in as many as rounding down or up allows. In the first
    round a row waits so short between its turns that the first ``models_until_balanced(ratio)``
    models have it in and out of some. Rounds are independent of each other, so the first models
    of a larger ensemble are those of a smaller one. (At a ratio of 0.5 a round is two models, each
    the other's complement.)

    Args:
        n_models: K. n_rows: n. ratio: share of the rows in a subset, in (0, 1).
        streams: the seed's streams.
        classes: `[n]`; then each model has its share of every class: numbers of two models differ
            by at most one, in every class and in all.
        groups: `[n]`; rows of a group are in or out together, such as images of one patient.
            Shares are then shares of the groups. With classes too, a group belongs to the class
            of most of its rows.

    Returns:
        Subsets. Their sizes differ by less than a round's length; with classes by at most one.

    Raises:
        UsageError: a number out of range, or a model without rows. DataError: classes or groups of
            another length, or missing in places.

    Cost: O(K n).

    >>> subsets = draw_subsets(40, 1000, 0.7, Streams(0))
    >>> subsets.shape, set(subsets.sum(0).tolist()), set(subsets.sum(1).tolist())
    ((40, 1000), {28}, {700})
    >>> bool(subsets[:4].any(0).all() and not subsets[:4].all(0).any())
    True
    """
    check_count("n_models", n_models)
    check_count("n_rows", n_rows)
    _check_ratio(ratio)
    streams = check_streams(streams).child("subsets")
    unit_of, strata = _units(n_rows, classes, groups)
    length, _ = round_of(ratio)
    drawn = np.empty((n_models, n_rows), dtype=bool)
    for number, first in enumerate(range(0, n_models, length)):
        rng = streams.numpy(str(number))
        if classes is None:
            turns = deal(int(unit_of.max()) + 1, ratio, rng, short_waits=number == 0)
        else:
            turns = deal_by_class(strata, ratio, rng, short_waits=number == 0)
        some = slice(first, min(first + length, n_models))
        drawn[some] = turns[: some.stop - first][:, unit_of]
    if not drawn.any(1).all():
        raise UsageError(
            "a model would be trained on no row",
            got=f"ratio {ratio} of {sum(map(len, strata))} rows or groups",
            remedy="raise the ratio, or cut the data into more groups",
        )
    return drawn


def models_until_balanced(ratio: float) -> int:
    """Return the number of models by which every row has been in and out of some.

    About 1 / min(ratio, 1 - ratio); 4 at 0.7, the ratio of Feldman and Zhang 2020.

    Raises:
        UsageError: a ratio outside (0, 1).

    >>> models_until_balanced(0.7), models_until_balanced(0.5), models_until_balanced(0.9)
    (4, 2, 10)
    """
    _check_ratio(ratio)
    return longest_wait(ratio)


def _check_ratio(ratio: float) -> None:
    check_range("ratio", ratio, 0, 1)
    if not 0 < ratio < 1:
        raise UsageError(
            "ratio leaves no row in, or none out", got=ratio, allowed="a number between 0 and 1"
        )


def _units(
    n_rows: int,
    classes: Sequence[Any] | np.ndarray | None,
    groups: Sequence[Any] | np.ndarray | None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return what goes in or out together, for each row, and these units class by class."""
    unit_of = number_values("groups", n_rows, groups)
    if groups is None:
        unit_of = np.arange(n_rows)
    class_of = number_values("classes", n_rows, classes)
    n_units = int(unit_of.max()) + 1
    counts = np.zeros((n_units, int(class_of.max()) + 1), dtype=np.int64)
    np.add.at(counts, (unit_of, class_of), 1)
    of_units = counts.argmax(1)
    return unit_of, [np.flatnonzero(of_units == c) for c in np.unique(of_units)]


def number_values(name: str, n_rows: int, values: Sequence[Any] | np.ndarray | None) -> np.ndarray:
    """Return a whole number from 0 on for each row: the same for equal values.

    Args:
        name: what they are, for the messages. values: `[n]`; None for one value of all rows.

    Raises:
        DataError: another number of values, missing ones, or no single ones.
    """
    if values is None:
        return np.zeros(n_rows, dtype=np.int64)
    try:
        held = listed(values)
    except TypeError:
        raise _no_values(name, values) from None
    if len(held) != n_rows:
        raise DataError(f"{name} do not fit the rows", got=[len(held)], allowed=f"[{n_rows}]")
    try:
        missing = sum(map(is_missing, held))
        numbers: dict[Any, int] = {}
        numbered = np.array([numbers.setdefault(v, len(numbers)) for v in held], dtype=np.int64)
    except (TypeError, ValueError, RuntimeError):  # no one value a row
        raise _no_values(name, held[0]) from None
    if missing:
        raise DataError(
            f"{name} are missing in places",
            got=f"{missing} of {n_rows} are None, NaN or NA",
            remedy="give each such row a value of its own, or leave it out",
        )
    return numbered


def listed(values: Any) -> list[Any]:
    """Return values one by one, as they are: an array would make one of 1 and "1".

    Only of a tensor, whose entries are tensors that equal nothing, the numbers.
    """
    return list(values.tolist() if isinstance(values, torch.Tensor) else values)


def _no_values(name: str, found: Any) -> DataError:
    return DataError(
        f"{name} must be one value for each row",
        got=type(found).__name__,
        remedy=f"of {name} told by several columns, give one text or number for each combination",
    )
