"""Fully connected families: the linear model, the multilayer perceptron, LeNet-300-100."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from overparam.checks import check_choice, check_count

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}


def linear_model(input_dim: int, n_outputs: int, *, bias: bool = True) -> nn.Sequential:
    """Return the linear model f(x) = W x + b as a shape without weights.

    Args:
        input_dim: entries d of one input, >= 1; inputs `[n, *shape]` are flattened.
        n_outputs: outputs K, >= 1.
        bias: whether b is there.

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> sum(p.numel() for p in linear_model(784, 10).parameters())
    7850
    """
    return _dense(
        [check_count("input_dim", input_dim), check_count("n_outputs", n_outputs)], "relu", bias
    )


def mlp(
    input_dim: int,
    hidden: int | Sequence[int],
    n_outputs: int,
    *,
    activation: str = "relu",
    bias: bool = True,
) -> nn.Sequential:
    """Return a multilayer perceptron as a shape without weights.

    ``Flatten, Linear(d, H1), activation, ..., Linear(HL, K)``.

    Args:
        input_dim: entries d of one input, >= 1; inputs `[n, *shape]` are flattened.
        hidden: width H of the one hidden layer, or the widths H1 ... HL of several, each >= 1.
        n_outputs: outputs K, >= 1.
        activation: ``relu``, ``tanh``, ``gelu`` or ``identity`` (a deep linear network).
        bias: whether the layers have biases.

    Raises:
        UsageError: a size that is not a whole number >= 1, or an unknown activation.

    >>> mlp(3, [5, 4], 2)
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=3, out_features=5, bias=True)
      (2): ReLU()
      (3): Linear(in_features=5, out_features=4, bias=True)
      (4): ReLU()
      (5): Linear(in_features=4, out_features=2, bias=True)
    )
    """
    check_choice("activation", activation, ACTIVATIONS)
    return _dense(_sizes(input_dim, hidden, n_outputs), activation, bias)


def mlp_n_params(
    input_dim: int, hidden: int | Sequence[int], n_outputs: int, *, bias: bool = True
) -> int:
    """Return the number of parameters of `mlp` with these sizes.

    N = sum over layers of (inputs + 1) x outputs, so N = (d+1) H + (H+1) K for one hidden layer;
    without biases the two ones fall away.

    Source: Belkin, Hsu, Ma, Mandal 2019 (arXiv:1812.11118), caption of Fig. 3.

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> mlp_n_params(784, 50, 10)
    39760
    """
    return sum((a + bias) * b for a, b in pairwise(_sizes(input_dim, hidden, n_outputs)))


def mlp_width_for(n_params: int, input_dim: int, n_outputs: int, *, bias: bool = True) -> int:
    """Return the width H >= 1 whose one-hidden-layer network is nearest to `n_params` parameters.

    The inverse of `mlp_n_params`: H = (N - K) / (d + 1 + K), rounded; of two equally near widths
    the smaller.

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> mlp_width_for(40_000, 784, 10)
    50
    """
    check_count("n_params", n_params)
    at_zero = check_count("n_outputs", n_outputs) * bias
    per_unit = mlp_n_params(input_dim, 1, n_outputs, bias=bias) - at_zero
    # Integer ceiling of (N - K) / per_unit - 1/2: exact where a float quotient could round wrongly.
    return max(1, -((per_unit - 2 * (n_params - at_zero)) // (2 * per_unit)))


def lenet_300_100(input_dim: int = 784, n_outputs: int = 10) -> nn.Sequential:
    """Return LeNet-300-100, the perceptron with 300 and 100 hidden ReLU units.

    Source: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document
    recognition", section III; with ReLU in place of the sigmoid, as in the pruning literature.

    >>> sum(p.numel() for p in lenet_300_100().parameters())
    266610
    """
    return mlp(input_dim, (300, 100), n_outputs)


def _sizes(input_dim: int, hidden: int | Sequence[int], n_outputs: int) -> list[int]:
    widths = list(hidden) if isinstance(hidden, Sequence) else [hidden]
    return [
        check_count("input_dim", input_dim),
        *(check_count("hidden", width) for width in widths),
        check_count("n_outputs", n_outputs),
    ]


def _dense(sizes: Sequence[int], activation: str, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out, bias=bias, device="meta"), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])
