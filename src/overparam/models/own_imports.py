"""Which of the user's files this process has imported, each by the hash of the bytes that ran.

What the text of a program says of its imports is not all that it imports: a path that it adds, a
name that it makes, a module without source. So imports are watched. While they are, a file of the
user's is compiled from the bytes that are hashed, and never taken from ``__pycache__``, which may
hold the code of another text. A file that is executed without being imported is known too, by
what it held when that began.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import stat
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from overparam.models.executions import watch_executions, watched_executions

_PACKAGE = __name__.partition(".")[0]
# What this package needs is none of the user's code, also where it was installed from a checkout.
_NEEDED = {
    _PACKAGE,
    "torch",
    "numpy",
    "scipy",
    "sklearn",
    "threadpoolctl",
    "cloudpickle",
    "rich",
    "jinja2",
}
_PACKAGE_FOLDERS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_MOST_BYTES = 1 << 28  # of one file of code
_DIGEST = "_overparam_digest"  # in the spec by which a module was imported


def watch_imports() -> None:
    """Watch the imports of this process from now on."""
    sys.meta_path.insert(_place_of_files(), _Watch())
    watch_executions(_note_executed)


@contextlib.contextmanager
def watched_imports() -> Iterator[None]:
    """Watch the imports that happen inside the block."""
    watch = _Watch()
    sys.meta_path.insert(_place_of_files(), watch)
    try:
        with watched_executions(_note_executed):
            yield
    finally:
        sys.meta_path.remove(watch)


def watched(spec: ModuleSpec) -> ModuleSpec:
    """Return a module's spec such that what is imported by it is known, if it is the user's."""
    if is_own(spec.name, spec.origin):
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _HashedSource(spec.loader.name, spec.loader.path)
        else:
            vars(spec)[_DIGEST] = digest_of(file_holding(str(spec.origin)))
    return spec


def imported_files() -> dict[str, str]:
    """Return the user's files that this process has imported or executed, with digests.

    A file that was imported while nobody watched has the digest of what it held when it was asked
    for first.
    """
    found: dict[str, str] = {}
    for name, file in own_modules().items():
        digest = _digest_imported(sys.modules.get(name), file)
        known = found.setdefault(file, digest)
        if known != digest:  # under two names, of two texts
            found[file] = f"{known} and {digest}"
    return {**_executed, **found}


def digest_when_imported(module: Any) -> str:
    """Return the digest of the text that a module was compiled from; "" if nobody watched."""
    loader = getattr(_names_in(module).get("__spec__"), "loader", None)
    return loader.digest if isinstance(loader, _HashedSource) else ""


def remember_parts(file: str | Path, parts: set[str]) -> None:
    """Keep which files of the user's the import of one brought."""
    _parts[os.path.realpath(file)] = parts


def parts_of(file: str | Path) -> set[str]:
    """Return the files that the import of a file brought, where that was watched; else none."""
    return _parts.get(os.path.realpath(file), set())


def own_modules() -> dict[str, str]:
    """Return the names of the modules in this process that are the user's, with their files."""
    own = {}
    for name, module in list(sys.modules.items()):
        if _others.get(name) is module:
            continue
        origin = _origin(module)
        if is_own(name, origin):
            own[name] = file_holding(str(origin))
        elif isinstance(origin, str) and is_installed(origin):
            _others[name] = module  # it stays that; there are a thousand, and each unit asks
    return own


@functools.cache
def is_own(name: str, origin: Any) -> bool:
    """Whether a module comes from a file that is neither installed nor of this package's."""
    if not isinstance(origin, str) or name.partition(".")[0] in _NEEDED:
        return False
    if is_installed(origin) or not os.path.isabs(origin):  # relative: "built-in", "frozen"
        return False
    file = file_holding(origin)
    return os.path.isfile(file) and not is_installed(file)


def is_installed(path: str | Path) -> bool:
    """Whether a file is of this package, of Python's own library, or where others are installed."""
    text = str(path)
    return any(folder in text for folder in _PACKAGE_FOLDERS) or text.startswith(_homes())


def file_holding(origin: str) -> str:
    """Return the file, links followed, that holds a module: itself, or the archive it is in."""
    path = Path(origin)
    for place in (path, *path.parents):
        if place.is_file():
            return os.path.realpath(place)
    return os.path.realpath(path)


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as it is now, or, if there is none, why not."""
    try:
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            return "cannot be read: no file of code"
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(about.st_size)).hexdigest()
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"


class Overseer:
    """Asks the finders of modules that come after it, and sees to what they find."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return how a module is imported; None where no later finder knows."""
        later = itertools.dropwhile(lambda finder: finder is not self, list(sys.meta_path))
        for finder in list(later)[1:]:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                return self.seen_to(spec)
        return None

    def seen_to(self, spec: ModuleSpec) -> ModuleSpec:
        """Return the spec as it is to be used."""
        raise NotImplementedError


class _Watch(Overseer):
    def seen_to(self, spec: ModuleSpec) -> ModuleSpec:
        return watched(spec)


class _HashedSource(SourceFileLoader):
    """Compiles the bytes that it hashes."""

    digest = ""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        self.digest = hashlib.sha256(source).hexdigest()
        return self.source_to_code(source, path)


def _place_of_files() -> int:
    """Return where in the list of finders those begin that look for files."""
    return sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)


def _digest_imported(module: Any, file: str) -> str:
    known = digest_when_imported(module)
    if known:
        return known
    spec = _names_in(module).get("__spec__")
    kept = vars(spec) if isinstance(spec, ModuleSpec) else _scripts.setdefault(file, {})
    return kept.setdefault(_DIGEST, digest_of(file))


def _note_executed(file: str) -> None:
    if is_own("", file):
        _executed[os.path.realpath(file)] = digest_of(file)


_executed: dict[str, str] = {}  # while it was watched, each with its last digest
_others: dict[str, Any] = {}  # modules by name that were found to be none of the user's
_parts: dict[str, set[str]] = {}
_scripts: dict[str, dict[str, str]] = {}  # what was run and not imported, by its file


def _origin(module: Any) -> str | None:
    names = _names_in(module)
    spec = names.get("__spec__")
    found = spec.origin if isinstance(spec, ModuleSpec) else None
    found = names.get("__file__") if found is None else found
    return found if isinstance(found, str) else None


def _names_in(module: Any) -> dict[str, Any]:
    """Return a module's names, past a `__getattr__` of its own, which may import, or raise."""
    return object.__getattribute__(module, "__dict__") if isinstance(module, ModuleType) else {}


@functools.cache
def _homes() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    homes = {sysconfig.get_path(name) for name in names}
    package = Path(__file__).parents[1]  # its worker is called __main__ where it runs
    homes |= {str(package), os.path.realpath(package)}
    return tuple(f"{home}{os.sep}" for home in homes if home)
