"""Layers and trainable tensors that a module holds where PyTorch does not register them."""

from __future__ import annotations

from typing import Any

from torch import nn

from overparam.models.held import held
from overparam.models.trial import is_script

_OF_TORCH = set(vars(nn.Module()))


def unregistered(parts: list[tuple[str, nn.Module]]) -> list[str]:
    """Say where trainable numbers lie that PyTorch does not see: lists, objects, functions."""
    registered = {id(part) for _, part in parts}
    registered |= {id(p) for _, part in parts for p in part._parameters.values()}
    hidden = [
        f"{path}.{name}" if path else name
        for path, part in parts
        for name, value in own_attributes(part)
        for found in held(value)
        if id(found) not in registered
    ]
    if not hidden:
        return []
    names = list(dict.fromkeys(hidden))
    return [
        f"{', '.join(names[:3])} hold(s) layers or parameters that are not registered, so that no "
        "optimizer sees them; use nn.ModuleList, nn.ParameterList or nn.Parameter"
    ]


def own_attributes(part: nn.Module) -> list[tuple[str, Any]]:
    """Return what a module holds beside its parameters, buffers, parts and hooks, by name."""
    if is_script(part):  # it keeps itself a second time
        return []
    return [(name, value) for name, value in list(vars(part).items()) if name not in _OF_TORCH]
