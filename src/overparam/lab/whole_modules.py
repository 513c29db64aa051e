"""Modules that code takes whole, so that it may read any of their names.

Mostly code says what it reads of a module: `settings.N`. Where it hands the module on, as in
`getattr(settings, key)`, `vars(settings)` or `chosen(settings)`, reads its `__dict__`, or finds it
by a text, as in `sys.modules["settings"]` and `import_module("settings")`, nobody can tell which.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from overparam.lab.names_in_code import (
    all_names,
    closed_over,
    imported_name,
    instructions_of,
    parts_of_code,
)

_BY_TEXT = frozenset(("import_module", "__import__", "modules"))  # the last of `sys`
# Python's instructions, of all versions.
_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_")
_OF_CELLS = ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_")
_STORES_AND_LOADS = "STORE_FAST_LOAD_FAST"
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR")
_BETWEEN = ("PUSH_NULL", "CACHE", "COPY")  # a name and its attribute


def whole_modules(function: FunctionType) -> list[ModuleType]:
    """Return the modules that a function takes whole, of those that are imported."""
    code = function.__code__
    package = function.__globals__.get("__package__") or ""
    known = function.__globals__ | closed_over(function) | dict(_bound_by_imports(code, package))
    found = [_end(known.get(first), rest) for first, *rest in _dotted_names(code)]
    names = all_names(code)
    if not names.isdisjoint(_BY_TEXT):
        found += [sys.modules.get(name) for name in _texts_in(code, package)]
    if "globals" in names or names.issuperset(("modules", "__name__")):
        found.append(sys.modules.get(function.__module__))
    return list({id(m): m for m in found if isinstance(m, ModuleType)}.values())


def _end(thing: Any, attributes: list[str]) -> Any:
    """Return what a dotted name leads to through modules."""
    for name in attributes:
        if not isinstance(thing, ModuleType):
            return None
        if name == "__dict__":
            return thing
        thing = vars(thing).get(name)
    return thing


def _dotted_names(code: CodeType) -> Iterator[list[str]]:
    """Yield each name that code loads, with the attributes that it asks for right there."""
    for part in parts_of_code(code):
        dotted: list[str] = []
        for instruction in instructions_of(part):
            if instruction.opname in _BETWEEN:
                continue
            if dotted and instruction.opname in _ATTRIBUTES:
                dotted.append(instruction.argval)
                continue
            loaded = [[name] for name in _loaded(instruction, part)]
            yield from filter(None, [dotted, *loaded[:-1]])
            dotted = loaded[-1] if loaded else []


def _loaded(instruction: dis.Instruction, code: CodeType) -> list[str]:
    """Return the names of what an instruction loads; newer Pythons load two at once."""
    kind, names = instruction.opname, instruction.argval
    names = names if isinstance(names, tuple) else (names,)
    if kind == _STORES_AND_LOADS:
        return list(names[1:])
    if not kind.startswith(_LOADS):
        return []
    # What inner functions are given is their own to read.
    given_on = () if kind.startswith(_OF_CELLS) else (*code.co_cellvars, *code.co_freevars)
    return [name for name in names if name not in given_on]


def _bound_by_imports(code: CodeType, package: str) -> Iterator[tuple[str, Any]]:
    """Yield the names that code gives to what it imports, with what is imported already."""
    for part in parts_of_code(code):
        given = instructions_of(part)
        module: Any = None
        thing: Any = None
        is_from = False
        for place, instruction in enumerate(given):
            if instruction.opname == "IMPORT_NAME":
                is_from = given[place - 1].argval is not None
                name = imported_name(given, place, package)
                module = thing = sys.modules.get(name if is_from else name.partition(".")[0])
            elif instruction.opname == "IMPORT_FROM":
                thing = _end(module, [instruction.argval])
                module = module if is_from else thing  # `import a.b as c` goes down to b
            elif instruction.opname.startswith("STORE_") and thing is not None:
                names = instruction.argval
                yield names[0] if isinstance(names, tuple) else names, thing
                thing = None


def _texts_in(code: CodeType, package: str) -> Iterator[str]:
    """Yield the texts in code, as whole names of modules that they may be."""
    for part in parts_of_code(code):
        for constant in part.co_consts:
            for text in constant if isinstance(constant, tuple | frozenset) else (constant,):
                if isinstance(text, str):
                    yield f"{package}{text}" if text.startswith(".") else text
