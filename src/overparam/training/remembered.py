"""`Remembered`: all that an object holds, to be put back after somebody's code has run."""

from __future__ import annotations

import enum
import functools
import random
import weakref
from collections import deque
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overparam.models.trial import is_proxy
from overparam.training.describe import slots_of

_ATOMS = (
    bool, int, float, complex, str, bytes, type(None), type, ModuleType, BuiltinFunctionType,
    enum.Enum, np.generic, torch.dtype, torch.device, torch.layout, torch.memory_format,
    type(Ellipsis), type(NotImplemented), range, slice,
)  # fmt: skip


class Remembered:
    """The contents of everything that can be reached from a thing, when it was made.

    Args:
        apart_from: what was remembered there is not remembered here.

    Attributes:
        complete: whether all of it can be put back; of a file or an iterator nobody knows.
    """

    def __init__(self, thing: object, apart_from: Remembered | None = None) -> None:
        self.complete = True
        self._back: list[Callable[[], None]] = []
        self._seen: set[int] = set() if apart_from is None else set(apart_from._seen)
        pending: list[Any] = [thing]
        while pending:
            held = pending.pop()
            if is_proxy(held):
                held = _behind(held)
            if isinstance(held, _ATOMS) or id(held) in self._seen:
                continue
            self._seen.add(id(held))
            pending += self._look(held)

    def put_back(self) -> None:
        """Restore the contents."""
        for back in self._back:
            back()

    def _look(self, held: Any) -> list[Any]:
        """Remember what one object holds, and return that."""
        inside: list[Any] = []
        if isinstance(held, Tensor):
            self._tensor(held)
        elif isinstance(held, dict):
            inside += self._contents(held, dict(held), held.update).values()
        elif isinstance(held, list | deque):
            inside += self._contents(held, list(held), held.extend)
        elif isinstance(held, set):
            inside += self._contents(held, set(held), held.update)
        elif isinstance(held, tuple | frozenset):
            inside += held
        elif isinstance(held, np.ndarray):
            self._array(held)
        elif isinstance(held, FunctionType):
            inside += self._function(held)
        elif isinstance(held, MethodType):
            inside += [held.__self__, held.__func__]
        elif isinstance(held, functools.partial):
            inside += [held.func, held.args, held.keywords]
        elif isinstance(held, weakref.ref):
            inside.append(held())
        elif isinstance(held, random.Random | np.random.Generator | torch.Generator):
            self._generator(held)
        elif hasattr(held, "__wrapped__"):
            inside.append(held.__wrapped__)
        elif not hasattr(held, "__dict__") and not slots_of(type(held)):
            self.complete = False
        if isinstance(getattr(held, "__dict__", None), dict):
            inside.append(vars(held))
        return inside + self._slots(held)

    def _contents(self, held: Any, kept: Any, fill: Callable[[Any], None]) -> Any:
        def back() -> None:
            held.clear()
            fill(kept)

        self._back.append(back)
        return kept

    def _tensor(self, held: Tensor) -> None:
        if held.layout != torch.strided:
            self.complete = False
            return
        gradient, trained = held.grad if held.is_leaf else None, held.requires_grad
        values = None if held.is_meta else held.detach().clone()
        data = held.data

        def back() -> None:
            if values is not None and not torch.equal(data, values):
                data.copy_(values)
            if held.data_ptr() != data.data_ptr():
                held.data = data
            if held.is_leaf and held.requires_grad != trained:
                held.requires_grad_(trained)
            if held.is_leaf and held.grad is not gradient:
                held.grad = gradient

        self._back.append(back)

    def _array(self, held: np.ndarray) -> None:
        kept = held.copy()
        self._back.append(lambda: held.__setitem__(..., kept) if held.flags.writeable else None)

    def _function(self, held: FunctionType) -> list[Any]:
        inside = [held.__defaults__, held.__kwdefaults__]
        for cell in held.__closure__ or ():
            try:
                kept = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            self._back.append(functools.partial(setattr, cell, "cell_contents", kept))
            inside.append(kept)
        return inside

    def _generator(self, held: Any) -> None:
        if isinstance(held, random.Random):
            self._back.append(functools.partial(held.setstate, held.getstate()))
        elif isinstance(held, torch.Generator):
            drawn = held.get_state()
            self._back.append(lambda: (held.set_state(drawn), None)[1])
        else:
            bits, state = held.bit_generator, held.bit_generator.state
            self._back.append(functools.partial(setattr, bits, "state", state))

    def _slots(self, held: Any) -> list[Any]:
        names = [n for n in slots_of(type(held)) if hasattr(held, n)]
        kept = [getattr(held, n) for n in names]
        for name, value in zip(names, kept, strict=True):
            self._back.append(functools.partial(object.__setattr__, held, name, value))
        return kept


def _behind(proxy: Any) -> Any:
    """Return the attributes of what a weak proxy stands for; None where that is no more."""
    try:
        return getattr(proxy, "__dict__", None)
    except ReferenceError:
        return None
