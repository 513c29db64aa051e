"""What code of a notebook reaches there: functions, classes and values, each by a digest.

A notebook has no file whose text could be hashed, and of the text of a running script not all may
matter. So functions are known by their own texts, and what they name beside them is followed:
other functions and classes by their texts, numbers, texts, containers, arrays, tables and networks
by what they hold.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

from overparam.data.dataset import Dataset, digest_of
from overparam.data.examples import Examples
from overparam.data.rows import is_sparse, is_table, pieces
from overparam.training.describe import Code, Undescribable, describe, describe_settings

_UNKNOWN = "cannot be told"  # of a value that nobody can follow; it never changes


def digests_reached(parts: Sequence[Any]) -> dict[str, str]:
    """Return functions and classes of notebooks, and what they reach there, with digests.

    Args:
        parts: functions, classes, or objects that are called; those of imported files are not
            followed.
    """
    found: dict[str, str] = {}
    waiting = [(_name(part), part) for part in parts]
    seen: set[int] = set()
    while waiting:
        name, thing = waiting.pop()
        thing = _bare(thing)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if not isinstance(thing, FunctionType | type):
            found[name] = _digest_of_value(thing)
            waiting.append((_name(type(thing)), type(thing)))
        elif _is_of_a_notebook(thing):
            found[_name(thing)] = _digest_of_code(thing)
            waiting += _reached(thing)
    return found


def _bare(thing: Any) -> Any:
    """Return the function behind a method, a cache or what `functools.wraps` knows."""
    while True:
        if isinstance(thing, MethodType | staticmethod | classmethod):
            thing = thing.__func__
        elif not isinstance(thing, type) and callable(getattr(thing, "__wrapped__", None)):
            thing = thing.__wrapped__
        else:
            return thing


def _is_of_a_notebook(thing: Any) -> bool:
    if isinstance(thing, type) and thing.__module__ in sys.builtin_module_names:
        return False
    return (
        thing.__module__ == "__main__"
        or getattr(sys.modules.get(thing.__module__), "__file__", None) is None
    )


def _reached(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function or class names in its notebook, holds, or is made of."""
    if isinstance(thing, type):
        for name, held in vars(thing).items():
            bare = held.fget if isinstance(held, property) else _bare(held)
            if isinstance(bare, FunctionType):
                if bare.__module__ == thing.__module__:  # else made for it, as by `dataclass`
                    yield name, bare
            elif name == "__annotations__" or not name.startswith("__"):
                yield f"{name} in {_name(thing)}", bare
        yield from ((_name(base), base) for base in thing.__bases__)
        return
    names = [n for n in _names_in(thing.__code__) if n in thing.__globals__]
    held = {n: thing.__globals__[n] for n in names}
    for variable, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
        try:
            held[f"{variable} in {thing.__qualname__}"] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    for name, value in held.items():
        if not isinstance(value, ModuleType):
            yield f"{name} of {thing.__module__}", value


def _names_in(code: CodeType) -> list[str]:
    inner = [n for c in code.co_consts if isinstance(c, CodeType) for n in _names_in(c)]
    return [*code.co_names, *inner]


def _name(thing: Any) -> str:
    # An object that is called has no name of its own.
    name = getattr(thing, "__qualname__", f"the {type(thing).__qualname__}")
    return f"{name} of {thing.__module__}"


def _digest_of_code(part: Any) -> str:
    try:
        text = inspect.getsource(part)
    except (OSError, TypeError):
        text = repr(Code(part.__code__)) if isinstance(part, FunctionType) else part.__qualname__
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of_value(value: Any) -> str:
    try:
        return hashlib.sha256(_bytes_of(value)).hexdigest()
    except (Undescribable, RecursionError):
        return _UNKNOWN


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, Dataset | Examples):
        return value.fingerprint.encode()
    is_array = isinstance(value, np.ndarray) and not value.dtype.hasobject
    if is_array or is_table(value) or is_sparse(value):
        digest = hashlib.sha256()
        for piece in pieces(value):
            digest.update(piece)
        return digest.digest()
    if isinstance(value, Tensor) and not value.is_meta:
        return digest_of(value).encode()
    if isinstance(value, nn.Module):
        tensors = [t for t in value.state_dict().values() if not t.is_meta]
        return digest_of(*tensors, more=repr(describe_settings(value))).encode()
    return repr(describe(value)).encode()
