"""What the references on one side of a row say: those that had it, or those that had it not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.measures.exact_sums import Total, add_exactly, mean_of_total

_EPS = float(np.finfo(np.float64).eps)
_MOST_UNJUDGED = 0.025  # of the targets on either side, for lack of references


@dataclass(frozen=True)
class Side:
    """References that had a row (or had it not), arrays that broadcast to `[targets, rows]`.

    Attributes:
        count: how many. mean: of their statistic, NaN where there is none; of equal statistics
            equal to the last digit, in whatever order they stand.
        squares: sum of squared deviations from the mean.
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray


def sides_of(x: np.ndarray, inside: np.ndarray) -> tuple[Side, Side]:
    """Return both sides of rows, for targets that are none of the references.

    Args:
        x: statistics `[K, block]`, NaN where unknown. inside: bool `[K, block]`.
    """
    known = ~np.isnan(x)
    return _side(x, known & inside), _side(x, known & ~inside)


def sides_of_each(
    x: np.ndarray, inside: np.ndarray, equal_numbers: bool, needs: tuple[int, int]
) -> tuple[Side, Side]:
    """Return both sides for each of the references as target, by which it is left out.

    Args:
        x, inside: as in `sides_of`. equal_numbers: judge every target of the block by as many
            references of either side; where there are fewer, by none. needs: references that had
            the row and that had not, without which nothing can be said.
    """
    known = ~np.isnan(x)
    one, other = known & inside, known & ~inside
    if not equal_numbers:
        return _side(x, one, _own(one)), _side(x, other, _own(other))
    wanted = _equal_numbers(one.sum(0), other.sum(0), needs)
    found = [
        _side(x, side, _surplus(side, opposite, number))
        for side, opposite, number in ((one, other, wanted[0]), (other, one, wanted[1]))
    ]
    enough = np.logical_and(*(s.count >= number for s, number in zip(found, wanted, strict=True)))
    a, b = (Side(s.count * enough, np.where(enough, s.mean, np.nan), s.squares) for s in found)
    return a, b


def _equal_numbers(n_in: np.ndarray, n_out: np.ndarray, needs: tuple[int, int]) -> tuple[int, int]:
    """Return the numbers on either side that all but few of the targets have beside themselves."""
    beside = [
        [np.repeat(n_in - 1, n_in), np.repeat(n_in, n_out)],
        [np.repeat(n_out, n_in), np.repeat(n_out - 1, n_out)],
    ]
    numbers, most = [], []
    for of_kinds, need in zip(beside, needs, strict=True):
        some = [found for found in of_kinds if found.size]
        low = [int(np.quantile(found, _MOST_UNJUDGED, method="inverted_cdf")) for found in some]
        # As many as some targets of either kind have: else only one kind would be judged.
        most.append(min((int(found.max()) for found in some), default=0))
        numbers.append(max(min(low, default=0), min(need, most[-1])))
    if not any(numbers):  # one reference is better than none
        side = int(np.argmax(most))
        numbers[side] = min(most[side], 1)
    return numbers[0], numbers[1]


def _own(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where to begin to leave out references of a side for each target, and how many: itself."""
    return np.cumsum(side, 0) - 1, side.astype(np.int64)


def _surplus(side: np.ndarray, other: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The same, so that `number` are left: itself or one by turns, and those that follow it."""
    count = side.sum(0)
    turn = (np.cumsum(other, 0) - 1) % np.maximum(count, 1)
    first = np.where(side, np.cumsum(side, 0) - 1, turn)
    gone = np.maximum(count - number, 0)
    return first, np.where(side, np.maximum(gone, 1), np.where(other, gone, 0))


def _side(
    x: np.ndarray, side: np.ndarray, left_out: tuple[np.ndarray, np.ndarray] | None = None
) -> Side:
    count, own = side.sum(0), np.where(side, x, 0)
    some = np.maximum(count, 1)
    # Deviations from the middle of the side: sums of their squares lose no digits.
    centre = own.sum(0) / some
    apart = np.where(side, x - centre, 0)
    squares, shift = (apart**2).sum(0), apart.sum(0)
    # Rounding of the centre and of the sums: no spread of its own.
    blur = 16 * _EPS * squares + count * (4 * _EPS * centre) ** 2
    total: Total = (np.zeros(len(centre)), np.zeros(len(centre)))
    for values in own:
        total = add_exactly(total, values)
    if left_out is not None:
        first, n_gone = left_out
        order = np.argsort(~side, axis=0, kind="stable")
        count = count - n_gone
        for j in range(int(n_gone.max())):
            who = np.take_along_axis(order, (first + j) % some, 0)
            leaves = j < n_gone
            total = add_exactly(total, -np.where(leaves, np.take_along_axis(own, who, 0), 0))
            gone = np.where(leaves, np.take_along_axis(apart, who, 0), 0)
            squares, shift = squares - gone**2, shift - gone
        some = np.maximum(count, 1)
    spread = squares - shift**2 / some
    spread = np.where(spread > blur, spread, 0)
    return Side(count, np.where(count > 0, mean_of_total(total, some), np.nan), spread)
