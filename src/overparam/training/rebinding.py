"""`Rebinding`: functions and references of a copied object lead to the copy.

`copy.deepcopy` shares functions and weak references, so that a hook written as
``lambda m, i, o: net.scale * o``, or a child that knows its parent, would go on reading the
original, and what a function keeps between calls, in its closure or its defaults, would be one for
all copies. Global variables alone are everybody's.
"""

from __future__ import annotations

import copy
import functools
import io
import sys
import weakref
from collections import deque
from collections.abc import Iterator
from types import BuiltinMethodType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

from overparam.errors import UsageError
from overparam.models.trial import is_proxy

_CACHED = type(functools.lru_cache(lambda: None))


class Rebinding:
    """Puts copies in the originals' places in what `copy.deepcopy` shares.

    Args:
        memo: of the copying: what stands for the object of an identity. It is added to.

    Attributes:
        made: identities of the objects that were made in copying.
    """

    def __init__(self, memo: dict[Any, Any]) -> None:
        self._memo = memo
        self.made = {id(made) for key, made in memo.items() if key != id(memo)}
        self._cells: dict[int, CellType] = {}
        self._alive: list[Any] = []  # so that no identity in the memo is used twice

    def of(self, held: Any) -> Any:
        """Return what the copy holds in this place: a new object, or the same where it may be.

        Raises:
            UsageError: an iterator that nobody can copy, so that each copy would go on with it
                where another has stopped.
        """
        if is_proxy(held):
            return self._proxy(held)
        kind = type(held)
        if isinstance(held, weakref.ref):
            return self._reference(held)
        if id(held) in self._memo:
            return self._memo[id(held)]
        if kind is tuple:
            made = tuple(self.of(v) for v in held)
            return held if _same(made, held) else made
        if kind is functools.partial:
            function, arguments, named = map(self.of, (held.func, held.args, held.keywords))
            return functools.partial(function, *arguments, **named)
        if id(held) in self.made or isinstance(held, ModuleType | type):
            return held
        if kind is FunctionType:
            return self._function(held)
        if kind is MethodType:
            owner = self.of(held.__self__)
            return held if owner is held.__self__ else MethodType(held.__func__, owner)
        if kind is BuiltinMethodType and isinstance(held.__self__, list | dict | set | deque):
            return getattr(self.of(held.__self__), held.__name__)
        if kind is _CACHED:
            function = self.of(held.__wrapped__)
            if function is held.__wrapped__:
                return held
            return self._keep(held, functools.lru_cache(**held.cache_parameters())(function))
        if kind in (list, set, dict):
            return self._container(held)
        return self._object(held)

    def _container(self, held: Any) -> Any:
        made = self._keep(held, type(held)())  # first, as it may hold itself
        if isinstance(held, dict):
            made.update((self.of(k), self.of(v)) for k, v in held.items())
        elif isinstance(held, set):
            made.update(map(self.of, held))
        else:
            made.extend(map(self.of, held))
        return made

    def _object(self, held: Any) -> Any:
        try:
            made = copy.deepcopy(held, self._memo)
        except Exception as error:
            if isinstance(held, Iterator) and not isinstance(held, io.IOBase):
                raise UsageError(
                    "a function of the model holds an iterator that cannot be copied",
                    got=type(held).__name__,
                    remedy="keep a list and a position in it, as attributes of the module",
                ) from error
            return held  # a lock, or a log: it is shared
        self.made.add(id(made))
        return made

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

    def _proxy(self, held: Any) -> Any:
        """Return a proxy of the copy of what is behind this one, which cannot be asked for it."""
        for original in self._memo[id(self._memo)]:  # where deepcopy keeps what it has copied
            if any(proxy is held for proxy in weakref.getweakrefs(original)):
                return weakref.proxy(self._memo[id(original)])
        return held

    def _function(self, function: FunctionType) -> Any:
        read = {
            name: self._memo[id(held)]
            for name in function.__code__.co_names
            if isinstance(held := function.__globals__.get(name), nn.Module | Tensor)
            and id(held) in self._memo
        }
        closure = () if _is_of_its_module(function) else function.__closure__ or ()
        self._memo[id(function)] = function  # where its defaults hold it
        defaults = self.of(function.__defaults__)
        named = {name: self.of(held) for name, held in (function.__kwdefaults__ or {}).items()}
        as_it_was = defaults is function.__defaults__ and _same(
            named.values(), (function.__kwdefaults__ or {}).values()
        )
        if not read and not closure and as_it_was:
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
        rebound.__kwdefaults__ = named or None
        rebound.__qualname__, rebound.__module__ = function.__qualname__, function.__module__
        rebound.__dict__.update(self.of(dict(function.__dict__)))
        for cell in new:
            try:
                held = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            self._cells[id(cell)].cell_contents = self.of(held)
        return rebound

    def _keep(self, held: Any, made: Any) -> Any:
        self._memo[id(held)] = made
        self.made.add(id(made))
        self._alive += [held, made]
        return made


def _same(made: Any, held: Any) -> bool:
    return all(a is b for a, b in zip(made, held, strict=True))


def _is_of_its_module(function: FunctionType) -> bool:
    """Whether it stands in its Python module under its name, so that all share it by intent."""
    module = sys.modules.get(function.__module__)
    return getattr(module, function.__name__, None) is function
