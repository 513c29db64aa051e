"""Where texts go in a chart: names at line ends, and labels of rules above the plot."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

LINE_HEIGHT = 14.0  # pixels, for 12-pixel text
_LONGEST_WORD = 24  # characters
_CHARACTER = 0.56  # mean width of a character, in font sizes


def text_width(text: str, size: float = 12.0) -> float:
    """Return the estimated width in pixels of the longest line of `text`."""
    return max((len(line) for line in text.split("\n")), default=0) * _CHARACTER * size


def wrap(text: str, width: float, size: float = 12.0) -> list[str]:
    """Return `text` in lines of at most about `width` pixels; at least one line.

    A word is only broken where it is longer than any word of a language.

    >>> wrap("test error of the last epoch", 90)
    ['test error of', 'the last', 'epoch']
    >>> wrap("Convolutional networks", 40)
    ['Convolutional', 'networks']
    """
    room = max(int(width / (_CHARACTER * size)), 4)
    words = [w for word in text.split() for w in textwrap.wrap(word, max(room, _LONGEST_WORD))]
    return textwrap.wrap(" ".join(words), room, break_long_words=False) or [""]


def spread(
    centres: Sequence[float], heights: Sequence[float], low: float, high: float
) -> list[float] | None:
    """Return centres moved as little as needed so that boxes neither overlap nor leave the range.

    Least squares under order constraints: after subtracting the room that the boxes above take,
    the order constraint is plain monotonicity, solved by pooling adjacent violators.

    Args:
        centres: wished centres in pixels. heights: of the boxes. low, high: range for box edges.

    Returns:
        The centres in the order given, or None where the boxes do not fit.

    >>> spread([10, 12], [14, 14], 0, 100)
    [7.0, 21.0]
    """
    if sum(heights) > high - low:
        return None
    order = sorted(range(len(centres)), key=lambda i: centres[i])
    offsets, used = [], 0.0
    for i in order:
        offsets.append(used + heights[i] / 2)
        used += heights[i]
    pools: list[list[float]] = []  # [sum of wishes, number]
    for i, offset in zip(order, offsets, strict=True):
        pools.append([centres[i] - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    tops = [total / count for total, count in pools for _ in range(int(count))]
    placed = [0.0] * len(centres)
    for i, top, offset in zip(order, tops, offsets, strict=True):
        placed[i] = min(max(top, low), high - used) + offset
    return placed


def stack_rows(
    centres: Sequence[float], widths: Sequence[float], right: float, gap: float = 10.0
) -> list[tuple[float, int]]:
    """Return for each label its centre, kept within [0, right], and the row where it is free.

    >>> stack_rows([50, 60], [40, 40], 200)
    [(50, 0), (60, 1)]
    """
    taken: list[list[tuple[float, float]]] = []
    placed: list[tuple[float, int]] = [(0.0, 0)] * len(centres)
    for i in sorted(range(len(centres)), key=lambda i: centres[i]):
        half = widths[i] / 2
        centre = max(min(centres[i], right - half), min(half, right / 2))
        row = 0
        while row < len(taken) and any(
            centre - half < b + gap and a - gap < centre + half for a, b in taken[row]
        ):
            row += 1
        if row == len(taken):
            taken.append([])
        taken[row].append((centre - half, centre + half))
        placed[i] = (centre, row)
    return placed
