"""Looking into an estimator: its settings, what fitting left in it, and whether it was fitted."""

from __future__ import annotations

import datetime
import enum
import pathlib
import random
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

Found = tuple[str, Any]  # a label ("" where there is none), and what was found under it

_DEEPEST = 8  # containers and objects within each other that are looked through
_PLAIN: tuple[type, ...] = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    range,
    slice,
    type,
    np.generic,
    np.dtype,
)
_PLAIN += (FunctionType, MethodType, BuiltinFunctionType, ModuleType, enum.Enum, pathlib.Path)
_PLAIN += (random.Random, np.random.Generator, np.random.RandomState, datetime.date)
# Objects of these have numbers where a walk finds them, or none that matter, such as losses.
_FAMILIAR = ("numpy", "scipy", "pandas", "sklearn", "torch")


def fitted_attributes(estimator: Any) -> dict[str, Any]:
    """Return the attributes of an estimator that are none of its settings."""
    chosen = settings_of(estimator)
    return {name: value for name, value in _attributes(estimator).items() if name not in chosen}


def settings_of(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator's constructor, or nothing where it does not tell."""
    try:
        return dict(estimator.get_params(deep=False))
    except Exception:  # a constructor or property of the user's
        return {}


def is_estimator(thing: Any) -> bool:
    """Whether it can be fitted and has settings, and is no class."""
    kind = type(thing)
    return not isinstance(thing, type | nn.Module) and all(
        callable(getattr(kind, name, None)) for name in ("fit", "get_params")
    )


def is_numbers(thing: Any) -> bool:
    """Whether it is an array, a tensor, or a sparse matrix."""
    return isinstance(thing, np.ndarray | Tensor) or (
        hasattr(type(thing), "nnz") and hasattr(type(thing), "toarray")
    )


def is_opaque(thing: Any) -> bool:
    """Whether it is an object that says nothing about what it holds."""
    return not (is_estimator(thing) or is_numbers(thing) or isinstance(thing, nn.Module))


def look_into(value: Any, label: str = "", depth: int = _DEEPEST) -> Iterator[Found]:
    """Yield the estimators, networks and arrays in a value, its containers and its objects.

    And objects in which nothing can be found: libraries that compute outside of Python keep what
    they have learned there.
    """
    if value is None or isinstance(value, _PLAIN):
        return
    is_whole = is_numbers(value) and not _holds_objects(value)
    if not depth or is_whole or is_estimator(value) or isinstance(value, nn.Module):
        yield label, value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from look_into(entry, label or (key if isinstance(key, str) else ""), depth - 1)
    elif isinstance(value, list | tuple | set | frozenset | np.ndarray):
        entries = list(value.ravel() if isinstance(value, np.ndarray) else value)
        if isinstance(value, tuple) and entries and isinstance(entries[0], str):
            label = label or entries[0]  # ("name", estimator, …), as compositions write it
        for entry in entries:
            yield from look_into(entry, label, depth - 1)
    else:
        yield from _look_into_object(value, label, depth)


def is_fitted(estimator: Any) -> bool:
    """Return whether it has been fitted: whether it has what it had not when it was made.

    By scikit-learn's convention what `fit` finds ends in an underscore; attributes that `__init__`
    already sets, to None or to numbers, tell nothing.
    """
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except Exception:  # not fitted, or an estimator that scikit-learn cannot ask
        return _says_fitted(estimator)
    kind = type(estimator)
    if hasattr(kind, "__sklearn_is_fitted__"):
        return True
    found = {n: v for n, v in _attributes(estimator).items() if n.endswith("_") and n[:2] != "__"}
    if not found:  # nothing to learn; or it can predict before it is fitted, from a prior
        return not hasattr(kind, "predict")
    if kind.__module__.startswith("sklearn."):
        return True
    before = _as_made(estimator)
    return any(
        value is not None and not (name in before and _is_same(before[name], value))
        for name, value in found.items()
    )


def _look_into_object(value: Any, label: str, depth: int) -> Iterator[Found]:
    found_any = False
    for entry in _attributes(value).values():
        for found in look_into(entry, label, depth - 1):
            found_any = True
            yield found
    if not found_any and not type(value).__module__.startswith(_FAMILIAR):
        yield label, value


def _holds_objects(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "O"


def _attributes(thing: Any) -> dict[str, Any]:
    found = getattr(thing, "__dict__", {})
    return dict(found) if isinstance(found, dict) else {}


def _says_fitted(estimator: Any) -> bool:
    own = getattr(type(estimator), "is_fitted", None)  # CatBoost has such a method
    try:
        return callable(own) and own(estimator) is True
    except Exception:
        return False


def _as_made(estimator: Any) -> dict[str, Any]:
    """Return the attributes that a new estimator with the same settings has."""
    from sklearn.base import clone

    try:
        return _attributes(clone(estimator))
    except Exception:  # a constructor of the user's
        return {}


def _is_same(a: Any, b: Any) -> bool:
    try:
        return a is b or (type(a) is type(b) and bool(np.all(np.asarray(a) == np.asarray(b))))
    except Exception:  # whatever the user keeps there
        return False
