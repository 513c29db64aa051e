"""Whose code a study's records come from: the files outside this package, each by its hash.

A record's key knows the phenomenon's name, revision and fields, but a file of the user's own is
edited without a thought for its revision. So a study keeps the SHA-256 of every file that decides
its records, which are found in two ways:

- before a run, from the text: the phenomenon's own file with what it imports from beside it (of a
  notebook, its functions with what they reach there), and the modules that its cells load by name,
  such as a probed network. So an edit is refused before
  anything is computed, whatever else this process has imported;
- with each unit of work, from what the process that ran it had imported (`models.own_imports`).
  What the text does not show, such as a path that it adds, joins the study's code; a file that is
  not as it was when the run began is refused, and the unit with it.

A hash sees any edit, a comment too: whoever knows that an edit changes no record says so
(`accept_edits`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from overparam.errors import StoreError
from overparam.lab.phenomenon import Phenomenon
from overparam.models.own_imports import digest_of, own_modules, parts_of
from overparam.models.own_modules import source_files

_PACKAGE = __name__.partition(".")[0]
_MOST_NAMES = 12  # of files in a note
PHENOMENON = "phenomenon"  # what the phenomenon's own files are kept under
Digests = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class OwnCode:
    """The code outside this package that decides the records of a study.

    Attributes:
        files: ``"phenomenon"`` and each name that a cell loads code by, to file and digest; only
            those of which there are files. This is what a study keeps.
        folders: the same names to the folder from which their files are named.
    """

    files: dict[str, dict[str, str]]
    folders: dict[str, Path]

    def with_imported(self, imported: Mapping[str, str]) -> OwnCode:
        """Return the code with what a process has imported of the user's files while it ran cells.

        Args:
            imported: file to digest.

        Raises:
            StoreError: a file was imported that is not as this code knows it.
        """
        files = {name: dict(known) for name, known in self.files.items()}
        edited = []
        for file, digest in imported.items():
            paths = {name: _name(Path(file), folder) for name, folder in self.folders.items()}
            holders = [name for name, path in paths.items() if path in files[name]] or list(paths)
            for name in holders:
                if files[name].setdefault(paths[name], digest) != digest:
                    edited.append(paths[name])
        if edited:
            raise StoreError(
                "code of the study was edited while it ran; what was computed since is not kept",
                got=", ".join(dict.fromkeys(edited)),
                allowed="the files as they were when the run began",
                remedy="undo the edit and run again, which goes on from the records that are kept, "
                "or run with --fresh or another --out",
            )
        return replace(self, files=files)


def own_code(phenomenon: Phenomenon, conditions: Sequence[Any], known: Any = None) -> OwnCode:
    """Return the code outside this package that decides the records of these cells, as it is now.

    Args:
        known: what a study knows already (`OwnCode.files`, as its folder tells), which may have
            more files than the text shows.
    """
    files, folders = {}, {}
    digests, folder = _digests_of(phenomenon)
    if digests:
        files[PHENOMENON], folders[PHENOMENON] = digests, folder
    for condition in conditions:
        for name, paths in phenomenon.loads(condition).items():
            if name not in files and paths:
                folders[name] = Path(paths[0]).resolve().parent
                files[name] = {_name(path, folders[name]): digest_of(path) for path in paths}
    for name, digests in files.items():
        before = known.get(name) if isinstance(known, dict) else None
        for file in before if isinstance(before, dict) else ():
            if isinstance(file, str) and file not in digests:
                digests[file] = digest_of(folders[name] / file)
    return OwnCode(files, folders)


def foreign_files(phenomenon: Phenomenon, code: OwnCode) -> frozenset[str]:
    """Return the user's files in this process that are none of the phenomenon's.

    Where cells run in the user's own process, a notebook or a script has imported other files
    before, which decide no record. What is imported from now on is not among them.
    """
    own = {os.path.realpath(code.folders[n] / f) for n, fs in code.files.items() for f in fs}
    for part in (phenomenon.run, phenomenon.condition):
        file = getattr(sys.modules.get(part.__module__), "__file__", None)
        own |= parts_of(file) if file else set()
    return frozenset(own_modules().values()) - own


def edited_files(known: Any, files: Digests) -> list[str]:
    """Return those of `files` that are not as a study knows them."""
    edited = []
    for name, now in files.items():
        before = known.get(name) if isinstance(known, dict) else None
        if isinstance(before, dict):
            edited += [f for f in {**before, **now} if before.get(f) != now.get(f)]
    return list(dict.fromkeys(map(str, edited)))


def what_a_hash_misses(code: OwnCode) -> list[str]:
    """Return the note, if any, on what a study knows of code outside the package, and what not."""
    files = list(dict.fromkeys(file for files in code.files.values() for file in files))
    if not files:
        return []
    more = f" and {len(files) - _MOST_NAMES} more" if len(files) > _MOST_NAMES else ""
    return [
        f"the study knows the code of {', '.join(files[:_MOST_NAMES])}{more} by its hash; data "
        "that this code reads (text that it executes itself, too), installed packages, programs "
        "that it starts and the environment are not in it"
    ]


def digests_with_imports(path: Path, folder: Path | None = None) -> dict[str, str]:
    """Return a file and all that it imports from beside it, with digests.

    Args:
        folder: from which the files are named, by default the file's own.
    """
    path = path.resolve()
    return {_name(p, folder or path.parent): digest_of(p) for p in source_files(path)}


def _digests_of(phenomenon: Phenomenon) -> tuple[dict[str, str], Path]:
    """Return the phenomenon's own files, and the folder from which they are named."""
    parts = (phenomenon.run, phenomenon.cells, phenomenon.condition, phenomenon.outcome)
    digests: dict[str, str] = {}
    folder, notebook = None, []
    for part in parts:
        if part.__module__.partition(".")[0] == _PACKAGE:
            continue
        module = sys.modules.get(part.__module__)
        file = getattr(module, "__file__", None)
        if file is None:  # of a notebook
            notebook.append(part)
            continue
        folder = folder or Path(file).resolve().parent
        digests |= digests_with_imports(Path(file), folder)
    if notebook:
        # Only here, since it needs PyTorch: a look at a folder's studies need not wait for it.
        from overparam.lab.notebook_code import digests_reached

        digests |= digests_reached(notebook)
    return dict(sorted(digests.items())), folder or Path.cwd()


def _name(path: Path, root: Path) -> str:
    return os.path.relpath(Path(path).resolve(), root)
