"""Copies of modules that compute what the module computes; reading and writing their tensors.

`copy.deepcopy` alone is not enough: it refuses tensors with a history (which `weight_norm`, pruning
and modules that remember their last output hold), leaves behind what is attached to a parameter or
stands in a slot, and shares functions and weak references (see `rebinding.py`).
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Collection, Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from overparam.errors import UsageError
from overparam.models.trial import is_proxy
from overparam.training.describe import slots_of
from overparam.training.marks import Marks
from overparam.training.plain_copies import plain_copy
from overparam.training.rebinding import Rebinding

HALVES = (torch.float16, torch.bfloat16)


def copy_module(module: nn.Module) -> nn.Module:
    """Return a copy that shares no tensor with the module, hooks and all.

    What its functions and hooks keep between calls (a count in a closure, a list in which they
    gather) is the copy's own too, so that running the copy leaves no trace. Only global variables,
    and what cannot be copied in a closure, such as a log, are everybody's.

    Raises:
        UsageError: it holds something that cannot be copied.
    """
    plain = plain_copy(module)
    if plain is not None:
        return plain
    memo: dict[Any, Any] = {}
    for _, held in _held(module):
        if is_proxy(held) or isinstance(held, weakref.WeakMethod):  # unknown to deepcopy
            memo[id(held)] = held
        elif isinstance(held, Tensor) and held.grad_fn is not None:
            memo[id(held)] = held.detach().clone()
    for thing in (*module.modules(), *(tensor for _, tensor in named_tensors(module))):
        memo.update((id(r), r) for r in weakref.getweakrefs(thing) if is_proxy(r))
    try:
        _start_slotted(module, memo)
        copied = copy.deepcopy(module, memo)
        _keep_attributes(module, memo)
    except Exception as error:
        raise UsageError(
            f"the model cannot be copied: {type(error).__name__}: {first_line(error)}",
            got=type(module).__name__,
            remedy="let it hold nothing but layers, tensors and plain values (no locks, files or "
            "generators), or define __deepcopy__",
        ) from error
    mend = Rebinding(memo)
    for (holder, key), held in list(_held(copied, mend.made)):
        made = mend.of(held)
        if made is not held:
            if isinstance(holder, tuple):
                continue  # it is made anew as a whole
            if isinstance(holder, dict | list):
                holder[key] = made
            else:
                object.__setattr__(holder, key, made)
    for _, parameter in module.named_parameters():  # whose hooks deepcopy leaves behind
        for hook in (parameter._backward_hooks or {}).values():
            memo[id(parameter)].register_hook(mend.of(hook))
        for hook in (getattr(parameter, "_post_accumulate_grad_hooks", None) or {}).values():
            memo[id(parameter)].register_post_accumulate_grad_hook(mend.of(hook))
    return copied


def with_memory(module: nn.Module) -> nn.Module:
    """Give a module on the meta device memory on the CPU, values unset, and return it.

    The parameters are new objects; what their owner attached to the old ones goes along.
    """
    attached = [(name, vars(p)) for name, p in module.named_parameters(remove_duplicate=False)]
    marks = Marks.of(module)
    fresh = marks.put(module._apply(_unset))  # which alone parts tensors that were one
    parameters = dict(fresh.named_parameters(remove_duplicate=False))
    for name, values in attached:
        vars(parameters[name]).update(values)
    return fresh._apply(lambda tensor: tensor)  # recurrent layers look up their weights anew


def _unset(tensor: Tensor) -> Tensor:
    # `empty_like` between devices is decomposed, and imports for that take a second.
    if tensor.is_contiguous():
        return torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
    return torch.empty_like(tensor, device="cpu")


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


def _held(module: nn.Module, copies: Collection[int] = ()) -> Iterator[tuple[tuple[Any, Any], Any]]:
    """Yield ((holder, key), what) for all that modules hold in attributes, dictionaries and lists.

    Objects among `copies`, by identity, are looked into as well.
    """
    pending: list[Any] = list(module.modules())
    seen: set[int] = set()
    while pending:
        holder = pending.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for place, key, value in list(_places(holder)):
            if is_proxy(value):
                yield (place, key), value
                continue
            looked_into = isinstance(value, dict | list | tuple) or id(value) in copies
            if looked_into and type(value) not in (FunctionType, MethodType):
                pending.append(value)
            if not isinstance(value, dict | list):
                yield (place, key), value


def _places(holder: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield (place, key, value) of one object; the value is set by `place[key]` or as attribute."""
    if isinstance(holder, dict):
        yield from ((holder, key, value) for key, value in holder.items())
    elif isinstance(holder, list | tuple):
        yield from ((holder, i, value) for i, value in enumerate(holder))
    for key, value in getattr(holder, "__dict__", {}).items():
        yield vars(holder), key, value
    for name in slots_of(type(holder)):
        if hasattr(holder, name):
            yield holder, name, getattr(holder, name)


def _start_slotted(module: nn.Module, memo: dict[Any, Any]) -> None:
    """Copy modules with slots, which PyTorch's `__setstate__` does not know."""
    slotted = [
        part
        for part in module.modules()
        if slots_of(type(part)) and not hasattr(type(part), "__deepcopy__")
    ]
    for part in slotted:
        memo[id(part)] = type(part).__new__(type(part))
        memo.setdefault(id(memo), []).append(part)  # as deepcopy does with what it has copied
    for part in slotted:
        made = memo[id(part)]
        vars(made).update(copy.deepcopy(vars(part), memo))
        for name in slots_of(type(part)):
            if hasattr(part, name):
                object.__setattr__(made, name, copy.deepcopy(getattr(part, name), memo))


def _keep_attributes(module: nn.Module, memo: dict[Any, Any]) -> None:
    """Give the copies of tensors what their owner attached to them, which PyTorch leaves behind."""
    for _, held in list(_held(module)):
        if not is_proxy(held) and isinstance(held, Tensor) and id(held) in memo:
            made = vars(memo[id(held)])
            for name, value in vars(held).items():
                if name not in made:
                    made[name] = copy.deepcopy(value, memo)
