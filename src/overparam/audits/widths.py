"""A plain network with other widths: the one knob that can be turned without the user's help."""

from __future__ import annotations

from typing import Any

from torch import nn

# Layers that have no size of their own, or take it from what comes before.
_KEEP_SIZE = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.ELU, nn.SiLU, nn.LeakyReLU, nn.Dropout)


def with_widths(model: Any, factor: float) -> nn.Module | None:
    """Return an `nn.Sequential` of linear layers with hidden widths times `factor`, new weights.

    None where the model is anything else: a network whose own code decides sizes cannot be known.

    >>> import torch
    >>> from torch import nn
    >>> net = with_widths(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), 0.5)
    >>> [layer.out_features for layer in net if isinstance(layer, nn.Linear)]
    [4, 3]
    """
    if type(model) is not nn.Sequential:
        return None
    layers = list(model)
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if len(linear) < 2 or not all(_is_plain(layer) for layer in layers):
        return None
    made: list[nn.Module] = []
    width = linear[0].in_features
    for layer in layers:
        if not isinstance(layer, nn.Linear):
            made.append(layer)
            continue
        is_last = layer is linear[-1]
        n_out = layer.out_features if is_last else max(round(layer.out_features * factor), 1)
        made.append(nn.Linear(width, n_out, layer.bias is not None))
        width = n_out
    return nn.Sequential(*made)


def _is_plain(layer: nn.Module) -> bool:
    if layer._forward_hooks or layer._forward_pre_hooks:
        return False
    return type(layer) in (nn.Linear, nn.Flatten, *_KEEP_SIZE)
