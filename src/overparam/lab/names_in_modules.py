"""What names lead to in modules, and what of it is the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from overparam.lab.value_walk import is_cache, is_generator
from overparam.models.own_imports import is_own

# What IPython keeps in `__main__` for whoever types there.
_TYPED = frozenset(("In", "Out", "exit", "quit", "get_ipython", "open"))


def of_modules(modules: list[ModuleType], names: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield what names lead to in modules, and in the modules to which they lead there."""
    waiting, seen = list(modules), set[str]()
    while waiting:
        module = waiting.pop()
        if module.__name__ in seen:
            continue
        seen.add(module.__name__)
        whole = is_own(module.__name__, getattr(module, "__file__", None))
        for name, held in settings_in(vars(module), names):
            if isinstance(held, ModuleType):
                waiting.append(held)
            # Of a library, what the user put there: a function in place of its own.
            elif whole or _is_put(held, name, module):
                yield f"{name} of {module.__name__}", held


def all_of_modules(modules: list[ModuleType], names: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield all that modules of the user's hold, and what names lead to in the modules there.

    A generator from which a module made its data is none that code reads by a name unsaid.
    """
    waiting, seen = list(modules), set[str]()
    while waiting:
        module = waiting.pop()
        if module.__name__ in seen or not _is_users(module):
            continue
        seen.add(module.__name__)
        for name, held in settings_in(vars(module), _readable(module)):
            if not isinstance(held, ModuleType):
                if not is_generator(held):
                    yield f"{name} of {module.__name__}", held
            elif held.__name__.startswith(f"{module.__name__}."):
                waiting.append(held)
            else:
                yield from of_modules([held], names)


def settings_in(held: Mapping[str, Any], names: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield those of some names that are there, but for caches and what is Python's own."""
    for name in names & set(held):
        if not (name.startswith("__") or is_cache(name, held[name])):
            yield name, held[name]


def _is_put(thing: Any, name: str, module: ModuleType) -> bool:
    """Whether what a library has under a name may have been put there by the user."""
    is_code = isinstance(thing, FunctionType | BuiltinFunctionType | type)
    called = _name_of(thing)
    # Compiled callables, such as `np.tanh`, have second names that no study was ever told.
    if called not in (None, name) and (is_code or not _has_elsewhere(module, name, thing)):
        return True
    kind = thing if is_code else type(thing)
    return kind.__module__ in sys.modules and is_own_module(kind.__module__)


def _name_of(thing: Any) -> str | None:
    name = None
    with suppress(Exception):  # it may do as it likes when it is asked
        name = thing.__name__ if callable(thing) else None
    return name if isinstance(name, str) else None


def _has_elsewhere(module: ModuleType, name: str, thing: Any) -> bool:
    """Whether another module of a library has the same under the name.

    So it is with a second name that the library itself gives, such as `np.abs` for `np.absolute`.
    """
    library = module.__name__.partition(".")[0]
    return any(
        vars(other).get(name) is thing
        for whole, other in list(sys.modules.items())
        if isinstance(other, ModuleType)
        and other is not module
        and whole.partition(".")[0] == library
    )


def _is_users(module: ModuleType) -> bool:
    is_running = module.__name__ == "__main__"  # of a notebook there is no file
    return is_running or is_own(module.__name__, getattr(module, "__file__", None))


def _readable(module: ModuleType) -> set[str]:
    names = set(vars(module))
    if is_in_no_file(module.__name__):
        return {name for name in names - _TYPED if not name.startswith("_")}
    return names


def is_own_module(module: str) -> bool:
    """Whether a module is in no file, or in one of the user's."""
    if is_in_no_file(module):
        return True
    return is_own(module, getattr(sys.modules.get(module), "__file__", None))


def is_in_no_file(module: str) -> bool:
    """Whether code is of a notebook, of the running script, or of a module that nobody can find."""
    if module in sys.builtin_module_names or _origin(module) in ("frozen", "built-in"):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return module == "__main__" or file is None


def _origin(module: str) -> str | None:
    return getattr(getattr(sys.modules.get(module), "__spec__", None), "origin", None)
