"""Copies of modules that compute what the module computes; reading and writing their tensors.

`copy.deepcopy` alone is not enough: it refuses tensors with a history (which `weight_norm`, pruning
and modules that remember their last output hold), and it shares functions, so that a hook written
as ``lambda m, i, o: net.scale * o`` would go on reading the original.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from overparam.errors import UsageError

HALVES = (torch.float16, torch.bfloat16)


def copy_module(module: nn.Module, *, isolated: bool = False) -> nn.Module:
    """Return a copy that shares no tensor with the module, hooks and all.

    Args:
        isolated: also copy what the module's functions hold on to, where that can be copied, so
            that running the copy leaves no trace (a hook that counts its calls).

    Raises:
        UsageError: it holds something that cannot be copied.
    """
    memo: dict[int, Any] = {}
    for _, held in _held(module):
        if isinstance(held, Tensor) and held.grad_fn is not None:
            memo[id(held)] = held.detach().clone()
    try:
        copied = copy.deepcopy(module, memo)
    except Exception as error:
        raise UsageError(
            f"the model cannot be copied: {type(error).__name__}: {first_line(error)}",
            got=type(module).__name__,
            remedy="let it hold nothing but layers, tensors and plain values (no locks, files or "
            "generators), or define __deepcopy__",
        ) from error
    for place, held in list(_held(copied)):
        if type(held) is FunctionType:
            holder, key = place
            holder[key] = _rebound(held, memo, isolated)
    for _, parameter in module.named_parameters():  # whose hooks deepcopy leaves behind
        for hook in (parameter._backward_hooks or {}).values():
            memo[id(parameter)].register_hook(_rebound(hook, memo, isolated))
        for hook in (getattr(parameter, "_post_accumulate_grad_hooks", None) or {}).values():
            hook = _rebound(hook, memo, isolated)
            memo[id(parameter)].register_post_accumulate_grad_hook(hook)
    return copied


def cast(
    module: nn.Module, dtype: torch.dtype, device: torch.device | str | None = None
) -> nn.Module:
    """Move the module and give its numbers a precision; complex stays complex, whole numbers whole.

    The module itself is changed and returned.

    Raises:
        UsageError: it does not let its parameters be converted.
    """

    def convert(tensor: Tensor) -> Tensor:
        return tensor.to(device, precision_of(tensor.dtype, dtype))

    try:
        return module._apply(convert)
    except (AssertionError, AttributeError, TypeError, NotImplementedError) as error:
        raise UsageError(
            f"the model's parameters cannot be converted: {first_line(error)}",
            got=type(module).__name__,
            remedy="give a module of Python's, not one compiled by TorchScript or quantized",
        ) from error


def precision_of(dtype: torch.dtype, wanted: torch.dtype) -> torch.dtype:
    """Return `dtype` in the precision of the floating `wanted`.

    >>> precision_of(torch.complex64, torch.float64), precision_of(torch.int64, torch.float64)
    (torch.complex128, torch.int64)
    """
    if dtype.is_complex:
        return torch.complex128 if wanted == torch.float64 else torch.complex64
    return wanted if dtype.is_floating_point else dtype


def named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield every parameter and buffer under each of its names, the persistent and the others."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all parameters and buffers, on the CPU; what is one tensor stays one."""
    copies: dict[int, Tensor] = {}
    state = {}
    for name, tensor in named_tensors(module):
        if id(tensor) not in copies:
            copies[id(tensor)] = tensor.detach().clone().cpu()
        state[name] = copies[id(tensor)]
    return state


def put_state(module: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Give a module copies of these parameters and buffers, in their dtypes; return it."""
    copies: dict[int, Tensor] = {}
    for name, value in state.items():
        path, _, leaf = name.rpartition(".")
        owner = module.get_submodule(path)
        copied = copies.setdefault(id(value), value.detach().clone())
        parameter = owner._parameters.get(leaf)
        if parameter is None:
            owner._buffers[leaf] = copied
        else:
            parameter.data = copied
    return module._apply(lambda tensor: tensor)  # recurrent layers look up their weights anew


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, at most 200 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _held(module: nn.Module) -> Iterator[tuple[tuple[Any, Any], Any]]:
    """Yield (where, what) for all that modules hold in attributes, dictionaries and lists."""
    pending: list[Any] = [part.__dict__ for part in module.modules()]
    seen: set[int] = set()
    while pending:
        holder = pending.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        pairs = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in list(pairs):
            if isinstance(value, dict | list):
                pending.append(value)
            elif type(value) is tuple:
                pending.append(list(value))  # its functions stay, its tensors are found
            else:
                yield (holder, key), value


def _rebound(held: Any, memo: dict[int, Any], isolated: bool) -> Any:
    """Return what a function holds, or the function itself, with the copy in the original's place.

    What does not lead to the original stays the same object, so that a list in which a hook
    gathers outputs is still the owner's.
    """

    def new(value: Any) -> Any:
        return _rebound(value, memo, isolated)

    kind = type(held)
    if id(held) in memo:
        return memo[id(held)]
    if kind in (list, tuple, set):
        made = [new(v) for v in held]
        changed = any(a is not b for a, b in zip(made, held, strict=True))
        return kind(made) if changed or (isolated and kind is not tuple) else held
    if kind is dict:
        pairs = {k: new(v) for k, v in held.items()}
        return pairs if isolated or any(pairs[k] is not held[k] for k in held) else held
    if kind is MethodType:
        owner = new(held.__self__)
        return held if owner is held.__self__ else MethodType(held.__func__, owner)
    if kind is functools.partial:
        parts = new(held.func), new(held.args), new(held.keywords)
        return functools.partial(parts[0], *parts[1], **parts[2])
    if kind is FunctionType:
        return _rebound_function(held, new, memo)
    if isolated and not callable(held) and not isinstance(held, ModuleType | Tensor):
        try:
            return copy.deepcopy(held, memo)
        except Exception:  # it cannot be copied, and is shared
            return held
    return held


def _rebound_function(
    function: FunctionType, new: Callable[[Any], Any], memo: dict[int, Any]
) -> FunctionType:
    memo[id(function)] = function  # where it holds itself
    cells = []
    for cell in function.__closure__ or ():
        try:
            held = cell.cell_contents
        except ValueError:  # not bound yet
            cells.append(cell)
            continue
        made = new(held)
        cells.append(cell if made is held else CellType(made))
    defaults, named = new(function.__defaults__), new(function.__kwdefaults__)
    read = {
        name: memo[id(held)]
        for name in function.__code__.co_names
        if isinstance(held := function.__globals__.get(name), nn.Module | Tensor)
        and id(held) in memo
    }
    same = all(a is b for a, b in zip(cells, function.__closure__ or (), strict=True))
    if same and not read and defaults is function.__defaults__ and not named:
        return function
    rebound = FunctionType(
        function.__code__,
        {**function.__globals__, **read} if read else function.__globals__,
        function.__name__,
        defaults,
        tuple(cells) or None,
    )
    rebound.__kwdefaults__ = named
    rebound.__dict__.update(function.__dict__)
    memo[id(function)] = rebound
    return rebound
