"""A trial pass: what a network makes of inputs, found on a copy that costs nothing.

The copy lies on PyTorch's meta device, which knows shapes and no values, wherever the network can
run there, and on the CPU otherwise. The network itself, the caller's random numbers and what its
hooks write to are left as they were.
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
import types
import warnings
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from overparam.errors import UsageError

SHAPELESS = (UninitializedParameter, UninitializedBuffer)  # what lazy layers hold before use
_MOST_ON_CPU = 1 << 27  # numbers in weights, and in inputs, that are copied for a trial
_IMAGE_SIDES = (8, 28, 32, 64, 96, 224)


@dataclass(frozen=True)
class Trial:
    """What a trial pass found.

    Attributes:
        module: the copy, with lazy layers filled in; only shapes where it ran on meta.
        outputs: what it returned, or None where it failed. n_inputs: rows that it was given.
        error: why it failed, or None.
    """

    module: nn.Module
    outputs: Any
    n_inputs: int
    error: BaseException | None = None


def trial_pass(
    module: nn.Module,
    input_shape: tuple[int, ...],
    *,
    dtype: torch.dtype | None = None,
    training: bool = False,
    n_inputs: int = 2,
    devices: tuple[str, ...] = ("meta", "cpu"),
) -> Trial:
    """Run a copy of the module on `n_inputs` zeros of a shape, in evaluation mode.

    Args:
        dtype: of the inputs; where not given, the weights' own, and whole numbers if that fails.
        training: in training mode instead.
    """
    module = getattr(module, "_orig_mod", module)  # a compiled module would compile its trial
    dtypes = [_floating_dtype(module), torch.int64] if dtype is None else [dtype]
    failed: Trial | None = None
    for device in devices:
        if device == "cpu" and _n_numbers(module, n_inputs, input_shape) > _MOST_ON_CPU:
            continue
        for kind in dtypes:
            found = _run(copy_on(module, device), n_inputs, input_shape, kind, device, training)
            if found.error is None:
                return found
            # What the CPU says is what the user would see; whole numbers are a second guess.
            if failed is None or (device == "cpu" and kind == dtypes[0]):
                failed = found
    assert failed is not None  # the meta device is always tried
    return failed


def likely_input_shapes(module: nn.Module) -> list[tuple[int, ...]]:
    """Return shapes that a chain of layers may take: those of its first layer with weights.

    A chain is a layer, or an `nn.Sequential` of chains and other modules. Empty for anything else:
    the order in which a module registers its parts says nothing about its input.
    """
    first: nn.Module = nn.Identity()
    waiting = [module]
    while waiting:
        part = waiting.pop()
        if getattr(type(part), "forward", None) is nn.Sequential.forward:
            waiting += reversed([p for p in part._modules.values() if p is not None])
        elif _has_weights(part):
            first = part
            break
    n_features, n_channels = (getattr(first, n, None) for n in ("in_features", "in_channels"))
    if isinstance(n_features, int) and n_features > 0:
        return [(n_features,)]
    dimensions = len(getattr(first, "kernel_size", ()))
    if isinstance(n_channels, int) and n_channels > 0 and dimensions:
        return [(n_channels, *(side,) * dimensions) for side in _IMAGE_SIDES]
    return []


def is_lazy(module: nn.Module) -> bool:
    """Whether some parameters or buffers have no shape before the first forward pass."""
    return any(
        isinstance(tensor, SHAPELESS)
        for _, part in walk(module)
        for tensor in (*part._parameters.values(), *part._buffers.values())
    )


def is_script(part: nn.Module) -> bool:
    """Whether it is compiled to TorchScript, so that its attributes lie outside of Python."""
    return isinstance(part, torch.jit.ScriptModule)


def is_proxy(thing: object) -> bool:
    """Whether it is a weak proxy, which claims the type of what is behind it, or raises if dead."""
    return type(thing) in weakref.ProxyTypes


def walk(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield path and part of every module, the root first and each part once.

    As `named_modules`, which a subclass may override, and which ends in the depths of long chains.

    Raises:
        UsageError: a weak proxy of a module stands among the parts of another.
    """
    seen: set[int] = set()
    waiting = [("", module)]
    while waiting:
        path, part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield path, part
        for name, child in reversed(list(part._modules.items())):
            own = f"{path}.{name}" if path else name
            if is_proxy(child):
                raise UsageError(
                    f"a weak proxy of a module is registered as the part {own!r}, so that PyTorch "
                    "itself ends in a circle or cannot tell the parts apart",
                    got=type(part).__name__,
                    remedy=f"hide it from PyTorch in a tuple: self.{name} = (weakref.proxy(it),)",
                )
            if child is not None:
                waiting.append((own, child))


def copy_on(module: nn.Module, device: str) -> nn.Module:
    """Return a copy of the module on a device; on meta it has the shapes and no values.

    Parts that cannot be copied, such as locks and open files, are shared with the original.
    """
    memo: dict[int, Any] = {}
    parts = [part for _, part in walk(module)]
    for part in parts:
        memo[id(part)] = copy.deepcopy(part) if is_script(part) else object.__new__(type(part))
        memo.update((id(r), memo[id(part)]) for r in weakref.getweakrefs(part) if is_proxy(r))
        for value in (*part._parameters.values(), *part._buffers.values(), *vars(part).values()):
            if not is_proxy(value) and isinstance(value, Tensor) and id(value) not in memo:
                memo[id(value)] = _stand_in(value, device)
    for part in parts:
        if not is_script(part):
            attributes = {name: _copied(value, memo) for name, value in vars(part).items()}
            memo[id(part)].__dict__.update(attributes)
    return memo[id(module)]


def _run(
    module: nn.Module,
    n_inputs: int,
    input_shape: tuple[int, ...],
    dtype: torch.dtype,
    device: str,
    training: bool,
) -> Trial:
    for _, part in walk(module):
        part.training = training
    try:
        with _apart(), torch.device(device), torch.set_grad_enabled(training):
            outputs = module(torch.zeros(n_inputs, *input_shape, dtype=dtype))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's forward pass may raise anything
        return Trial(module, None, n_inputs, error)
    return Trial(module, outputs, n_inputs)


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Keep what a forward pass draws, prints and warns of from everything outside the block."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with (
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, dict):  # also parts, parameters, buffers and hooks
        copied = {key: _copied(entry, memo) for key, entry in value.items()}
        return copied if type(value) is dict else type(value)(copied)
    try:
        if isinstance(value, types.FunctionType):
            return _copied_function(value, memo)
        return copy.deepcopy(value, memo)
    except Exception:  # a lock, a file, an object of the user's
        return value


def _copied_function(function: types.FunctionType, memo: dict[int, Any]) -> types.FunctionType:
    """Return the function over copies of what it may change, such as a list that a hook fills."""
    written = {
        name: _copied(value, memo)
        for name in function.__code__.co_names
        if isinstance(value := function.__globals__.get(name), list | dict | set)
    }
    made = types.FunctionType(
        function.__code__,
        {**function.__globals__, **written},
        function.__name__,
        _copied(function.__defaults__, memo),
        tuple(types.CellType(_copied(c.cell_contents, memo)) for c in function.__closure__ or ()),
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _stand_in(tensor: Tensor, device: str) -> Any:
    try:
        if isinstance(tensor, UninitializedParameter):
            return UninitializedParameter(  # type: ignore[call-arg]
                requires_grad=tensor.requires_grad, device=device, dtype=tensor.dtype
            )
        if isinstance(tensor, UninitializedBuffer):
            return UninitializedBuffer(  # type: ignore[call-arg]
                requires_grad=tensor.requires_grad, device=device, dtype=tensor.dtype
            )
        values = tensor.detach()
        if device == "meta" or tensor.is_meta:
            values = torch.zeros_like(values, device=device)
        else:
            values = values.to(device, copy=True)
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(values, tensor.requires_grad)
        return values.requires_grad_(tensor.requires_grad and tensor.is_leaf)
    except Exception:  # a tensor of a kind of its own
        return tensor


def _has_weights(module: nn.Module) -> bool:
    return any(part._parameters or hasattr(part, "in_features") for _, part in walk(module))


def _tensors(module: nn.Module) -> list[Tensor]:
    tensors = {
        id(t): t
        for _, part in walk(module)
        for t in (*part._parameters.values(), *part._buffers.values())
        if t is not None and not isinstance(t, SHAPELESS)
    }
    return list(tensors.values())


def _floating_dtype(module: nn.Module) -> torch.dtype:
    kinds = [t.dtype for t in _tensors(module) if t.is_floating_point()]
    return kinds[0] if kinds else torch.float32


def _n_numbers(module: nn.Module, n_inputs: int, input_shape: tuple[int, ...]) -> int:
    return max(sum(t.numel() for t in _tensors(module)), n_inputs * prod(input_shape))
