"""Answers of proofs that hold for a kind of module, kept in this process.

Most proofs are about one module and its numbers: code of a user's own may look at a number and go
another way. In a module of PyTorch's own layers and this package's, nothing looks at a number: what
is computed, and whether shapes fit, is decided by the layers and what they hold. There one model
proves it for all of its kind.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from types import FunctionType
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional as F

from overparam.training.copies import named_tensors
from overparam.training.describe import Undescribable, describe
from overparam.training.plain import why_not_plain

T = TypeVar("T")

_KNOWN = ("torch.nn.modules.", "overparam.models.")  # whose layers do not look at numbers
_MOST_KEPT = 128  # a study of many widths has fewer


class Answers:
    """Answers by key; the oldest go when there are many."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, object] = OrderedDict()

    def once(
        self, key: Hashable | None, prove: Callable[[], T], holds: Callable[[T], bool] | None = None
    ) -> T:
        """Return the answer under the key, or what `prove` says; what it raises is not kept.

        Args:
            key: None of what is proved anew each time.
            holds: whether an answer is good for all of this key; by default each is.
        """
        if key is not None and key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]  # type: ignore[return-value]
        found = prove()
        if key is not None and (holds is None or holds(found)):
            self._kept[key] = found
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def kind_of(module: nn.Module) -> Hashable | None:
    """Return all that decides what a module computes but the numbers in its tensors.

    None unless it is no more than layers of PyTorch's own and this package's. What somebody may
    have put in the place of their methods, or of PyTorch's functions, is in the key as well.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    >>> kind_of(net) == kind_of(nn.Sequential(nn.Linear(2, 2), nn.ReLU())), kind_of(net) is None
    (True, False)
    """
    if torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack():
        return None  # somebody's mode sees every operation
    parts = list(module.modules())
    kinds = list(dict.fromkeys(map(type, parts)))
    if not all(map(_is_known, kinds)) or why_not_plain(module) is not None:
        return None
    tensors = [t for _, t in named_tensors(module)]
    try:
        described = describe(module, {id(t) for t in tensors})
    except Undescribable:
        return None
    devices = frozenset(t.device for t in tensors)
    return (described, devices, _switches(), *map(methods_of, kinds), methods_of(F))


def _switches() -> Hashable:
    """Return how PyTorch is set to compute in this process."""
    return (
        torch.is_autocast_enabled("cpu"),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled,
        torch.get_default_dtype(),
    )


def _is_known(kind: type) -> bool:
    home = sys.modules.get(kind.__module__)
    if not kind.__module__.startswith(_KNOWN) or getattr(home, kind.__qualname__, None) is not kind:
        return False
    bases = {base.__module__ for base in kind.__mro__[:-1]}
    return all(base.startswith(_KNOWN) for base in bases)


def methods_of(owner: object) -> tuple[FunctionType, ...]:
    """Return the functions that stand in a class and its bases, or in a Python module."""
    places = owner.__mro__ if isinstance(owner, type) else (owner,)
    return tuple(f for p in places for f in vars(p).values() if isinstance(f, FunctionType))
