"""What the hidden layers of a network show of an image: one image for each layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_NONLINEAR = (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.SELU, nn.ELU, nn.Sigmoid)
_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@torch.no_grad()
def layer_images(module: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Return the leading component of every hidden layer, `[n, h, w]` each.

    The leading component of activations `[n, channels, h, w]` is, for each input on its own, the
    spatial pattern v of the best rank-one fit s u v^T to its channels x pixels matrix (first right
    singular vector times s), its sign chosen such that u v^T has a positive sum over channels.
    The units of a fully connected layer are laid out as an image: that of the input where there
    are as many, else row by row, as wide as the input.

    Args:
        module: maps `[n, channels, h, w]`; hidden layers are those of `layer_activations`.

    Cost: a forward pass, and O(channels^2 (channels + pixels)) for each input and layer.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1))
    >>> [tuple(image.shape) for image in layer_images(net, torch.rand(3, 1, 8, 8))]
    [(3, 8, 8)]
    """
    width = inputs.shape[-1]
    return [leading_component(a, width) for a in layer_activations(module, inputs)]


@torch.no_grad()
def layer_activations(module: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Return the activations of every hidden layer in the order in which they are computed.

    A hidden layer is a linear or convolutional layer with the nonlinearity after it, if there is
    one; the last such layer is the output and is left out. Layers whose activations are neither
    `[n, channels, h, w]` nor `[n, units]`, such as those of tokens, are left out too.
    """
    with recorded(module) as seen:
        module(inputs)
    layers: list[Tensor] = []
    for kind, value in seen:
        if kind == "weighted":
            layers.append(value)
        elif layers and layers[-1].shape == value.shape:
            layers[-1] = value
    return [a for a in layers[:-1] if a.ndim in (2, 4)]


def leading_component(activations: Tensor, width: int) -> Tensor:
    """Return the leading component of activations `[n, channels, h, w]` or `[n, units]`.

    >>> pattern = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
    >>> both = torch.stack([pattern, 3 * pattern])[None]
    >>> round(leading_component(both, 2)[0, 0, 1].item() / 10**0.5, 3)  # lengths add: 1, 3
    2.0
    """
    if activations.ndim == 2:
        units = activations.shape[1]
        side = width if units >= width else max(1, math.isqrt(units))
        rows = -(-units // side)
        padded = nn.functional.pad(activations, (0, rows * side - units), value=torch.nan)
        return padded.reshape(len(activations), rows, side)
    n, channels, height, across = activations.shape
    matrix = activations.reshape(n, channels, height * across)
    # u is the leading eigenvector of the channels' products, and s v^T = u^T matrix: much less
    # work than all singular vectors, and as exact, since the squared values differ even more.
    products = matrix.double() @ matrix.double().mT
    leading = torch.linalg.eigh(products)[1][:, :, -1]
    leading = leading * torch.where(leading.sum(1) < 0, -1.0, 1.0)[:, None]
    image = (leading.to(matrix.dtype)[:, None] @ matrix)[:, 0]
    return image.reshape(n, height, across)


@contextmanager
def recorded(module: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """Record, inside the block, what layers with weights and nonlinearities put out."""
    seen: list[tuple[str, Tensor]] = []
    hooks = [
        part.register_forward_hook(
            # Copied: an in-place nonlinearity would overwrite what was seen.
            lambda _, __, out, kind=kind: seen.append((kind, out.detach().clone()))
        )
        for part in module.modules()
        for kind, types in (("weighted", _WEIGHTED), ("nonlinear", _NONLINEAR))
        if isinstance(part, types)
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
