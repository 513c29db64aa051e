"""`plain_copy`: the copy of a module that holds nothing but tensors, parts and plain values.

`copy.deepcopy` and what has to be mended after it (see `copies.py`) take milliseconds, mostly to
find out that a layer's thirty attributes are empty dictionaries. Nearly every module is this plain.
"""

from __future__ import annotations

import copyreg
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

_VALUES = (
    bool, int, float, complex, str, bytes, type(None), type, torch.dtype, torch.device,
    torch.memory_format, torch.layout,
)  # fmt: skip
_CONTAINERS = (dict, OrderedDict, list, set)


class _NotPlain(Exception):
    """It holds what only `copy_module` can copy."""


def plain_copy(module: nn.Module) -> nn.Module | None:
    """Return a copy that shares nothing with the module, or None where it holds more than this.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    >>> plain_copy(net)
    Sequential(
      (0): Linear(in_features=2, out_features=2, bias=True)
      (1): ReLU()
    )
    >>> net.register_forward_hook(print) and plain_copy(net)
    """
    copying = _Copying()
    try:
        copied = copying.part(module)
    except _NotPlain:
        return None
    # A module that tells of other parts than it holds, or of none, is left to PyTorch.
    return copied if copying.n_parts == len(list(module.modules())) else None


class _Copying:
    def __init__(self) -> None:
        self._made: dict[int, Any] = {}  # by the identity of the original, as deepcopy's memo
        self._storages: set[int] = set()
        self.n_parts = 0

    def part(self, module: nn.Module) -> nn.Module:
        if id(module) in self._made:
            return self._made[id(module)]
        kind = type(module)
        if not _is_copied_by_attributes(kind):
            raise _NotPlain
        made = self._made[id(module)] = kind.__new__(kind)
        self.n_parts += 1
        held = vars(made)
        for name, value in vars(module).items():
            held[name] = self._parts(value) if name == "_modules" else self._value(value)
        return made

    def _parts(self, parts: Any) -> Any:
        if type(parts) not in (dict, OrderedDict):
            raise _NotPlain
        pairs = ((k, None if p is None else self.part(p)) for k, p in parts.items())
        return type(parts)(pairs)

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _VALUES:
            return value
        if id(value) in self._made:
            return self._made[id(value)]
        if kind in (tuple, torch.Size) and all(type(v) in _VALUES for v in value):
            return value
        if kind in (nn.Parameter, Tensor):
            self._made[id(value)] = self._tensor(value)
            return self._made[id(value)]
        if kind not in _CONTAINERS:
            raise _NotPlain
        made: Any = kind()
        self._made[id(value)] = made  # first, as it may hold itself
        if kind is list:
            made.extend(map(self._value, value))
        elif not all(type(key) in _VALUES for key in value):
            raise _NotPlain
        elif kind is set:
            made.update(value)
        else:
            made.update((k, self._value(v)) for k, v in value.items())
        return made

    def _tensor(self, tensor: Tensor) -> Tensor:
        hooks = tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None)
        if hooks or vars(tensor) or tensor.layout != torch.strided or tensor.grad_fn is not None:
            raise _NotPlain
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(tensor.detach().clone(), tensor.requires_grad)
        if tensor.requires_grad or not self._owns_its_memory(tensor):
            raise _NotPlain
        return tensor.clone()

    def _owns_its_memory(self, tensor: Tensor) -> bool:
        """Whether all of its storage is one tensor's, in order: else copies share it alike."""
        if not tensor.is_contiguous() or tensor.is_conj() or tensor.is_neg():
            return False
        if tensor.is_meta:
            return True
        storage = tensor.untyped_storage()
        first = storage.data_ptr() not in self._storages
        self._storages.add(storage.data_ptr() if storage.nbytes() else -len(self._storages) - 1)
        return first and storage.nbytes() == tensor.numel() * tensor.element_size()


def _is_copied_by_attributes(kind: type) -> bool:
    """Whether copies of instances are made of what their attributes are, and by nothing else."""
    usual = (
        issubclass(kind, nn.Module)
        and kind.__new__ is object.__new__
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and getattr(kind, "__getstate__", None) is getattr(nn.Module, "__getstate__", None)
    )
    own = any(hasattr(kind, n) for n in ("__deepcopy__", "__getnewargs__", "__getnewargs_ex__"))
    slots = any("__slots__" in vars(base) for base in kind.__mro__[:-1])
    if not usual or own or slots or kind in copyreg.dispatch_table:
        return False
    restore: Any = kind.__setstate__  # type: ignore[attr-defined]
    return restore.__module__.startswith("torch.nn.modules.")  # fills in what is absent
