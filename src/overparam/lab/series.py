"""`series_over_seeds`: one line of a figure from a matrix of levels by seeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from overparam.lab.figure import Role, Series
from overparam.lab.statistics import LEVEL, How, curve

NAMES = {"geometric": "geometric mean", "mean": "mean", "median": "median"}


def series_over_seeds(
    label: str,
    role: Role,
    levels: ArrayLike,
    matrix: ArrayLike,
    how: How = "geometric",
    *,
    dashed: bool = False,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Series:
    """Return the central line over seeds with its pointwise band and one dot per seed.

    Args:
        label: drawn at the line's end. role: decides the colour.
        levels: `[m]`. matrix: `[m, seeds]`, NaN where missing, as `Records.matrix` gives it.
        how: geometric for errors near a threshold and for norms (all > 0); mean for values that
            may be 0, such as training errors.
        bounds: of what the values can be, (0, 1) for fractions; the band is cut there.

    A point of three seeds or fewer has no band (see `Series`).

    Raises:
        UsageError: shapes that do not fit, an unknown `how`.

    >>> line = series_over_seeds("test error", "test", [1, 2], [[0.1, 0.4], [0.2, 0.2]])
    >>> line.y.round(3).tolist(), line.statistic
    ([0.2, 0.2], 'geometric mean over 2 seeds')
    """
    center, low, high = curve(levels, matrix, how, bounds=bounds)
    values = np.asarray(matrix, float)
    return Series(
        label=label,
        role=role,
        x=np.asarray(levels, float),
        y=center,
        low=low,
        high=high,
        dots=values,
        statistic=f"{NAMES[how]} over {values.shape[1]} seeds",
        band=f"{LEVEL:.0%} interval over seeds, pointwise",
        dashed=dashed,
    )
