"""The walk over what a value holds, which describes it such that equal values are told the same.

Functions and classes in it are collected; what cannot be told is named and passed over.
"""

from __future__ import annotations

import copyreg
import enum
import hashlib
import os
import random
import sys
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable
from pathlib import PurePath
from types import FunctionType, MappingProxyType, MemberDescriptorType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data.dataset import Dataset, digest_of
from overparam.data.examples import Examples
from overparam.data.rows import is_sparse, is_table, pieces
from overparam.lab.callables import bare
from overparam.lab.digests import GENERATOR
from overparam.lab.library_values import (
    column_contents,
    compiled_contents,
    compiled_text,
    fields_with_gaps,
    is_fitted,
    is_of_library,
    lasting,
    table_notes,
)
from overparam.stopping import is_stop
from overparam.streams import is_global_generator
from overparam.training.describe import Code, Undescribable, Walk

_WORDS = (bool, int, float, str)
_PLAIN = frozenset((*_WORDS, type(None)))
_NUMPYS = (np.random.Generator, np.random.BitGenerator, np.random.RandomState)
_GENERATORS = (*_NUMPYS, random.Random, torch.Generator)
_COUNTING = ("random", "itertools", "logging")  # modules whose objects change when they are used
# What an object of a class made from one of Python's holds as that, past methods of its own.
_CONTENTS: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    bytes: bytes.__bytes__,
    bytearray: lambda thing: bytes(memoryview(thing)),
    int: int.__int__,
    float: float.__float__,
    complex: complex.__complex__,
    tuple: lambda thing: tuple(tuple.__iter__(thing)),
    list: lambda thing: list(list.__iter__(thing)),
    deque: lambda thing: list(deque.__iter__(thing)),
    set: lambda thing: set(set.__iter__(thing)),
    frozenset: lambda thing: set(frozenset.__iter__(thing)),
    OrderedDict: lambda thing: dict(OrderedDict.items(thing)),
    dict: lambda thing: dict(dict.items(thing)),
    PurePath: PurePath.__str__,
    np.ndarray: np.asarray,
}


def is_cache(name: str, value: Any) -> bool:
    """Whether a name says that what it stands for fills while the code runs."""
    is_data = not (callable(bare(value)) or isinstance(value, _WORDS))
    return is_data and "cache" in name.lower()


def is_generator(value: Any) -> bool:
    """Whether a value is a random generator, but for the global ones."""
    return isinstance(value, _GENERATORS) and not is_global_generator(value)


def digest_of_told(told: Hashable) -> str:
    """Return the SHA-256 of a description, in hex digits."""
    return hashlib.sha256(repr(told).encode(errors="surrogatepass")).hexdigest()


def _digest_of_pieces(rows: Any) -> str:
    digest = hashlib.sha256()
    for piece in pieces(rows):
        digest.update(piece)
    return digest.hexdigest()


def _digest_of_tensor(tensor: Tensor) -> str:
    """Return the digest of a tensor; what has no bytes of its own raises."""
    if tensor.is_sparse:
        whole = tensor.detach().coalesce()
        return digest_of(whole.indices(), whole.values(), more=repr(tuple(tensor.shape)))
    return digest_of(tensor)


def are_numbers(things: Any) -> bool:
    """Whether all of several things are numbers."""
    return all(isinstance(thing, int | float | np.number) for thing in things)


def _is_named(thing: Any) -> bool:
    """Whether something is what its module has under its name."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "numpy")
    return getattr(module, str(getattr(thing, "__name__", "")), None) is thing


class ValueWalk(Walk):
    """Describes values; code in them is collected, and what cannot be told is passed over."""

    def __init__(self, folder: str, hashed: dict[int, str]) -> None:
        super().__init__(set(), frozenset())
        self.folder, self.hashed = folder, hashed  # arrays' digests, which take time, by identity
        self.code: list[Any] = []
        self.missing: list[str] = []
        self.in_fitted = False  # whether within an estimator that was fitted

    def describe(self, thing: Any) -> Hashable:
        """Return what tells a value from others; of what cannot be told its type, noted."""
        try:
            return self._described(bare(thing))
        except RecursionError:  # which comes sooner or later, as deep as the caller stands
            raise
        except BaseException as error:  # Undescribable, or what an object raises when looked at
            if is_stop(error):
                raise
            self.missing.append(type(thing).__name__)
            return ("unknown", type(thing).__name__)

    def _described(self, thing: Any) -> Hashable:
        if isinstance(thing, FunctionType | type):
            self.code.append(thing)
            # Of two lambdas of one line the text is the same.
            own = ""
            if isinstance(thing, FunctionType) and "<lambda>" in thing.__qualname__:
                own = repr(Code(thing.__code__))
            return ("code", thing.__module__, thing.__qualname__, own)
        if isinstance(thing, enum.Enum):
            self.code.append(type(thing))
            held = {n: v for n, v in vars(thing).items() if not n.startswith("_")}
            value = self.describe(thing.value)
            return ("enum", type(thing).__qualname__, thing.name, value, *self._attributes(held))
        if isinstance(thing, ModuleType):
            return ("module", thing.__name__)
        if type(thing) is str or type(thing).__module__.partition(".")[0] == "pathlib":
            return (type(thing).__name__, self._from_folder(str(thing)))
        if is_generator(thing):
            if not self.in_fitted:  # which draws no more
                self.missing.append(f"{GENERATOR}{type(thing).__qualname__}")
            return ("unknown", type(thing).__qualname__)
        return super().describe(thing)

    def _from_folder(self, text: str) -> str:
        inside = f"{text}{os.sep}".startswith(f"{self.folder}{os.sep}")
        return os.path.relpath(text, self.folder) if inside else text

    def _object(self, kind: type, thing: Any) -> Hashable:
        if self._is_plain(kind, thing):
            return (kind.__name__, digest_of_told(self._in_order(thing)))
        if kind in (dict, list, tuple, set):
            return super()._object(kind, thing)
        if isinstance(thing, Dataset | Examples):
            return ("data", thing.fingerprint)
        if kind is np.ndarray and thing.dtype.hasobject:
            return ("objects", thing.shape, *map(self.describe, thing.flat))
        if kind is np.ndarray and (fields := fields_with_gaps(thing)):
            return ("fields", thing.shape, self.describe(fields))
        if kind is np.ndarray or is_sparse(thing) or (is_table(thing) and hasattr(thing, "dtypes")):
            notes = [] if kind is np.ndarray else map(self.describe, table_notes(thing))
            return (kind.__qualname__, self._hashed(thing, _digest_of_pieces), *notes)
        if kind is deque and thing.maxlen is not None:
            return ("deque", thing.maxlen, self.describe(list(thing)))
        if isinstance(thing, nn.Module):
            self.code.append(kind)
            # Tensors by name too, because compiled modules hold theirs where Python does not look.
            tensors = [*thing.named_parameters(), *thing.named_buffers()]
            told = compiled_text(thing) or self._module(thing)
            return ("module", self.describe(tensors), told)
        return super()._object(kind, thing)

    def _is_plain(self, kind: type, thing: Any) -> bool:
        """Whether all items are plain, so that a million of them is described in one go."""
        plain = kind in (list, tuple) and _PLAIN.issuperset(map(type, thing))
        return plain and not any(self.folder in item for item in thing if type(item) is str)

    def _in_order(self, plain: Any) -> Any:
        return plain

    def _tensor(self, tensor: Tensor) -> Hashable:
        kind = type(tensor)
        if kind not in (Tensor, nn.Parameter):
            self.code.append(kind)
        if tensor.is_meta:
            held: Hashable = (str(tensor.dtype), tuple(tensor.shape))
        else:
            held = self._hashed(tensor, _digest_of_tensor)
        attributes = self._attributes(vars(tensor))
        return (kind.__qualname__, tensor.requires_grad, held, *attributes)

    def _hashed(self, thing: Any, digest: Callable[[Any], str]) -> str:
        if id(thing) not in self.hashed:
            self.hashed[id(thing)] = digest(thing)
        return self.hashed[id(thing)]

    def _instance(self, kind: type, thing: Any) -> Hashable:
        before = self.in_fitted
        self.in_fitted = is_fitted(thing) or (before and is_of_library(kind))
        try:
            return self._of_kind(kind, thing)
        finally:
            self.in_fitted = before

    def _of_kind(self, kind: type, thing: Any) -> Hashable:
        library = kind.__module__.partition(".")[0]
        if _is_named(thing):  # compiled functions, such as `np.tanh`
            return ("named", thing.__name__)
        if isinstance(thing, MappingProxyType):
            return ("view", self.describe(dict(thing)))
        if isinstance(thing, memoryview):
            return ("view", thing.format, thing.shape, digest_of_told(thing.tobytes()))
        # The environment is another in a worker, and in every shell.
        if library == "logging" or thing is os.environ or isinstance(thing, MemberDescriptorType):
            return ("passed over", kind.__qualname__)
        if isinstance(thing, weakref.ReferenceType):
            return ("reference", self.describe(thing()))
        if isinstance(thing, np.dtype):
            return ("dtype", repr(thing))
        if library in sys.stdlib_module_names and library not in _COUNTING:
            return self._rebuilt(kind, thing)
        if library == "pandas":  # of which much is compiled
            shown = column_contents(thing)
            named = (kind.__qualname__, *map(self.describe, shown))
            return named if shown else self._rebuilt(kind, thing)
        self.code.append(kind)
        if isinstance(thing, np.vectorize):  # which remembers what it made when it was called
            held = {name: value for name, value in vars(thing).items() if name != "_ufunc"}
            return ("object", kind.__qualname__, *self._attributes(held))
        base = next((base for base in _CONTENTS if isinstance(thing, base)), None)
        if base is None:
            return self._of_attributes(kind, thing)
        inside = [_CONTENTS[base](thing)]
        if isinstance(thing, defaultdict):
            inside.append(thing.default_factory)
        held = self._held_by(thing)
        if library == "numpy":  # whose arrays remember what was done to them
            inside, held = [*inside, np.ma.getmask(thing)], {}
        elif base is PurePath:  # which remembers its parts, in slots
            held = getattr(thing, "__dict__", {})
        return ("made from", kind.__qualname__, self.describe(inside), *self._attributes(held))

    def _of_attributes(self, kind: type, thing: Any) -> Hashable:
        try:
            return super()._instance(kind, thing)
        except Undescribable:
            contents = compiled_contents(thing)
            if contents is None:
                raise
            return (kind.__qualname__, self.describe(contents))

    def _held_by(self, thing: object) -> dict[str, Any]:
        return lasting(thing, super()._held_by(thing))

    def _rebuilt(self, kind: type, thing: Any) -> Hashable:
        """Describe an object of Python's own library by how it is made again."""
        try:
            reduce = copyreg.dispatch_table.get(kind)
            parts: Any = reduce(thing) if reduce else thing.__reduce_ex__(4)
        except Exception:  # such as a lock, a generator or an open file
            raise Undescribable(f"an object of the type {kind.__qualname__}") from None
        if isinstance(parts, str):
            return (kind.__qualname__, parts)
        made = [list(part) if hasattr(part, "__next__") else part for part in parts[1:]]
        return (kind.__qualname__, *map(self.describe, made))

    def _attributes(self, held: dict[str, Any]) -> list[Hashable]:
        told = {name: value for name, value in held.items() if not is_cache(name, value)}
        for name, value in told.items():
            # Hooks are kept under numbers, which count those of the whole process.
            if "_hooks" in name and isinstance(value, dict):
                told[name] = list(value.values())
        return super()._attributes(told)
