"""Widths of networks around that at which they are expected to just fit wrong labels.

Conditions are those of `overparam.phenomena.double_descent.cross_entropy`.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from overparam.measures import across_threshold
from overparam.models import mlp_n_params
from overparam.phenomena.double_descent._wrong_labels import shape_of

# Parameters per example at which networks with two hidden layers fit the 1-D task's noisy labels.
# It only places the axis, from 1/16 of that width to five times it, and is checked afterwards.
PARAMS_PER_EXAMPLE = 1.3
PAPER_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)


def threshold_width(c: Any) -> int:
    """Return the width, at least 2, at which a perceptron is expected to just fit its labels."""
    shape, n_classes = shape_of(c.dataset)
    d, wanted = int(np.prod(shape)), PARAMS_PER_EXAMPLE * c.n_train
    depth = c.n_hidden_layers
    return next(k for k in count(2) if mlp_n_params(d, [k] * depth, n_classes) >= wanted)


def widths(c: Any) -> list[int]:
    """Return the widths of the design: across the expected threshold, or those of the paper."""
    if c.family != "mlp":
        return list(PAPER_WIDTHS)
    at = threshold_width(c)
    return across_threshold(at, min(10, at - 1), 5, low_ratio=0.06, high_ratio=5.0)


def widths_of_emc(c: Any) -> list[int]:
    """Return the widths of perceptrons that fit some, not all, of the shares."""
    at = threshold_width(c)
    return [k for k in widths(c) if at / 3 <= k <= at]
