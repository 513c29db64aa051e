"""Outcomes whose arrays are read when they are looked at, field by field.

A summary of a thousand records reads a few numbers of each; their weights and images, megabytes
each, stay on the disk until somebody asks for that field. What is returned is an instance of the
phenomenon's own outcome: equal, replaceable and picklable like one that was made by its class.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from overparam.lab.encoding import ArrayAt

_PENDING = "_overparam_pending"  # in an instance: field to (value with `ArrayAt`s, how to read one)


@functools.cache
def fields_of(kind: type) -> tuple[dataclasses.Field, ...]:
    """Return the fields of a dataclass; found once, since every record asks for them."""
    return dataclasses.fields(kind)


def outcome_of(kind: type, values: dict[str, Any], read: Callable[[ArrayAt], Any]) -> Any:
    """Return a `kind` with these values, of which those that hold an `ArrayAt` are read later.

    Where no field waits, the class itself makes the instance. Otherwise its `__init__` is not
    called: the values went through it when the outcome was made.

    Args:
        values: every field of the dataclass. read: returns the array of an `ArrayAt`.
    """
    waiting = {name: value for name, value in values.items() if holds_array(value)}
    if not waiting:
        return made_by_class(kind, values)
    lazy = _lazy(kind)
    made: Any = object.__new__(lazy)
    made.__dict__.update({k: v for k, v in values.items() if k not in waiting})
    made.__dict__[_PENDING] = (waiting, read)
    return made


def made_by_class(kind: type, values: dict[str, Any]) -> Any:
    """Return a dataclass with these values, but for fields that its `__init__` sets itself."""
    return kind(**{f.name: values[f.name] for f in fields_of(kind) if f.init})


def stored_value(outcome: Any, name: str) -> Any:
    """Return a field of an outcome; an array that was not read yet is an `ArrayAt`."""
    known = getattr(outcome, "__dict__", {})
    waiting, _ = known.get(_PENDING, ({}, None))
    if name in waiting and name not in known:
        return waiting[name]
    return getattr(outcome, name)


def read_once(outcome: Any, name: str) -> Any:
    """Return a field of an outcome; an array that was not read yet is read, and not kept.

    For what goes through many outcomes and needs one field of each only once.
    """
    known = getattr(outcome, "__dict__", {})
    waiting, read = known.get(_PENDING, ({}, None))
    if name in waiting and name not in known:
        return with_arrays(waiting[name], read)
    return getattr(outcome, name)


def read_all(outcome: Any) -> None:
    """Read every array of an outcome that was not read yet; None has none."""
    for name in getattr(outcome, "__dict__", {}).get(_PENDING, ({}, None))[0]:
        getattr(outcome, name)


def holds_array(value: Any) -> bool:
    """Whether a decoded value is an `ArrayAt`, or a container of one."""
    if isinstance(value, dict):
        return any(map(holds_array, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_array, value))
    return isinstance(value, ArrayAt)


def with_arrays(value: Any, read: Callable[[ArrayAt], Any]) -> Any:
    """Return a decoded value with each `ArrayAt` replaced by what `read` makes of it."""
    if isinstance(value, ArrayAt):
        return read(value)
    if isinstance(value, dict):
        return {key: with_arrays(item, read) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(with_arrays(item, read) for item in value)
    return value


@functools.cache
def _lazy(kind: type) -> type:
    """Return a subclass of an outcome that passes for it, its fields read on first access.

    A cached property is looked up in the instance first, so a field that was read, or never had
    to wait, costs nothing; and it stands before a default that the class may have for the field.
    """

    def field(name: str) -> functools.cached_property:
        def read_field(self: Any) -> Any:
            waiting, read = self.__dict__[_PENDING]
            return with_arrays(waiting[name], read)

        made = functools.cached_property(read_field)
        made.__set_name__(kind, name)
        return made

    def as_class_makes_it(self: Any) -> tuple:
        names = [f.name for f in dataclasses.fields(kind)]
        return _restored, (kind, {name: getattr(self, name) for name in names})

    members = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        "__class__": property(lambda self: kind),  # dataclasses compare only their own class
        "__reduce_ex__": lambda self, protocol: as_class_makes_it(self),
    }
    return type(
        kind.__name__, (kind,), members | {f.name: field(f.name) for f in dataclasses.fields(kind)}
    )


def _restored(kind: type, values: dict[str, Any]) -> Any:
    made: Any = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made
