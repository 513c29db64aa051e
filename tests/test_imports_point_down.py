"""Imports point down: a module imports from its own floor or below, never from above.

Read from the source text, so imports inside functions and under TYPE_CHECKING count too.
"""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "overparam"

# Floors from the ground up; members of one row stand on the same floor.
FLOORS = (
    (
        "errors",
        "checks",
        "stopping",
        "streams",
        "texts",
        "threads",
        "whole_file",
        "cache",
        "machine",
    ),
    ("data",),
    ("models",),
    ("training",),
    ("measures",),
    ("theory",),
    ("lab",),
    ("ensembles",),
    ("phenomena", "audits"),
    ("probes",),
    ("report",),
    ("api",),
    ("collection",),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
STRANGERS = {("phenomena", "audits"), ("audits", "phenomena")}  # same floor, separate flats
WITHOUT_TORCH = ("theory", "report")
FREE_FROM_ROOF = {"__version__"}  # the only name of the top __init__ that the floors may use


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree: ast.AST, module: str, is_package: bool):
    """Yield (line, dotted name) of every import, and of every import_module("overparam...")."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            origin = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            first = node.args[0]
            if called == "import_module" and isinstance(first, ast.Constant):
                yield node.lineno, str(first.value)


def floor_of(dotted: str) -> str | None:
    """Name of the floor that a dotted name lies on, "" for the roof, None outside the package."""
    parts = dotted.split(".")
    if parts[0] != "overparam":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL else ""


def offences(module: str, text: str, is_package: bool = False) -> list[str]:
    """Lines of a module that import what they must not."""
    found, home = [], floor_of(module)
    for line, name in imported_names(ast.parse(text), module, is_package):
        target = floor_of(name)
        problem = ""
        if home in WITHOUT_TORCH and name.split(".")[0] in ("torch", "torchvision"):
            problem = f"{home} imports no torch"
        elif home == "" or target is None:
            continue
        elif target == "":
            if name.rpartition(".")[2] not in FREE_FROM_ROOF:
                problem = "import from the module itself, not from the top of the package"
        elif LEVEL[target] > LEVEL[home]:
            problem = f"{target} lies above {home}"
        elif (home, target) in STRANGERS:
            problem = f"{home} never imports {target}"
        if problem:
            source = text.splitlines()[line - 1].strip()
            found.append(f"{module}, line {line}: {source}   <- {problem}")
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=module_name)
def test_imports_point_down(path):
    found = offences(module_name(path), path.read_text(), path.name == "__init__.py")
    assert not found, "\n" + "\n".join(found)


def test_every_module_has_a_floor():
    names = {p.stem if p.is_file() else p.name for p in SOURCE.iterdir() if python_in(p)}
    unknown = names - set(LEVEL) - {"__init__", "__main__"}
    assert not unknown, f"no floor for {sorted(unknown)}: add it to FLOORS and to the architecture"


def python_in(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))


def loaded_at_import(module: str, seen: set[str] | None = None) -> set[str]:
    """All modules that importing `module` loads, following the package's own eager imports."""
    seen = set() if seen is None else seen
    if module in seen:
        return seen
    seen.add(module)
    stem = SOURCE.parent.joinpath(*module.split("."))
    package = stem / "__init__.py"
    path = package if package.is_file() else stem.with_suffix(".py")
    if module.split(".")[0] != "overparam" or not path.is_file():
        return seen
    eager = ast.Module([n for n in ast.parse(path.read_text()).body if is_eager(n)], [])
    for _, name in imported_names(eager, module, path == package):
        # "a.b.c" may be module a.b with the name c in it, or module a.b.c: load what exists.
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            loaded_at_import(".".join(parts[:length]), seen)
    return seen


def is_eager(node: ast.stmt) -> bool:
    """Whether a top-level statement runs at import: not a function, class or TYPE_CHECKING."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))


@pytest.mark.parametrize("floor", WITHOUT_TORCH)
def test_nothing_loads_torch_indirectly(floor):
    for path in sorted((SOURCE / floor).rglob("*.py")):
        assert "torch" not in loaded_at_import(module_name(path)), f"{path.name} loads torch"


@pytest.mark.parametrize(
    ("module", "line", "problem"),
    [
        ("overparam.models.dense", "from overparam.training import train", "lies above models"),
        ("overparam.models.dense", "import overparam.lab.store", "lies above models"),
        ("overparam.models.dense", "from ..cli import main", "lies above models"),
        ("overparam.errors", "def f():\n    from overparam import data", "lies above errors"),
        ("overparam.lab.run", "import_module = 0; x.import_module('overparam.cli')", "above lab"),
        ("overparam.phenomena.a", "from overparam.audits import b", "never imports audits"),
        ("overparam.audits.a", "from overparam.phenomena import b", "never imports phenomena"),
        ("overparam.report.html", "import torch.nn as nn", "imports no torch"),
        ("overparam.lab.run", "from overparam import train", "not from the top"),
    ],
)
def test_the_rule_catches(module, line, problem):
    (found,) = offences(module, line)
    assert problem in found
    assert line.splitlines()[-1].strip() in found


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("overparam.training.engine", "from overparam.models import mlp"),
        ("overparam.training.engine", "from .recipe import Recipe"),
        ("overparam.lab.record", "from overparam import __version__"),
        ("overparam", "from overparam.cli import main"),
        ("overparam.__main__", "from overparam.cli.main import main"),
        ("overparam.measures.error", "import torch"),
    ],
)
def test_the_rule_lets_pass(module, line):
    assert offences(module, line) == []
