"""`why_not_plain`: whether a module is no more than the layers it is made of.

The fast paths read a network's structure and compute it in their own way. That is right only for
what is written in the structure; every one of them asks here first. What is not plain runs as the
module that it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from overparam.training.memory import overlaps

_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip
_GLOBAL_HOOKS = tuple(f"_global{name}" for name in _HOOKS)
_KINDS = (torch.float32, torch.float64)


def why_not_plain(module: nn.Module) -> str | None:
    """Return what a module has besides its layers, or None.

    >>> from torch import nn
    >>> layer = nn.Linear(2, 2)
    >>> why_not_plain(nn.Sequential(layer, nn.ReLU()))
    >>> why_not_plain(nn.Sequential(layer, layer))
    '1 is the same object as 0'
    """
    return next(_reasons(module), None)


def why_not_plain_layer(layer: nn.Module) -> str | None:
    """Return what one layer has besides itself, its sublayers not looked at, or None."""
    return next(_of_layer(layer), None)


def named_parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield all submodules with their names, one that is there twice twice (cycles cut)."""
    yield from _parts(module, prefix, ())


def repeated(module: nn.Module) -> dict[int, str]:
    """Return the identities of submodules that stand in more than one place, with the second."""
    first: dict[int, str] = {}
    again: dict[int, str] = {}
    for name, part in named_parts(module):
        if id(part) in first:
            again.setdefault(id(part), f"{name} is the same object as {first[id(part)]}")
        first.setdefault(id(part), name)
    return again


def has_global_hooks() -> bool:
    """Whether hooks for all modules are registered in this process."""
    return any(getattr(nn.modules.module, name, None) for name in _GLOBAL_HOOKS)


def _reasons(module: nn.Module) -> Iterator[str]:
    if has_global_hooks():
        yield "hooks for all modules are registered"
    yield from repeated(module).values()
    for name, part in named_parts(module):
        for reason in _of_layer(part):
            yield f"{name or 'the model'} {reason}"
        if part.training != module.training:
            yield f"{name} is in another mode than the whole"
    yield from _of_tensors(module)


def _of_layer(layer: nn.Module) -> Iterator[str]:
    for name in _HOOKS:
        if getattr(layer, name, None):
            yield "has hooks"
    kind = type(layer)
    for name, value in vars(layer).items():
        if callable(value) and hasattr(kind, name):
            yield f"has a {name} of its own"
    if kind.__call__ is not nn.Module.__call__:
        yield "is called in its own way"
    torchs = kind.__module__.startswith("torch.nn.modules")
    if torchs and not getattr(kind.forward, "__module__", "").startswith("torch.nn.modules"):
        yield "has a forward that is not PyTorch's"
    if hasattr(layer, "parametrizations"):
        yield "is parametrized"
    for name, value in vars(layer).items():
        if isinstance(value, Tensor) and name in ("weight", "bias"):
            yield f"computes its {name}"
    for name, parameter in layer._parameters.items():
        if parameter is not None:
            for reason in _of_parameter(parameter):
                yield f"has a {name} that {reason}"
    for name, buffer in layer._buffers.items():
        if buffer is not None and (type(buffer) is not Tensor or buffer.requires_grad):
            yield f"has a buffer {name} of its own kind"
        elif buffer is not None and (buffer.is_complex() or buffer.layout != torch.strided):
            yield f"has a buffer {name} that is not real"


def _of_parameter(parameter: Tensor) -> Iterator[str]:
    if type(parameter) is not nn.Parameter:
        yield f"is of the type {type(parameter).__name__}"
        return
    if not parameter.requires_grad:
        yield "is frozen"
    if parameter.dtype not in _KINDS:
        yield f"is {parameter.dtype}"
    if parameter.layout != torch.strided or not parameter.is_contiguous():
        yield "is not contiguous"
    if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
        yield "has hooks"


def _of_tensors(module: nn.Module) -> Iterator[str]:
    owners: dict[int, str] = {}
    tensors = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    for name, tensor in tensors:
        if id(tensor) in owners:
            yield f"{name} is {owners[id(tensor)]}"
        owners[id(tensor)] = name
    for one, other in overlaps(tensors):
        yield f"{tensors[one][0]} and {tensors[other][0]} share memory"


def _parts(
    module: nn.Module, prefix: str, above: tuple[int, ...]
) -> Iterator[tuple[str, nn.Module]]:
    yield prefix, module
    for name, child in module._modules.items():
        if child is not None and id(child) not in (*above, id(module)):
            path = f"{prefix}.{name}" if prefix else name
            yield from _parts(child, path, (*above, id(module)))
