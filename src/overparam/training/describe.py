"""`describe`: everything that decides what an object computes, as a value to compare.

Two modules that share a stack are executed with the code and the settings of one of them, so
what tells them apart must be in the key, whatever it is. The description is complete by
construction: it follows everything an object holds, and where it meets something it does not
know, there is none (`Undescribable`), and nothing is shared.

Code is compared by what it is made of, classes and globals by identity: two functions of equal
code that read the same globals compute the same. The `repr` of a description is the same in
every process, so that it can name a choice that is kept on the machine.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Hashable
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_VALUES = frozenset((bool, int, str, bytes, type(None), type(Ellipsis), type(NotImplemented)))
_TEXTS = frozenset((float, complex, torch.dtype, torch.device, torch.layout, torch.memory_format))
_SEQUENCES = frozenset((list, tuple, deque, torch.Size))
_MAPPINGS = frozenset((dict, OrderedDict, defaultdict))
MEASURED = (
    "is measured"  # in the metadata of a field that decides nothing, as the time that it took
)
_OF_PYTHON = 1 << 9  # flag of classes that Python code made


class Undescribable(Exception):
    """Something whose part in a computation is not known."""


class Same:
    """Equal to itself alone; its `repr` is a text without an address."""

    def __init__(self, thing: object, text: str) -> None:
        self._thing, self._text = thing, text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other._thing is self._thing

    def __hash__(self) -> int:
        return id(self._thing)

    def __repr__(self) -> str:
        return self._text


class Code:
    """A code object, equal to one of equal content."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and other._code == self._code

    def __hash__(self) -> int:
        return hash(self._code)

    def __repr__(self) -> str:
        return hashlib.sha256(_code_text(self._code).encode()).hexdigest()[:16]


def describe(
    thing: object, stacked: Collection[int] = (), widths: Collection[str] = ()
) -> Hashable:
    """Return all that decides what `thing` computes.

    Args:
        stacked: identities of tensors that each model of a stack has its own of: described by
            type and shape. Other tensors are described by their values.
        widths: attributes of modules that may differ, and with them the stacked tensors' shapes.

    Raises:
        Undescribable: it holds what cannot be followed, such as a generator or a file.

    >>> describe([1, 2.0]) == describe([1, 2.0]), describe([1, 2.0]) == describe([1.0, 2])
    (True, False)
    """
    return Walk(set(stacked), frozenset(widths)).describe(thing)


def describe_settings(module: nn.Module) -> Hashable | None:
    """Return everything of a module but its parameters, buffers and mode; None where not known."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    try:
        return describe(module, {id(t) for _, t in tensors}, {"training"})
    except Undescribable:
        return None


def same_object(thing: object) -> Same:
    """Return a key that nothing else shares."""
    return Same(thing, f"this {type(thing).__module__}.{type(thing).__qualname__}")


class Walk:
    """Describes one object; what it meets again is told as such."""

    def __init__(self, stacked: set[int], widths: frozenset[str]) -> None:
        self.stacked, self.widths = stacked, widths
        self.seen: dict[int, int] = {}
        self.alive: list[object] = []  # so that no identity is used twice

    def describe(self, thing: Any) -> Hashable:
        """Return all that decides what `thing` computes, as far as it was not met before."""
        kind = type(thing)
        if kind in _VALUES:
            return (kind.__name__, thing)
        if kind in _TEXTS:
            return (kind.__name__, repr(thing))
        if kind not in _MAPPINGS and kind not in _SEQUENCES:
            if isinstance(thing, np.generic):
                return ("number", str(thing.dtype), thing.tobytes())
            if isinstance(thing, enum.Enum):
                return ("enum", _class(kind), thing.name)
            if isinstance(thing, type):
                return ("class", _class(thing))
            if isinstance(thing, ModuleType):
                return ("module", Same(thing, thing.__name__))
        if id(thing) in self.seen:
            return self._again(thing)
        self.seen[id(thing)] = len(self.seen)
        self.alive.append(thing)
        return self._object(kind, thing)

    def _again(self, thing: object) -> Hashable:
        return ("again", self.seen[id(thing)])

    def _object(self, kind: type, thing: Any) -> Hashable:
        if kind in _MAPPINGS:
            extra = self.describe(getattr(thing, "default_factory", None))
            pairs = [(self.describe(k), self.describe(v)) for k, v in thing.items()]
            return (kind.__name__, extra, *pairs)
        if isinstance(thing, Tensor):
            return self._tensor(thing)
        if isinstance(thing, nn.Module):
            return self._module(thing)
        if kind in _SEQUENCES:
            return (kind.__name__, *map(self.describe, thing))
        if kind in (set, frozenset):
            # Sorted, because a set of texts has another order, and `repr`, in every process. So
            # no item is told as one that was met again in another.
            before, items = self.seen, []
            for item in thing:
                self.seen = dict(before)
                items.append(self.describe(item))
            self.seen = before
            return (kind.__name__, *sorted(items, key=repr))
        if kind is np.ndarray and not thing.dtype.hasobject:
            return ("array", str(thing.dtype), thing.shape, _digest(thing.tobytes()))
        if kind is FunctionType:
            return self._function(thing)
        if kind is MethodType:
            return ("method", self.describe(thing.__func__), self.describe(thing.__self__))
        if kind is functools.partial:
            return ("partial", *map(self.describe, (thing.func, thing.args, thing.keywords)))
        if kind is BuiltinFunctionType:
            owner = thing.__self__
            known = owner is None or isinstance(owner, ModuleType | type)
            return (
                "builtin",
                Same(thing, thing.__qualname__) if known else thing.__name__,
                None if known else self.describe(owner),
            )
        return self._instance(kind, thing)

    def _tensor(self, tensor: Tensor) -> Hashable:
        if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout != torch.strided:
            raise Undescribable(f"a tensor of the type {type(tensor).__name__}")
        shape = len(tensor.shape) if self.widths else tuple(tensor.shape)
        about = (type(tensor).__name__, str(tensor.dtype), tensor.requires_grad)
        if id(tensor) in self.stacked:
            return ("stacked", *about, shape)
        if tensor.requires_grad or tensor.is_meta:
            raise Undescribable("a tensor with a gradient that is no parameter")
        values = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        return ("tensor", *about, tuple(tensor.shape), str(tensor.device), _digest(values))

    def _module(self, module: nn.Module) -> Hashable:
        held = {k: v for k, v in attributes_of(module).items() if k not in self.widths}
        return ("layer", _class(type(module)), *self._attributes(held))

    def _function(self, function: FunctionType) -> Hashable:
        try:
            closure = [self.describe(c.cell_contents) for c in function.__closure__ or ()]
        except ValueError:
            raise Undescribable("a function that is not complete") from None
        return (
            "function",
            Code(function.__code__),
            Same(function.__globals__, str(function.__module__)),
            self.describe(function.__defaults__),
            self.describe(function.__kwdefaults__),
            *closure,
            *self._attributes(function.__dict__),
        )

    def _instance(self, kind: type, thing: object) -> Hashable:
        """Describe an instance of a class written in Python by its attributes and slots."""
        bases = kind.__mro__[:-1]
        is_pythons = all(b.__module__ != "builtins" and b.__flags__ & _OF_PYTHON for b in bases)
        is_told = hasattr(thing, "__dict__") or "__slots__" in vars(kind)
        if not (is_pythons and is_told):
            raise Undescribable(f"an object of the type {kind.__qualname__}")
        return ("object", _class(kind), *self._attributes(self._held_by(thing)))

    def _held_by(self, thing: object) -> dict[str, Any]:
        return attributes_of(thing)

    def _attributes(self, held: dict[str, Any]) -> list[Hashable]:
        return [(name, self.describe(value)) for name, value in sorted(held.items())]


def attributes_of(thing: object) -> dict[str, Any]:
    """Return what an object holds, by name and in slots, but for what was only measured of it."""
    slots = [name for name in slots_of(type(thing)) if hasattr(thing, name)]
    held = {name: getattr(thing, name) for name in slots} | getattr(thing, "__dict__", {})
    kind = type(thing)
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    measured = [field.name for field in fields if MEASURED in field.metadata]
    return {name: value for name, value in held.items() if name not in measured}


def slots_of(kind: type) -> list[str]:
    """Return the names of the slots that classes written in Python give their instances."""
    found = []
    for base in kind.__mro__:
        named = base.__dict__.get("__slots__", ())
        for name in (named,) if isinstance(named, str) else named:
            if name.startswith("__") and not name.endswith("__"):
                found.append(f"_{base.__name__.lstrip('_')}{name}")
            elif not name.startswith("__"):
                found.append(name)
    return found


def _class(kind: type) -> Same:
    return Same(kind, f"{kind.__module__}.{kind.__qualname__}")


def _digest(values: bytes) -> str:
    return hashlib.sha256(values).hexdigest()[:24]


def _code_text(code: CodeType) -> str:
    constants = [
        _code_text(c)
        if isinstance(c, CodeType)
        else repr(sorted(map(repr, c)) if isinstance(c, frozenset) else c)
        for c in code.co_consts
    ]
    return repr((code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars))
