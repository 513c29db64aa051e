"""What many fitted, fully connected networks of one shape say of the same rows, in one pass."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from overparam.data.finite import check_range
from overparam.training.batches import in_order
from overparam.training.dense import DenseShape, DenseStack, dense_shape
from overparam.training.request import Context
from overparam.training.weights import StackedWeights

_COPIES = 2  # of the weights of a stack: they, and the gradients that it has room for


class Network(Protocol):
    """A fitted network, as far as its outputs need it."""

    @property
    def template(self) -> nn.Module:
        """Its layers."""

    @property
    def state(self) -> Mapping[str, Tensor]:
        """Its parameters."""


def shape_of(network: Network, inputs: Tensor) -> Hashable | None:
    """Return what must agree between networks that are asked together; None of what is no more
    than its layers, or does not take these rows as a plain list of numbers.
    """
    shape = dense_shape(network.template)
    if shape is None or not inputs.is_floating_point() or len(inputs) == 0:
        return None
    flattens = isinstance(next(network.template.children()), nn.Flatten)
    if (inputs.ndim != 2 and not flattens) or inputs[0].numel() != shape.dims[0]:
        return None
    return shape, _dtype_of(network), inputs.shape, inputs.dtype


@torch.no_grad()
def outputs_side_by_side(
    networks: Sequence[Network], inputs: Sequence[Tensor], context: Context
) -> list[Tensor]:
    """Return the outputs `[n, K]` of each network on its rows.

    Those that are asked of equal rows pass them together, as many as memory holds.

    Args:
        networks: that agree in `shape_of`. inputs: of each.

    Raises:
        DataError: numbers that are infinite in the precision of the weights.
    """
    shape, dtype = dense_shape(networks[0].template), _dtype_of(networks[0])
    assert shape is not None
    found: list[Tensor | None] = [None] * len(networks)
    left = list(range(len(networks)))
    while left:
        rows = inputs[left[0]]
        same = [i for i in left if inputs[i] is rows or torch.equal(inputs[i], rows)]
        left = [i for i in left if i not in set(same)]
        check_range("inputs", rows, dtype, "the model knows no such numbers: scale them")
        states = [networks[i].state for i in same]
        outputs = _one_pass(shape, states, rows.to(context.device, dtype), context.memory_bytes)
        for i, of_one in zip(same, outputs, strict=True):
            found[i] = of_one
    return [outputs for outputs in found if outputs is not None]


def _one_pass(
    shape: DenseShape, states: Sequence[Mapping[str, Tensor]], rows: Tensor, memory_bytes: int
) -> list[Tensor]:
    each = _COPIES * sum(t.numel() * t.element_size() for t in states[0].values())
    most, found = max(1, memory_bytes // each), []
    for first in range(0, len(states), most):
        weights = StackedWeights(states[first : first + most], rows.dtype, rows.dtype, rows.device)
        stack = DenseStack(shape, weights, "squared_error")  # a loss that is never asked for
        chunks = in_order(len(rows), weights.n_models * stack.n_units, rows.device)
        parts = [stack.outputs(rows[chunk], shared=True).cpu() for chunk in chunks]
        found += [outputs.clone() for outputs in torch.cat(parts, 1)]
    return found


def _dtype_of(network: Network) -> torch.dtype:
    return next(iter(network.state.values())).dtype
