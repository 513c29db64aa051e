"""What the text of a module's file says that the module's names are, where it says so plainly.

A process that has not imported a module yet, as a fresh one that resumes a study, will have what
is written there. So a value that is as it is written need not be told.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from types import ModuleType
from typing import Any

UNSAID = object()
_DEFINED = object()


def written(module: str, name: str) -> Any:
    """Return what the text of a module binds a name to at its top level, last of all.

    That is a number, a text or a container of such, a module that is imported, or something for
    what is defined there; `UNSAID` for all that has to be computed.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return UNSAID
    try:
        said = _bound(file, os.stat(file).st_mtime_ns).get(name, UNSAID)
    except (OSError, SyntaxError, ValueError):
        return UNSAID
    if isinstance(said, _Imported):
        return sys.modules.get(said.name_in(sys.modules[module]), UNSAID)
    return said


def is_as_written(said: Any, held: Any) -> bool:
    """Whether a value is what a text says of it."""
    if said is UNSAID or isinstance(held, ModuleType):
        return held is said
    return type(held) is type(said) and repr(held) == repr(said)


class _Imported:
    """A module under the name by which a text imports it."""

    def __init__(self, name: str, level: int = 0) -> None:
        self._name = "." * level + name

    def name_in(self, module: ModuleType) -> str:
        """Return the whole name."""
        try:
            return resolve_name(self._name, getattr(module, "__package__", None))
        except ImportError:  # a relative one outside a package
            return ""


@functools.lru_cache(maxsize=64)
def _bound(file: str, time: int) -> dict[str, Any]:
    """Return names with what they are bound to, in a file as it was at a time."""
    with open(file, "rb") as text:
        tree = ast.parse(text.read())
    return {name: said for statement in tree.body for name, said in _bindings(statement)}


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, Any]]:
    if isinstance(statement, ast.Import):
        for a in statement.names:
            first = a.name.partition(".")[0]
            yield a.asname or first, _Imported(a.name if a.asname else first)
    elif isinstance(statement, ast.ImportFrom):
        start = f"{statement.module}." if statement.module else ""
        for a in statement.names:
            yield a.asname or a.name, _Imported(start + a.name, statement.level)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _of_target(target, statement.value)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield from _of_target(statement.target, statement.value)
    elif isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        yield statement.name, UNSAID if statement.decorator_list else _DEFINED
    else:  # what it does to names is not plain
        yield from _unsaid(statement)


def _of_target(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, Any]]:
    if isinstance(target, ast.Name):
        try:
            yield target.id, ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            yield target.id, UNSAID
        return
    parts = value.elts if isinstance(value, ast.Tuple) else []
    if isinstance(target, ast.Tuple) and len(target.elts) == len(parts):
        for one, its in zip(target.elts, parts, strict=True):
            yield from _of_target(one, its)
    else:
        yield from _unsaid(target)


def _unsaid(node: ast.AST) -> Iterator[tuple[str, Any]]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            yield part.id, UNSAID
        elif isinstance(part, ast.Import | ast.ImportFrom):
            yield from ((name, UNSAID) for name, _ in _bindings(part))
