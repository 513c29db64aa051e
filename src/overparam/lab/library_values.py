"""What objects of libraries hold that decides what they compute, as parts that can be told.

Much of it is compiled, or knows more than its values: what was asked of it, how long it took, where
in memory something lay.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from torch import nn

from overparam.data.rows import is_plain_index
from overparam.models.own_imports import is_installed

_REBUILT = ("sklearn", "pyarrow")  # of which what is compiled is told by how it is made again
# Of the state of trees that are asked for neighbors, what is not in each process the same: nodes,
# which point into memory, and how often it was asked.
_PASSING = {"cKDTree": slice(0, 1), "BinaryTree64": slice(7, 11), "BinaryTree": slice(7, 11)}
_TIMES = re.compile("_times?_?$")
_OF_A_PROCESS = re.compile(r"\s*# .*$|___torch_mangle_\d+\.|0x[0-9a-f]+", re.MULTILINE)


def is_fitted(thing: Any) -> bool:
    """Whether something is an estimator of a library that was fitted."""
    kind = type(thing)
    if not (hasattr(kind, "fit") and is_of_library(kind)):
        return False
    if any(
        name.endswith("_") and not name.startswith("_") for name in getattr(thing, "__dict__", {})
    ):
        return True
    with suppress(Exception):  # it is the library's own answer
        return bool(hasattr(kind, "__sklearn_is_fitted__") and thing.__sklearn_is_fitted__())
    return False


def is_of_library(kind: type) -> bool:
    """Whether a class is installed, and none of the user's."""
    return is_installed(str(getattr(sys.modules.get(kind.__module__), "__file__", None)))


def lasting(thing: Any, held: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object holds, of a fitted estimator but for what its fit measured."""
    if not is_fitted(thing):
        return dict(held)
    places = {id(value) for value in held.values()}
    return {
        name: _without_times(value)
        for name, value in held.items()
        # Some remember where in memory lay what they were given.
        if not (_TIMES.search(name) or (type(value) is int and value in places))
    }


def _without_times(value: Any) -> Any:
    if type(value) is not dict:
        return value
    return {k: v for k, v in value.items() if not (isinstance(k, str) and _TIMES.search(k))}


def compiled_contents(thing: Any) -> Any:
    """Return what a compiled object holds; None where that cannot be told."""
    kinds = {kind.__name__ for kind in type(thing).__mro__}
    library = type(thing).__module__.partition(".")[0]
    passing = next((part for name, part in _PASSING.items() if name in kinds), None)
    if passing is None and library not in _REBUILT:
        return None
    if library == "pyarrow" and hasattr(thing, "nbytes"):
        return _written_by_arrow(thing)
    made = thing.__reduce_ex__(4)
    if passing is None:
        return made[1:]
    state = list(made[2])
    del state[passing]
    return state


def _written_by_arrow(thing: Any) -> str:
    """Return the digest of a table or column as written: it remembers how many gaps it counted."""
    arrow: Any = sys.modules["pyarrow"]
    if isinstance(thing, arrow.RecordBatch):
        thing = arrow.Table.from_batches([thing])
    table = thing if isinstance(thing, arrow.Table) else arrow.table({"values": thing})
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def fields_with_gaps(array: np.ndarray) -> dict[str, np.ndarray] | None:
    """Return the fields of an array that has bytes between them, which hold anything."""
    fields: Mapping[str, Any] = array.dtype.fields or {}
    size = sum(field[0].itemsize for field in fields.values())
    return {name: array[name] for name in fields} if 0 < size < array.dtype.itemsize else None


def column_contents(thing: Any) -> list[Any]:
    """Return what a column or an index shows, which caches what was asked of it; [] of others."""
    if not hasattr(thing, "to_frame"):
        return []
    index = getattr(thing, "index", None)
    names = list(getattr(thing, "names", None) or [thing.name])
    shown = [names, thing.dtype, np.asarray(thing.to_numpy())]
    if index is not None and not is_plain_index(index):
        shown.append(index)
    return [*shown, *_notes_on(thing)]


def table_notes(table: Any) -> list[Any]:
    """Return what a table says beside its columns and rows: notes, and what its columns are."""
    names = [*getattr(getattr(table, "columns", None), "names", ())]
    return [*_notes_on(table), *([names] if any(name is not None for name in names) else [])]


def _notes_on(thing: Any) -> list[Any]:
    attrs = getattr(thing, "attrs", None)
    return [attrs] if isinstance(attrs, dict) and attrs else []


def compiled_text(module: nn.Module) -> str:
    """Return the code of a module that PyTorch compiled, which no class tells; "" of others."""
    dump = getattr(vars(module).get("_c"), "dump_to_str", None)
    return _OF_A_PROCESS.sub("", dump(True, False, False)) if dump else ""
