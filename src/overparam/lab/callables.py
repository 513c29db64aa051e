"""What is behind a callable: the function or class whose code runs."""

from __future__ import annotations

import functools
from types import FunctionType, MethodType
from typing import Any


def code_behind(thing: Any) -> Any:
    """Return the function that a callable is made of; of an object, its class.

    >>> code_behind(functools.partial(code_behind, None)) is code_behind
    True
    """
    while True:
        thing = bare(thing)
        if isinstance(thing, functools.partial):
            thing = thing.func
        elif isinstance(thing, MethodType):
            thing = thing.__func__
        else:
            return thing if isinstance(thing, FunctionType | type) else type(thing)


def bare(thing: Any) -> Any:
    """Return the function behind what wraps it without holding anything else."""
    while True:
        if isinstance(thing, staticmethod | classmethod | functools._lru_cache_wrapper):
            thing = thing.__wrapped__
        elif isinstance(thing, property):
            thing = thing.fget
        else:
            return thing
