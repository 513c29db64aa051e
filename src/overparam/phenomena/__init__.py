"""The phenomena, in chapters: a folder is a chapter, a file in it a phenomenon.

Both are found by being there, never registered. What a chapter's phenomena share lies beside
them under a leading underscore. A phenomenon's name is ``chapter/name``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from overparam.errors import UsageError, suggest
from overparam.lab.blame import blaming_code
from overparam.lab.phenomenon import Phenomenon, docstring, paragraph
from overparam.models.own_imports import (
    digest_of,
    imported_files,
    own_modules,
    parts_of,
    remember_parts,
    watched_imports,
)
from overparam.models.own_modules import source_files

# What phenomena were called before there were chapters.
FORMER_NAMES = {
    "double_descent_cross_entropy": "double_descent/cross_entropy",
    "double_descent_random_features": "double_descent/random_features",
    "double_descent_squared_loss": "double_descent/squared_loss",
    "epoch_wise_double_descent": "double_descent/epoch_wise",
    "sample_wise_nonmonotonicity": "double_descent/sample_wise",
    "memorizing_autoencoders": "memorization/autoencoders",
    "identity_by_depth": "identity/by_depth",
    "identity_fully_connected": "identity/fully_connected",
    "identity_initialization": "identity/initialization",
    "identity_kernel_size": "identity/kernel_size",
    "identity_more_images": "identity/more_images",
    "identity_one_layer_theorem": "identity/one_layer_theorem",
    "identity_through_layers": "identity/through_layers",
    "identity_width": "identity/width",
}


def chapters() -> list[str]:
    """Return the names of all chapters, without importing any."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.ispkg)


def introduction(chapter: str) -> str:
    """Return a chapter's docstring: its question, where it comes from, the order to read in.

    Raises:
        UsageError: there is no such chapter.
    """
    if chapter not in chapters():
        raise UsageError(
            "unknown chapter",
            got=chapter,
            allowed=", ".join(chapters()),
            remedy=suggest(chapter, chapters()),
        )
    return docstring(Path(__path__[0]) / chapter / "__init__.py")


def names(chapter: str | None = None) -> list[str]:
    """Return the names of all phenomena, or of one chapter's, without importing any.

    Chapters are sorted by name, the phenomena of each as its introduction tells them to be read.
    """
    wanted = chapters() if chapter is None else [chapter]
    return [f"{c}/{name}" for c in wanted for name in _in_reading_order(c)]


def claim_of(name: str) -> str:
    """Return the claim of a phenomenon (``chapter/name``) from its docstring, not importing it."""
    return paragraph(docstring(Path(__path__[0]) / f"{name}.py"), "Claim")


def title_of(name: str) -> str:
    """Return the title of a phenomenon (``chapter/name``): the first line of its docstring."""
    return docstring(Path(__path__[0]) / f"{name}.py").partition("\n")[0].rstrip(".")


def resolve(name: str) -> str:
    """Return the full name of a phenomenon: ``chapter/name``, of which the last part is enough.

    Raises:
        UsageError: no phenomenon, or several, have this name; a name from before the chapters.

    >>> resolve("random_features")
    'double_descent/random_features'
    """
    known = names()
    if name in known:
        return name
    found = [full for full in known if full.partition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError("several phenomena have this name", got=name, allowed=", ".join(found))
    if name in FORMER_NAMES:
        raise UsageError(
            "this phenomenon has a new name, with its chapter",
            got=name,
            remedy=f"it is {FORMER_NAMES[name]!r} now",
        )
    last_parts = [full.partition("/")[2] for full in known]
    raise UsageError(
        "unknown phenomenon",
        got=name,
        allowed=", ".join(known),
        remedy=suggest(name, [*known, *last_parts]) or "or the path of a file ending in .py",
    )


def find(name: str) -> Phenomenon:
    """Return a phenomenon by its name, or by the path of a file of one's own.

    Raises:
        UsageError: no such name (the near one is suggested) or file; a file that defines no
            ``PHENOMENON``.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    module = resolve(name).replace("/", ".")
    return importlib.import_module(f"{__name__}.{module}").PHENOMENON


def _in_reading_order(chapter: str) -> list[str]:
    text = introduction(chapter)
    folder = Path(__path__[0]) / chapter
    found = [p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")]
    # Those that the introduction does not name come last.
    told = {name: text.find(f"`{name}`") for name in found}
    return sorted(found, key=lambda name: (told[name] < 0, told[name], name))


def _from_file(path: Path) -> Phenomenon:
    """Import a file, anew where it or what it imports from beside it was edited since."""
    if not path.is_file():
        raise UsageError("there is no such file", got=str(path), allowed="a phenomenon's .py file")
    # Workers import it by its name, so its folder joins the path that they are given: at the end,
    # so that no file beside it stands in for a module of Python's.
    path = path.resolve()
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    files = {*map(str, source_files(path)), *parts_of(path)}
    known = imported_files()
    if any(known[file] != digest_of(file) for file in files & known.keys()):
        for name, file in own_modules().items():
            if file in files:
                del sys.modules[name]
        importlib.invalidate_caches()
    with blaming_code(path.stem, "the import", passing=(Exception,)), watched_imports():
        module = importlib.import_module(path.stem)
    found = getattr(module, "PHENOMENON", None)
    if Path(module.__file__ or "").resolve() != path:
        raise UsageError("another module has this name", got=path.stem, remedy="rename the file")
    if not isinstance(found, Phenomenon):
        raise UsageError(
            "the file defines no PHENOMENON", got=str(path), allowed="PHENOMENON = Phenomenon(...)"
        )
    # What the text does not show of its imports shows when they happen.
    remember_parts(path, files | {f for f, d in imported_files().items() if known.get(f) != d})
    return found
