"""Python files of the user's: imported once under their right name, and what they are made of."""

from __future__ import annotations

import ast
import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from overparam.errors import UsageError
from overparam.models.own_imports import is_installed, is_own, watched, watched_imports


def import_file(path: Path) -> ModuleType:
    """Return the module of a Python file, executed the first time only.

    A file that lies in a package (a folder with ``__init__.py``) is imported as a part of it, so
    that its relative imports work. As with `python FILE`, what lies beside it can be imported.

    Raises:
        UsageError: it imports relatively, and its folder is no package. Whatever the file raises.
    """
    path = path.resolve()
    root, name = _place(path)
    find_first(root)
    known = sys.modules.get(name)
    if known is not None and _is_from(known, path):
        return known  # one module, one set of classes, however many models it makes
    with watched_imports():
        if "." in name and _is_free(root, name.partition(".")[0]):
            importlib.invalidate_caches()  # the file may be a moment old
            found = importlib.import_module(name)
            if _is_from(found, path):
                return found
        if name in sys.modules or "." in name:  # a file called random.py must not become `random`
            name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
            known = sys.modules.get(name)
        return known if known is not None and _is_from(known, path) else _execute(name, path)


def find_first(folder: Path) -> None:
    """Let modules of this folder be imported, before any others of their names."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def module_file(name: str) -> Path | None:
    """Return the file of a module of the user's, or None: built in, installed, or nowhere.

    Nothing is imported.
    """
    for folder in (Path.cwd(), *map(Path, sys.path)):
        path = _file_of(folder / Path(*name.split(".")))
        if path is not None:
            return None if is_installed(path) else path
    return None


def source_files(path: Path) -> list[Path]:
    """Return a file and those of the user's that it imports, directly or through others.

    Read from the text of its ``import`` statements, without executing any: from beside it (of a
    package, from the folder in which that lies), or else as this process would find them. What a
    program imports by a name that it makes, and what is installed, is not seen (see
    `own_imports`).
    """
    root, _ = _place(path.resolve())
    found: set[Path] = set()
    waiting = [path.resolve()]
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += _imported(source, root)
    return sorted(found)


def _place(path: Path) -> tuple[Path, str]:
    """Return the folder from which a file is imported, and its name from there."""
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        names.insert(0, folder.name)
        folder = folder.parent
    if len(names) > 1 and names[-1] == "__init__":
        names.pop()
    if any("." in name for name in names):  # no name that can be imported
        return path.parent, path.stem.replace(".", "_")
    return folder, ".".join(names)


def _is_from(module: ModuleType, path: Path) -> bool:
    source = getattr(module, "__file__", None)
    return source is not None and Path(source).resolve() == path


def _is_free(root: Path, package: str) -> bool:
    """Whether no other package of this name was imported from elsewhere."""
    known = sys.modules.get(package)
    return known is None or _is_from(known, root / package / "__init__.py")


def _execute(name: str, path: Path) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, path)
    assert spec is not None  # it ends in .py
    assert spec.loader is not None
    module = module_from_spec(watched(spec))
    sys.modules[name] = module  # dataclasses and pickles look their module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]  # half of a module is none
        if isinstance(error, ImportError) and "relative import" in str(error):
            raise UsageError(
                f"{path.name} imports relatively, but its folder is no package",
                got=str(error),
                remedy=f"put an empty __init__.py into {path.parent}, or name it as a module from "
                f"the folder above: {path.parent.name}.{path.stem}:NAME",
            ) from error
        raise
    return module


def _imported(source: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_on_the_way(_home_of(alias.name, root), alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            folder = source.parents[node.level - 1] if node.level else _home_of(module, root)
            # Each name may be a module, or an object of the module it is taken from.
            for name in (module, *(f"{module}.{a.name}" for a in node.names)):
                yield from _files_on_the_way(folder, name.strip("."))


def _home_of(dotted: str, root: Path) -> Path:
    """Return the folder that a module, or the package it is in, is imported from."""
    top = dotted.partition(".")[0]
    if _file_of(root / top) is not None:
        return root
    known = sys.modules.get(top)
    file = getattr(known, "__file__", None)
    if known is not None:  # what is installed is not looked for among the user's folders
        own = isinstance(file, str) and is_own(top, file)
        return Path(str(file)).parents["__path__" in vars(known)] if own else root
    if top in sys.stdlib_module_names:
        return root
    return next((f for f in map(Path, sys.path) if _file_of(f / top) is not None), root)


def _files_on_the_way(folder: Path, dotted: str) -> Iterator[Path]:
    """Yield the files of a module and of the packages that are imported before it."""
    for name in ["", *dotted.split(".")]:
        folder = folder / name
        path = _file_of(folder)
        if path is not None and not is_installed(path):
            yield path


def _file_of(stem: Path) -> Path | None:
    for path in (stem / "__init__.py", stem.parent / f"{stem.name}.py"):
        if stem.name and path.is_file():
            return path.resolve()
    return None
