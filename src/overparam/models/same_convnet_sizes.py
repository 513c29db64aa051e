"""Counts of `same_convnet`: how many parameters a size has, and which size has so many."""

from __future__ import annotations

import math

from overparam.checks import check_count
from overparam.errors import UsageError


def same_convnet_n_params(depth: int, n_channels: int, kernel_size: int = 5) -> int:
    """Return the number of parameters of `same_convnet` on images of one channel.

    N = k^2 (2 c + (L - 2) c^2) for L >= 2 layers, c channels and a k x k kernel; k^2 for L = 1.

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> same_convnet_n_params(5, 1024)
    78694400
    """
    check_count("depth", depth)
    c, k = check_count("n_channels", n_channels), check_count("kernel_size", kernel_size)
    return k * k * (1 if depth == 1 else 2 * c + (depth - 2) * c * c)


def same_convnet_width_for(n_params: int, depth: int, kernel_size: int = 5) -> int:
    """Return the number of channels c >= 1 whose network is nearest to `n_params` parameters.

    The inverse of `same_convnet_n_params` over c, for L >= 2 layers; of two equally near the
    smaller.

    Raises:
        UsageError: a size that is not a whole number >= 1, or a single layer, whose parameters
            do not depend on the channels.

    >>> same_convnet_width_for(78_694_400, 5)
    1024
    """
    check_count("n_params", n_params)
    if check_count("depth", depth) == 1:
        raise UsageError(
            "one layer has as many parameters whatever its channels", got="depth 1", allowed=">= 2"
        )
    share = n_params / check_count("kernel_size", kernel_size) ** 2
    # (L - 2) c^2 + 2 c = share, solved without cancellation; for L = 2 it is linear.
    exact = share / (1 + math.sqrt(1 + (depth - 2) * share))
    low = max(1, math.floor(exact))
    return min(
        (low, low + 1),
        key=lambda c: abs(same_convnet_n_params(depth, c, kernel_size) - n_params),
    )
