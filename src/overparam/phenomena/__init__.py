"""The phenomena: one file each in this folder; a new file is found, never registered."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from pathlib import Path

from overparam.errors import UsageError, suggest
from overparam.lab.phenomenon import Phenomenon, paragraph

PROBES = ("identity_probe",)  # are asked by commands of their own, and not listed


def names() -> list[str]:
    """Return the names of all phenomena, without importing any."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def claim_of(name: str) -> str:
    """Return the claim of a phenomenon from its docstring, without importing it."""
    source = (Path(__path__[0]) / f"{name}.py").read_text(encoding="utf-8")
    return paragraph(ast.get_docstring(ast.parse(source)) or "", "Claim")


def find(name: str) -> Phenomenon:
    """Return a phenomenon by its name, or by the path of a file of one's own.

    Raises:
        UsageError: no such name (the near one is suggested) or file; a file that defines no
            ``PHENOMENON``.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    if name in PROBES:  # a study of a probe is opened by its name, as any other
        return importlib.import_module(f"overparam.probes.{name}").PHENOMENON
    known = names()
    if name not in known:
        raise UsageError(
            "unknown phenomenon",
            got=name,
            allowed=", ".join(known),
            remedy=suggest(name, known) or "or the path of a file ending in .py",
        )
    return importlib.import_module(f"{__name__}.{name}").PHENOMENON


def _from_file(path: Path) -> Phenomenon:
    if not path.is_file():
        raise UsageError("there is no such file", got=str(path), allowed="a phenomenon's .py file")
    # Workers import it by its name, so its folder joins the path that they are given: at the end,
    # so that no file beside it stands in for a module of Python's.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.import_module(path.stem)
    found = getattr(module, "PHENOMENON", None)
    if Path(module.__file__ or "").resolve() != path.resolve():
        raise UsageError("another module has this name", got=path.stem, remedy="rename the file")
    if not isinstance(found, Phenomenon):
        raise UsageError(
            "the file defines no PHENOMENON", got=str(path), allowed="PHENOMENON = Phenomenon(...)"
        )
    return found
