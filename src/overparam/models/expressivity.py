"""A network that interpolates any n points with 2n + d weights.

Source: Zhang, Bengio, Hardt, Recht, Vinyals 2017 (arXiv:1611.03530), Theorem 1 and its proof in
appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overparam.errors import DataError
from overparam.streams import Streams, check_streams

N_DIRECTIONS = 32  # directions tried; the one that separates the points best is kept
KNOT_POSITION = (
    0.25  # where between two projections the next unit sets in, see `interpolate_exactly`
)


@dataclass(frozen=True, eq=False)
class ReluInterpolant:
    """The network c(x) = sum_j w_j max(<a, x> - b_j, 0).

    All hidden units share the direction a, so with k outputs it has d + m + m k weights: 2m + d for
    one output, where m is the number of distinct training inputs.

    Attributes:
        direction: a, float64 `[d]`, of length 1.
        thresholds: b, float64 `[m]`, rising.
        weights: w, float64 `[m, k]`.
        slopes: slope of c right of each threshold, `[m, k]`; w_j = slopes_j - slopes_{j-1}.
        knots: value of c at each threshold, `[m, k]`.
    """

    direction: Tensor
    thresholds: Tensor
    weights: Tensor
    slopes: Tensor
    knots: Tensor

    @property
    def n_params(self) -> int:
        """Number of weights, d + m + m k."""
        return self.direction.numel() + self.thresholds.numel() + self.weights.numel()

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return c at inputs `[n, *shape]` with d entries each: float64 `[n, k]`.

        The sum over units is evaluated as the piecewise linear function that it is (knot value plus
        slope times distance): the same function, without the cancellation of huge weights, in
        O(n (d + log m + k)).

        Raises:
            DataError: inputs whose number of entries is not d.
        """
        position = _project(_rows(inputs, len(self.direction)), self.direction)
        segment = torch.searchsorted(self.thresholds, position) - 1
        right = segment.clamp(min=0)
        values = (
            self.knots[right] + self.slopes[right] * (position - self.thresholds[right])[:, None]
        )
        return torch.where(segment[:, None] >= 0, values, torch.zeros_like(values))


def interpolate_exactly(inputs: Tensor, targets: Tensor, streams: Streams) -> ReluInterpolant:
    """Return the ReLU network with 2n + d weights that equals the targets on the inputs.

    A random direction a gives distinct projections z_1 < ... < z_n; with b_1 < z_1 < b_2 < z_2 ...
    the matrix max(z_i - b_j, 0) is lower triangular with a positive diagonal, so that w exists. Of
    32 directions drawn from the stream ``direction`` the one with the widest smallest gap is
    taken. The proof leaves b_{j+1} free between z_j and z_{j+1}; it is put at a quarter of the way,
    where a rounding error in one slope shrinks to a third in the next (at half of the way it would
    be carried on in full).

    Equal inputs with equal targets count once.

    Args:
        inputs: `[n, *shape]`, any real dtype. targets: `[n]` or `[n, k]`.
        streams: source of the directions.

    Cost: O(32 n (d + log n)), no matrix is formed.

    Raises:
        DataError: empty, mismatched, NaN or infinite; equal inputs with different targets; points
            so close that no direction separates them in float64.

    >>> net = interpolate_exactly(torch.tensor([[1.0], [2.0], [3.0]]), [5.0, -1.0, 4.0], Streams(0))
    >>> net.n_params, net(torch.tensor([[2.0], [3.0]])).flatten().round(decimals=9).tolist()
    (7, [-1.0, 4.0])
    """
    x = _rows(inputs)
    y = torch.as_tensor(targets, dtype=torch.float64)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or len(y) != len(x):
        raise DataError("inputs and targets differ in length", got=f"{len(x)} and {list(y.shape)}")
    if not bool(torch.isfinite(x).all() and torch.isfinite(y).all()):
        raise DataError("inputs or targets hold NaN or infinity", remedy="drop or impute them")
    x, y = _distinct(x, y)
    direction = _separating_direction(x, streams)
    order = torch.argsort(z := _project(x, direction))
    z, y = z[order], y[order]
    gaps = z.diff()
    first = z[:1] - (gaps.mean() if len(gaps) else 1.0)
    thresholds = torch.cat((first, z[:-1] + KNOT_POSITION * gaps))
    return ReluInterpolant(direction, thresholds, *interpolating_weights(z, thresholds, y))


def interpolating_weights(
    projections: Tensor, thresholds: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve sum_j w_j max(z_i - b_j, 0) = y_i for w in O(n), by differences.

    Between thresholds the network is a line, so its slope right of b_{i+1} follows from that right
    of b_i:  s_{i+1} = (y_{i+1} - y_i - s_i (b_{i+1} - z_i)) / (z_{i+1} - b_{i+1}),
    and w_i = s_i - s_{i-1}.

    Args:
        projections: z `[n]`, rising. thresholds: b `[n]` with b_i < z_i <= b_{i+1}.
        targets: y `[n, k]`.

    Returns:
        weights `[n, k]`, slopes `[n, k]`, values at the thresholds `[n, k]`.

    Raises:
        DataError: thresholds that do not interlace with the projections.

    >>> z, b = torch.tensor([[1.0, 2.0, 3.0], [0.5, 1.5, 2.5]]).double()
    >>> y = torch.tensor([[5.0], [-1.0], [4.0]]).double()
    >>> interpolating_weights(z, b, y)[0].flatten().tolist()
    [10.0, -32.0, 54.0]
    """
    if not bool((thresholds < projections).all() and (thresholds[1:] >= projections[:-1]).all()):
        raise DataError(
            "thresholds and projections must interlace", allowed="b_1 < z_1 <= b_2 < z_2 <= ..."
        )
    slopes, knots = torch.empty_like(targets), torch.zeros_like(targets)
    reach = (projections - thresholds).tolist()
    run = (thresholds[1:] - projections[:-1]).tolist()
    slopes[0] = targets[0] / reach[0]
    for i in range(1, len(targets)):
        knots[i] = targets[i - 1] + slopes[i - 1] * run[i - 1]
        slopes[i] = (targets[i] - knots[i]) / reach[i]
    return torch.diff(slopes, dim=0, prepend=torch.zeros_like(slopes[:1])), slopes, knots


def _rows(inputs: Tensor, input_dim: int | None = None) -> Tensor:
    x = torch.as_tensor(inputs, dtype=torch.float64)
    x = x.reshape(len(x), -1) if x.ndim and x.numel() else x
    if x.ndim != 2 or x.numel() == 0 or (input_dim is not None and x.shape[1] != input_dim):
        raise DataError(
            "inputs must be [n, *shape] with at least one row and column",
            got=list(x.shape),
            allowed=None if input_dim is None else f"{input_dim} entries a row",
        )
    return x


def _project(x: Tensor, direction: Tensor) -> Tensor:
    # A row-wise sum, not a matrix product: a row must get the same projection in any batch.
    return (x * direction).sum(1)


def _distinct(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    unique, group = torch.unique(x, dim=0, return_inverse=True)
    values = y.new_empty(len(unique), y.shape[1])
    values[group] = y
    conflict = (values[group] != y).any(1).nonzero().flatten()
    if len(conflict):
        twins = (group == group[conflict[0]]).nonzero().flatten().tolist()
        raise DataError(
            "equal inputs have different targets, no function fits them",
            got=f"rows {twins[:4]}",
            remedy="drop the copies or make their targets agree",
        )
    return unique, values


def _separating_direction(x: Tensor, streams: Streams) -> Tensor:
    generator = check_streams(streams).torch("direction")
    best, widest = None, 0.0
    for _ in range(N_DIRECTIONS):
        direction = torch.randn(x.shape[1], dtype=torch.float64, generator=generator)
        direction /= direction.norm()
        z = _project(x, direction).sort().values
        gap = float((z.diff() / z.abs().max()).min()) if len(z) > 1 else 1.0
        if gap > widest:
            best, widest = direction, gap
    if best is None or widest < 4 * torch.finfo(torch.float64).eps:
        raise DataError(
            "some inputs are too close to be separated in float64",
            got=f"smallest relative gap {widest:.1e}",
            remedy="drop near copies",
        )
    return best
