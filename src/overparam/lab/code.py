"""Whose code a study's records come from: the files outside this package, each by its hash.

A record's key knows the phenomenon's name, revision and fields, but a file of the user's own is
edited without a thought for its revision. So a study keeps the SHA-256 of every file that decides
its records: the phenomenon's own file with what it imports from beside it, and the modules that
its cells load by name, such as a probed network. Imports are read from the source text, so what
is found does not depend on what else this process has imported. A hash sees any edit, a comment
too: whoever knows that an edit changes no record says so (`accept_edits`).
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overparam.lab.phenomenon import Phenomenon
from overparam.models.own_modules import source_files

_PACKAGE = __name__.partition(".")[0]
PHENOMENON = "phenomenon"  # what the phenomenon's own files are kept under
Code = Mapping[str, Mapping[str, str]]


def own_code(phenomenon: Phenomenon, conditions: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Return the code outside this package that decides the records of these cells.

    Returns:
        ``"phenomenon"`` and each name that a cell loads code by, to file and digest; only those
        of which there are files.
    """
    found = {PHENOMENON: _digests_of(phenomenon)}
    for condition in conditions:
        for name, files in phenomenon.loads(condition).items():
            if name not in found and files:
                beside = Path(files[0]).resolve().parent
                found[name] = {_name(path, beside): _digest(path) for path in files}
    return {name: files for name, files in found.items() if files}


def edited_files(known: Any, code: Code) -> list[str]:
    """Return the files of `code` that are not as a study knows them."""
    edited = []
    for name, files in code.items():
        before = known.get(name) if isinstance(known, dict) else None
        if isinstance(before, dict):
            edited += [f for f in {**before, **files} if before.get(f) != files.get(f)]
    return list(dict.fromkeys(map(str, edited)))


def what_a_hash_misses(code: Code) -> list[str]:
    """Return the note, if any, on what a study knows of code outside the package, and what not."""
    files = list(dict.fromkeys(file for files in code.values() for file in files))
    if not files:
        return []
    return [
        f"the study knows the code of {', '.join(files)} by its hash; data that this code reads, "
        "packages that it imports and the environment are not in it"
    ]


def _digests_of(phenomenon: Phenomenon) -> dict[str, str]:
    parts = (phenomenon.run, phenomenon.cells, phenomenon.condition, phenomenon.outcome)
    digests: dict[str, str] = {}
    for part in parts:
        if part.__module__.partition(".")[0] == _PACKAGE:
            continue
        module = sys.modules.get(part.__module__)
        file = getattr(module, "__file__", None)
        if file is None:  # of a notebook
            digests |= _digest_of_text(part)
            continue
        digests |= digests_with_imports(Path(file))
    return dict(sorted(digests.items()))


def digests_with_imports(path: Path) -> dict[str, str]:
    """Return a file and all that it imports from its own folder, with digests."""
    path = path.resolve()
    return {_name(p, path.parent): _digest(p) for p in source_files(path)}


def _digest_of_text(part: Any) -> dict[str, str]:
    try:
        text = inspect.getsource(part)
    except (OSError, TypeError):
        return {}
    return {f"{part.__qualname__} of {part.__module__}": hashlib.sha256(text.encode()).hexdigest()}


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _name(path: Path, root: Path) -> str:
    return os.path.relpath(Path(path).resolve(), root)
