"""Names in a function's code: what it looks up, imports, and may take from what it finds.

Of code within code too, such as of comprehensions and inner functions.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from types import CodeType, FunctionType, ModuleType
from typing import Any

_LOOK_UPS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")  # Python's instructions


def global_names(code: CodeType) -> set[str]:
    """Return the names that code looks up in its module; those of attributes are not among them."""
    return {
        str(instruction.argval)
        for part in parts_of_code(code)
        for instruction in dis.get_instructions(part)
        if instruction.opname in _LOOK_UPS
    }


def all_names(code: CodeType) -> set[str]:
    """Return the names of globals, attributes and imports in code."""
    return {name for part in parts_of_code(code) for name in part.co_names}


def held_modules(function: FunctionType) -> list[ModuleType]:
    """Return the modules that a function finds in its own module and in its closure."""
    held = [function.__globals__.get(name) for name in sorted(global_names(function.__code__))]
    held += closed_over(function).values()
    return [thing for thing in held if isinstance(thing, ModuleType)]


def closed_over(function: FunctionType) -> dict[str, Any]:
    """Return the variables of the functions around it that a function holds, where they are set."""
    held = {}
    cells = function.__closure__ or ()
    for variable, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            held[variable] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    return held


def imported_modules(function: FunctionType) -> list[ModuleType]:
    """Return the modules that a function imports where it runs, of those that are there already."""
    package = function.__globals__.get("__package__") or ""
    names = {n for part in parts_of_code(function.__code__) for n in _imported(part, package)}
    every = {whole for name in names for whole in _with_parents(name)}
    found = [sys.modules.get(name) for name in sorted(every)]
    return [module for module in found if isinstance(module, ModuleType)]


def named_submodules(function: FunctionType) -> set[str]:
    """Return the modules within packages that a function names by their dotted names.

    Whoever has such a package need not have them: something has to import them.
    """
    names = all_names(function.__code__)
    starts = tuple(f"{module.__name__}." for module in held_modules(function))
    return {
        name
        for name in (list(sys.modules) if starts else ())
        for start in starts
        if name.startswith(start) and names.issuperset(name.removeprefix(start).split("."))
    }


def parts_of_code(code: CodeType) -> Iterator[CodeType]:
    """Yield code, and all code within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from parts_of_code(constant)


def instructions_of(code: CodeType) -> list[dis.Instruction]:
    """Return the instructions of code, but for those that only lengthen others."""
    return [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]


def imported_name(given: list[dis.Instruction], place: int, package: str) -> str:
    """Return the whole name of what an instruction imports; "" for what is outside a package.

    How many dots the name has lies on the stack.
    """
    level = given[place - 2].argval if place >= 2 else 0
    dots = "." * level if isinstance(level, int) else ""
    try:
        return resolve_name(f"{dots}{given[place].argval}", package)
    except ImportError:
        return ""


def _imported(code: CodeType, package: str) -> Iterator[str]:
    given = instructions_of(code)
    for place, instruction in enumerate(given):
        if instruction.opname == "IMPORT_NAME":
            yield imported_name(given, place, package)


def _with_parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]
