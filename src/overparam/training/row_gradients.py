"""The gradients of single rows, cut to a length and summed: what private training moves by."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from overparam.errors import UsageError
from overparam.training.copies import first_line
from overparam.training.losses import loss_values

_MOST_NUMBERS = 2**25  # gradients of single rows that are held at once: 128 MiB

Weights = Mapping[str, Tensor]


def clipped_sum(
    module: nn.Module, weights: Weights, inputs: Tensor, labels: Tensor, clip_norm: float
) -> dict[str, Tensor]:
    """Return the sum over rows of the gradients of their cross-entropy, each of bounded length.

    A gradient g, over all weights together, becomes g min(1, C / |g|). One row more or less
    changes the sum by no more than length C, whatever the row and the weights.

    Args:
        module: gives all that is not among the weights. weights: by name, as its parameters.
        inputs: `[n, *shape]`, n may be 0. labels: int64 `[n]`. clip_norm: C.

    Raises:
        UsageError: the module has no gradient of a row by itself.
    """
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    at_once = max(1, _MOST_NUMBERS // max(1, sum(w.numel() for w in weights.values())))
    for some in torch.arange(len(inputs)).split(at_once) if len(inputs) else ():
        gradients = _gradients(module, weights, inputs[some], labels[some])
        squares = sum(g.flatten(1).square().sum(1) for g in gradients.values())
        kept = (clip_norm / torch.as_tensor(squares).sqrt()).clamp(max=1.0)
        for name, each in gradients.items():
            total[name] += torch.tensordot(kept, each, dims=1)
    return total


def _gradients(
    module: nn.Module, weights: Weights, inputs: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """Return the gradient of each row, `[n, *shape]` by name."""

    def loss(some: Weights, row: Tensor, label: Tensor) -> Tensor:
        outputs = functional_call(module, dict(some), (row[None],))
        return loss_values("cross_entropy", outputs, label[None]).sum()

    state = torch.get_rng_state()
    try:
        mapped = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")
        return mapped(weights, inputs, labels)
    except (RuntimeError, ValueError):  # recurrent layers, and code that looks at numbers
        torch.set_rng_state(state)
    try:
        rows = [grad(loss)(weights, row, label) for row, label in zip(inputs, labels, strict=True)]
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            "the gradient of a single row cannot be taken",
            got=first_line(error),
            allowed="a differentiable model from [1, *shape] to [1, K]",
        ) from error
    return {name: torch.stack([row[name] for row in rows]) for name in weights}
