"""`Rebinding`: functions and references of a copied object lead to the copy.

`copy.deepcopy` shares functions and weak references, so that a hook written as
``lambda m, i, o: net.scale * o``, or a child that knows its parent, would go on reading the
original, and a count that a function keeps in its closure would be one for all copies.
"""

from __future__ import annotations

import copy
import functools
import sys
import weakref
from collections.abc import Collection
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

_CACHED = type(functools.lru_cache(lambda: None))


class Rebinding:
    """Puts copies in the originals' places in what `copy.deepcopy` shares.

    Args:
        memo: of the copying: what stands for the object of an identity. It is added to.
    """

    def __init__(self, memo: dict[Any, Any]) -> None:
        self._memo = memo
        self._cells: dict[int, CellType] = {}
        self._alive: list[Any] = []  # so that no identity in the memo is used twice

    def copies(self) -> Collection[int]:
        """Return the identities of the objects that were made in copying."""
        return {id(made) for key, made in self._memo.items() if key != id(self._memo)}

    def of(self, held: Any, isolated: bool) -> Any:
        """Return what leads to the copy: a new object, or the same where nothing is to change.

        Args:
            isolated: whether containers and objects that do not lead to the original are copied
                too; else a list in which a hook gathers outputs is still the owner's.
        """
        kind = type(held)
        if isinstance(held, weakref.ref):
            return self._reference(held)
        if id(held) in self._memo:
            return self._memo[id(held)]
        if kind is FunctionType:
            return self._function(held, isolated)
        if kind is MethodType:
            owner = self.of(held.__self__, False)
            return held if owner is held.__self__ else MethodType(held.__func__, owner)
        if kind is functools.partial:
            parts = [self.of(p, isolated) for p in (held.func, held.args, held.keywords)]
            return functools.partial(parts[0], *parts[1], **parts[2])
        if kind is _CACHED:
            function = self.of(held.__wrapped__, isolated)
            if function is held.__wrapped__:
                return held
            return self._keep(held, functools.lru_cache(**held.cache_parameters())(function))
        if kind is tuple:
            made = tuple(self.of(v, isolated) for v in held)
            return held if _same(made, held) else made
        return held

    def _within(self, held: Any, isolated: bool) -> Any:
        """Return the same of something that a function holds."""
        kind = type(held)
        if id(held) in self._memo:
            return self._memo[id(held)]
        if kind in (list, set):
            made = [self._within(v, isolated) for v in held]
            changed = isolated or not _same(made, held)
            return self._keep(held, kind(made)) if changed else held
        if kind is tuple:
            parts = tuple(self._within(v, isolated) for v in held)
            return held if _same(parts, held) else parts
        if kind is dict:
            pairs = {k: self._within(v, isolated) for k, v in held.items()}
            changed = isolated or any(pairs[k] is not held[k] for k in held)
            return self._keep(held, pairs) if changed else held
        made = self.of(held, isolated)
        if made is not held or not isolated or isinstance(held, ModuleType | type):
            return made
        if callable(held) and not isinstance(held, nn.Module):
            return held
        try:
            return copy.deepcopy(held, self._memo)
        except Exception:  # it cannot be copied, and is shared
            return held

    def _reference(self, held: weakref.ref) -> Any:
        if isinstance(held, weakref.WeakMethod):
            method = held()
            owner = None if method is None else self._memo.get(id(method.__self__))
            if method is None or owner is None:
                return held
            return weakref.WeakMethod(MethodType(method.__func__, owner))
        target = held()
        made = None if target is None else self._memo.get(id(target))
        return held if made is None else weakref.ref(made)

    def _function(self, function: FunctionType, isolated: bool) -> Any:
        read = {
            name: self._memo[id(held)]
            for name in function.__code__.co_names
            if isinstance(held := function.__globals__.get(name), nn.Module | Tensor)
            and id(held) in self._memo
        }
        closure = () if _is_of_its_module(function) else function.__closure__ or ()
        self._memo[id(function)] = function  # where its defaults hold it
        defaults = self._within(function.__defaults__, isolated)
        named = self._within(function.__kwdefaults__, isolated)
        if not read and not closure and defaults is function.__defaults__ and not named:
            return function
        # A cell is a variable, and may be set: every copy has its own, the functions that share it
        # share the new one. It is filled when the function is known that it may hold.
        new = [cell for cell in closure if id(cell) not in self._cells]
        for cell in new:
            self._cells[id(cell)] = CellType()
        rebound = FunctionType(
            function.__code__,
            {**function.__globals__, **read} if read else function.__globals__,
            function.__name__,
            defaults,
            tuple(self._cells[id(c)] for c in closure) or function.__closure__,
        )
        self._keep(function, rebound)
        rebound.__kwdefaults__ = named
        rebound.__qualname__, rebound.__module__ = function.__qualname__, function.__module__
        rebound.__dict__.update(self._within(dict(function.__dict__), isolated))
        for cell in new:
            try:
                held = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            self._cells[id(cell)].cell_contents = self._within(held, isolated)
        return rebound

    def _keep(self, held: Any, made: Any) -> Any:
        self._memo[id(held)] = made
        self._memo[id(made)] = made  # met again on the way, it is what is wanted
        self._alive += [held, made]
        return made


def _same(made: Any, held: Any) -> bool:
    return all(a is b for a, b in zip(made, held, strict=True))


def _is_of_its_module(function: FunctionType) -> bool:
    """Whether it stands in its Python module under its name, so that all share it by intent."""
    module = sys.modules.get(function.__module__)
    return getattr(module, function.__name__, None) is function
