"""What a value holds, as a digest that is the same in every process for equal values.

Numbers, texts, containers, arrays, tables, networks and objects of one's own classes are known by
what they hold. Where that cannot be told, as of an open file, a lock or a generator, the digest
is of all the rest, and says so.
"""

from __future__ import annotations

import copyreg
import enum
import hashlib
import os
import sys
from collections.abc import Hashable
from pathlib import Path
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

from overparam.data.dataset import Dataset, digest_of
from overparam.data.examples import Examples
from overparam.data.rows import is_sparse, is_table, pieces
from overparam.lab.callables import bare
from overparam.training.describe import Code, Undescribable, Walk, describe_settings

WITHOUT = "without what cannot be told: "  # in a digest
_WORDS = (bool, int, float, str)
_COUNTING = ("random", "itertools", "logging")  # modules whose objects change when they are used


def digest_of_value(value: Any, folder: Path) -> tuple[str, list[Any]]:
    """Return the digest of what a value holds, and the functions and classes that are part of it.

    Args:
        folder: paths and texts that lead into it are known by the way from there, so that a
            folder may be moved.
    """
    walk = _Walk(str(folder))
    try:
        told = repr(walk.describe(value))
    except Exception:  # whatever an object of the user's own raises when it is looked at
        return f"{WITHOUT}{type(value).__name__}", walk.code
    digest = hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()
    missing = ", ".join(sorted(set(walk.missing)))
    return f"{digest} {WITHOUT}{missing}" if missing else digest, walk.code


def is_cache(name: str, value: Any) -> bool:
    """Whether a name says that what it stands for fills while the code runs."""
    is_data = not (callable(bare(value)) or isinstance(value, _WORDS))
    return is_data and "cache" in name.lower()


def _is_named(thing: Any) -> bool:
    """Whether something is what its module has under its name."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "numpy")
    return getattr(module, str(getattr(thing, "__name__", "")), None) is thing


class _Walk(Walk):
    """Describes values; code in them is collected, and what cannot be told is passed over."""

    def __init__(self, folder: str) -> None:
        super().__init__(set(), frozenset())
        self.folder = folder
        self.code: list[Any] = []
        self.missing: list[str] = []

    def describe(self, thing: Any) -> Hashable:
        thing = bare(thing)
        if isinstance(thing, FunctionType | type):
            self.code.append(thing)
            # Of two lambdas of one line the text is the same.
            own = ""
            if isinstance(thing, FunctionType) and "<lambda>" in thing.__qualname__:
                own = repr(Code(thing.__code__))
            return ("code", thing.__module__, thing.__qualname__, own)
        if isinstance(thing, enum.Enum):
            self.code.append(type(thing))
            return ("enum", type(thing).__qualname__, thing.name, self.describe(thing.value))
        if isinstance(thing, ModuleType):
            return ("module", thing.__name__)
        if isinstance(thing, str | os.PathLike):
            return (type(thing).__name__, self._from_folder(os.fspath(thing)))
        try:
            return super().describe(thing)
        except Undescribable:
            self.missing.append(type(thing).__qualname__)
            return ("unknown", type(thing).__qualname__)

    def _from_folder(self, text: Any) -> Any:
        inside = isinstance(text, str) and (f"{text}{os.sep}").startswith(f"{self.folder}{os.sep}")
        return os.path.relpath(text, self.folder) if inside else text

    def _object(self, kind: type, thing: Any) -> Hashable:
        if kind in (dict, list, tuple, set):
            return super()._object(kind, thing)
        if isinstance(thing, Dataset | Examples):
            return ("data", thing.fingerprint)
        if kind is np.ndarray and thing.dtype.hasobject:
            return ("objects", thing.shape, *map(self.describe, thing.flat))
        if kind is np.ndarray or is_table(thing) or is_sparse(thing):
            digest = hashlib.sha256()
            for piece in pieces(thing):
                digest.update(piece)
            return (kind.__qualname__, digest.hexdigest())
        if isinstance(thing, Tensor) and not thing.is_meta:
            return (kind.__qualname__, digest_of(thing))
        if isinstance(thing, nn.Module):
            self.code.append(kind)
            held = {**dict(thing.named_parameters()), **dict(thing.named_buffers())}
            tensors = [t.detach() for t in held.values() if not t.is_meta]
            modes = [part.training for part in thing.modules()]
            about = repr((list(held), modes, describe_settings(thing)))
            return (kind.__qualname__, digest_of(*tensors, more=about))
        return super()._object(kind, thing)

    def _instance(self, kind: type, thing: Any) -> Hashable:
        library = kind.__module__.partition(".")[0]
        if _is_named(thing):  # compiled functions, such as `np.tanh`
            return ("named", thing.__name__)
        if library == "logging" or isinstance(thing, MemberDescriptorType):
            return ("passed over", kind.__qualname__)
        if library in sys.stdlib_module_names and library not in _COUNTING:
            return self._rebuilt(kind, thing)
        self.code.append(kind)
        return super()._instance(kind, thing)

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
        return super()._attributes({n: v for n, v in held.items() if not is_cache(n, v)})
