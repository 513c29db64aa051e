"""`held`: layers and trainable tensors in a value, whatever containers and objects hold them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

from overparam.models.trial import is_proxy, walk

_MOST_OBJECTS = 10_000  # that are looked into; some hold a whole program


def held(value: Any, depth: int = 4, seen: set[int] | None = None) -> Iterator[nn.Module | Tensor]:
    """Yield layers with parameters and trainable tensors in a value and in what it holds.

    Args:
        depth: of containers, functions and objects within each other. seen: identities of what is
            looked into already.
    """
    seen = set() if seen is None else seen
    if is_proxy(value) or id(value) in seen or len(seen) > _MOST_OBJECTS:
        return  # it owns nothing; or was looked into
    seen.add(id(value))
    if isinstance(value, nn.Module):
        if any(part._parameters for _, part in walk(value)):
            yield value
    elif isinstance(value, Tensor):
        if isinstance(value, nn.Parameter) or (value.requires_grad and value.is_leaf):
            yield value
    elif depth:
        for entry in _held_by(value):
            yield from held(entry, depth - 1, seen)


def _held_by(value: Any) -> list[Any]:
    """Return what a container, a function or a plain object holds."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset | deque):
        return list(value)
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, FunctionType):
        found = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # not bound yet
                found.append(cell.cell_contents)
        return found
    if isinstance(value, type | ModuleType):  # everybody's, and no part of the network
        return []
    with suppress(Exception):  # an object of the user's own that cannot be looked into
        return list(object.__getattribute__(value, "__dict__").values())
    return []
