"""Every public name is documented, and every package exports what it says."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "overparam"
FILES = sorted(SOURCE.rglob("*.py"))
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
INHERITED = {"forward"}  # documented where the framework defines them


def dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PACKAGES = [dotted(path) for path in FILES if path.name == "__init__.py"]


def undocumented(text: str) -> list[str]:
    """Names of public functions, classes, methods and properties without a docstring."""
    tree = ast.parse(text)
    found = [] if ast.get_docstring(tree) else ["the module itself"]
    return [*found, *_undocumented(tree, "")]


def _undocumented(parent: ast.AST, prefix: str) -> list[str]:
    found = []
    for node in getattr(parent, "body", []):
        if not isinstance(node, DEFINITIONS) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _needs_none(node):
            found.append(f"{prefix}{node.name}, line {node.lineno}")
        if isinstance(node, ast.ClassDef):
            found += _undocumented(node, f"{prefix}{node.name}.")
    return found


def _needs_none(node: ast.stmt) -> bool:
    """Overloads and setters are documented by the function that they belong to."""
    names = {ast.unparse(d).rpartition(".")[2] for d in getattr(node, "decorator_list", [])}
    return bool(names & {"overload", "setter"}) or getattr(node, "name", "") in INHERITED


def exported(package: str) -> list[str]:
    return list(getattr(importlib.import_module(package), "__all__", []))


@pytest.mark.parametrize("path", FILES, ids=dotted)
def test_every_public_name_has_a_docstring(path):
    text = path.read_text()
    if path.name == "__init__.py" and not text.strip():
        pytest.fail(f"{dotted(path)} is empty: a package says in a docstring what it holds")
    assert undocumented(text) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_is_there_and_documented(package):
    module = importlib.import_module(package)
    names = exported(package)
    assert len(names) == len(set(names)), "a name is exported twice"
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            own = value.__doc__ or ""
            # A dataclass without a docstring gets its signature for one, which documents nothing.
            assert own.strip(), f"{package}.{name} has no docstring"
            assert not own.startswith(f"{name}("), f"{package}.{name} has no docstring of its own"
        elif inspect.ismodule(value):
            assert value.__doc__, f"{package}.{name} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_unknown_names_are_attribute_errors_and_dir_lists_the_exports(package):
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name
    assert set(exported(package)) <= set(dir(module))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = 1", ["the module itself"]),
        ('"""D."""\ndef f(): ...', ["f, line 2"]),
        ('"""D."""\nclass A:\n    """D."""\n    def g(self): ...', ["A.g, line 4"]),
        ('"""D."""\ndef _f(): ...\nclass A:\n    """D."""\n    def __call__(self): ...', []),
    ],
)
def test_the_rule_catches(text, names):
    assert undocumented(text) == names
