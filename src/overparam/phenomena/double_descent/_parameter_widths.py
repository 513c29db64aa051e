"""Widths of networks with one hidden layer, around that of as many parameters as equations.

Conditions are those of `overparam.phenomena.double_descent.squared_loss`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.data.entries import entry_of
from overparam.measures import across_threshold
from overparam.models import mlp_n_params, mlp_width_for

# Parameters of Belkin et al. 2019, Fig. 3, in thousands
BELKIN_SIZES = (
    *(4, 5, 7, 10, 12, 20, 24, 27, 30, 33, 35, 37, 38, 39, 39.5),
    *(40, 45, 50, 70, 85, 200, 250, 800),
)


def sizes(c: Any) -> tuple[int, int, int]:
    """Return input size d, width H and number of classes K."""
    entry = entry_of(c.dataset)
    return int(np.prod(entry.input_shape)), c.width, entry.n_classes


def widths(c: Any) -> list[int]:
    """Return the widths H of the design, around that of N = (d+1) H + (H+1) K = n K."""
    d, _, k = sizes(c)
    if c.axis == "belkin 2019":
        return sorted({mlp_width_for(round(1000 * size), d, k) for size in BELKIN_SIZES})
    threshold = mlp_width_for(c.n_train * k, d, k)
    return across_threshold(
        threshold, c.n_widths + 1, c.n_widths, low_ratio=0.06, high_ratio=c.max_ratio
    )


def below_threshold(c: Any) -> bool:
    """Whether the network has fewer parameters than there are numbers to fit."""
    return mlp_n_params(*sizes(c)) < c.n_train * sizes(c)[2]
