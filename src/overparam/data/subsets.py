"""Many random subsets of one data set, balanced over its rows: what an ensemble is trained on.

A row's memorization is read from models that saw it and models that did not. Independent subsets
leave rows that every one of a few models saw (at ten models and a ratio of 0.7: 2.8 %); here each
row is in and out of some as soon as the number of models allows it, and every model has its share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from overparam.checks import check_count, check_range
from overparam.errors import DataError, UsageError
from overparam.streams import Streams, check_streams

_LONGEST_ROUND = 20  # models, within which a ratio is met exactly where that is possible
_USUAL_ROUND = 10


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
        classes: `[n]`; then each model has its share of every class (of a class with few rows,
            within one round).
        groups: `[n]`; rows of a group are in or out together, such as images of one patient.
            Shares are then shares of the groups. With classes too, a group belongs to the class
            of most of its rows.

    Returns:
        Subsets. Their sizes differ by less than a round's length for each class.

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
    length, _ = _round(ratio)
    drawn = np.empty((n_models, n_rows), dtype=bool)
    for number, first in enumerate(range(0, n_models, length)):
        rng = streams.numpy(str(number))
        turns = np.empty((length, int(unit_of.max()) + 1), dtype=bool)
        for units in strata:
            turns[:, units] = _deal(len(units), ratio, rng, short_waits=number == 0)
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
    length, counts = _round(ratio)
    return max(-(-length // min(n_in, length - n_in)) for n_in in counts)


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
    unit_of = _numbered("groups", n_rows, groups)
    if groups is None:
        unit_of = np.arange(n_rows)
    class_of = _numbered("classes", n_rows, classes)
    n_units = int(unit_of.max()) + 1
    counts = np.zeros((n_units, int(class_of.max()) + 1), dtype=np.int64)
    np.add.at(counts, (unit_of, class_of), 1)
    of_units = counts.argmax(1)
    return unit_of, [np.flatnonzero(of_units == c) for c in np.unique(of_units)]


def _numbered(name: str, n_rows: int, values: Sequence[Any] | np.ndarray | None) -> np.ndarray:
    """Return a whole number from 0 on for each row: the same for equal values."""
    if values is None:
        return np.zeros(n_rows, dtype=np.int64)
    held = list(values)  # as they are: an array would make one of 1 and "1"
    if len(held) != n_rows:
        raise DataError(f"{name} do not fit the rows", got=[len(held)], allowed=f"[{n_rows}]")
    try:
        missing = sum(1 for v in held if v is None or bool(v != v))
        numbers: dict[Any, int] = {}
        numbered = np.array([numbers.setdefault(v, len(numbers)) for v in held], dtype=np.int64)
    except (TypeError, ValueError):  # no one value a row
        raise DataError(
            f"{name} must be one value for each row", got=type(held[0]).__name__
        ) from None
    if missing:
        raise DataError(
            f"{name} are missing in places",
            got=f"{missing} of {n_rows} are None or NaN",
            remedy="give each such row a value of its own, or leave it out",
        )
    return numbered


def _round(ratio: float) -> tuple[int, list[int]]:
    """Return the number of models of a round, and in how many of them a row may be."""
    for length in range(2, _LONGEST_ROUND + 1):
        n_in = round(ratio * length)
        if abs(ratio * length - n_in) < 1e-9 and 0 < n_in < length:
            return length, [n_in]
    length = max(_USUAL_ROUND, math.ceil(1 / min(ratio, 1 - ratio) - 1e-9))
    low = math.floor(ratio * length + 1e-9)
    counts = (low,) if abs(ratio * length - low) < 1e-9 else (low, low + 1)
    return length, [n_in for n_in in counts if 0 < n_in < length]


def _deal(n: int, ratio: float, rng: np.random.Generator, *, short_waits: bool) -> np.ndarray:
    """Return the turns `[length, n]` of n units in one round.

    Units are shuffled and cut into hands of `length`; those of a hand take the same pattern, each
    from another turn on, so that together they are in every model equally often. Who is in a hand
    with whom is drawn anew in each round.
    """
    length, counts = _round(ratio)
    n_hands = -(-n // length)
    n_more = math.floor((ratio * length - counts[0]) * n_hands + rng.random())
    more = rng.permutation(n_hands) < n_more
    longest = models_until_balanced(ratio) if short_waits else length
    hands = np.empty((n_hands, length), dtype=bool)
    for n_in, chosen in ((counts[0], ~more), (counts[-1], more)):
        ways = _patterns(length, n_in, longest)
        hands[chosen] = ways[rng.integers(len(ways), size=int(chosen.sum()))]
    later = rng.permuted(np.tile(np.arange(length), (n_hands, 1)), axis=1)
    turns = (np.arange(length) - later[:, :, None]) % length
    dealt = np.take_along_axis(hands[:, None, :], turns, axis=2).reshape(-1, length)[:n]
    return dealt[rng.permutation(n)].T


@cache
def _patterns(length: int, n_in: int, longest: int) -> np.ndarray:
    """Return the ways of being in `n_in` of `length` models on a circle, without being in, or out,
    of more than `longest` - 1 in a row; bool `[ways, length]`.

    Only those that have the first model on their rarer side: all others are turns of these, each
    of as many.
    """
    n_few = min(n_in, length - n_in)
    chosen = np.array([(0, *c) for c in combinations(range(1, length), n_few - 1)])
    gaps = np.diff(chosen, axis=1, append=length)
    chosen = chosen[gaps.max(1) <= longest]
    few = np.zeros((len(chosen), length), dtype=bool)
    np.put_along_axis(few, chosen, True, axis=1)
    if n_few >= longest:
        few = few[~np.all([np.roll(few, turn, axis=1) for turn in range(longest)], axis=0).any(1)]
    return few if n_few == n_in else ~few
