"""Whose code a study's records come from: the files outside this package, each by its hash.

A record's key knows the phenomenon's name, revision and fields, but a file of the user's own is
edited without a thought for its revision. So a study keeps the SHA-256 of every file that decides
its records, which are found in two ways:

- before a run, from the text: the phenomenon's own file with what it imports from beside it (of a
  notebook, the functions that are reached there), and the modules that its cells load by name,
  such as a probed network. So an edit is refused before
  anything is computed, whatever else this process has imported;
- with each unit of work, from what the process that ran it had imported (`models.own_imports`).
  What the text does not show, such as a path that it adds, joins the study's code; a file that is
  not as it was when the run began is refused, and the unit with it.

With them it keeps the values that the phenomenon's functions hold, which no text tells: see
`lab.reached`.

A hash sees any edit, a comment too: whoever knows that an edit changes no record says so
(`accept_edits`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from overparam.errors import OverparamError, StoreError
from overparam.lab.blame import blaming_code
from overparam.lab.callables import code_behind
from overparam.lab.digests import WITHOUT, is_other, is_reordered
from overparam.lab.phenomenon import Phenomenon
from overparam.models.own_imports import digest_of, imported_files, parts_of
from overparam.models.own_modules import source_files

_PACKAGE = __name__.partition(".")[0]
_MOST_NAMES = 12  # of files in a note
PHENOMENON = "phenomenon"  # what the phenomenon's own files are kept under
VALUES = "values"  # what the values that its functions hold are kept under
_CHANGES = "changes while cells run"  # in place of the digest of such a value, as of a cache
Digests = Mapping[str, Mapping[str, str]]
# What cells changed in this process, with digests before and after: what another study finds
# changed already, as an attribute that is computed when it is first asked for, a next process has
# as it was before.
_changed: dict[str, set[str]] = {}


@dataclass(frozen=True)
class OwnCode:
    """The code outside this package that decides the records of a study.

    Attributes:
        files: ``"phenomenon"`` and each name that a cell loads code by, to file and digest; only
            those of which there are files. ``"values"``, to what is held and its digest. This is
            what a study keeps.
        folders: the names of which there are files to the folder from which they are named.
        in_cells: functions and classes that cells run, by name, with digests of the values that
            they hold and of those that they read from their modules.
    """

    files: dict[str, dict[str, str]]
    folders: dict[str, Path]
    in_cells: tuple[Mapping[str, Any], Mapping[str, str]] = field(default=({}, {}))

    def paths(self, name: str = PHENOMENON) -> list[Path]:
        """Return the files that are kept under a name, and what is in no file as if it were one.

        What a forged study names that can be no path is left out.
        """
        folder = self.folders.get(name)
        return [folder / file for file in self.files[name] if _is_path(file)] if folder else []

    def with_known(self, known: Any) -> OwnCode:
        """Return the code with what a study knows of more files, and of values that change.

        Args:
            known: `files`, as the study's folder tells, or what a forged one tells.
        """
        files = {name: dict(digests) for name, digests in self.files.items()}
        for name, digests in files.items():
            before = known.get(name) if isinstance(known, dict) else None
            more = before.items() if isinstance(before, dict) else ()
            if name == VALUES:
                digests |= {n: digest for n, digest in more if digest == _CHANGES}
                continue
            for file in [f for f, _ in more if isinstance(f, str) and f not in digests]:
                digests[file] = digest_of(self.folders[name] / file)
        return replace(self, files=files)

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

    def after(self, now: OwnCode) -> tuple[OwnCode, list[str]]:
        """Return the code as it is kept after a run, and notes of what changed meanwhile.

        A value that changes while cells run, such as a table of what was computed before, is no
        setting of theirs: from now on it may be another.
        """
        values = edited_files({VALUES: self.files.get(VALUES)}, {VALUES: now.files.get(VALUES, {})})
        texts = [f for f in edited_files(self.files, now.files) if f not in values]
        notes = [
            *(
                f"{file} was edited while the study ran; the records are of the text before"
                for file in texts
            ),
            *(
                f"{name} changed while cells ran here, so it is taken for none of their settings"
                for name in values
            ),
        ]
        for name in values:
            both = (code.files.get(VALUES, {}).get(name) for code in (self, now))
            _changed.setdefault(name, set()).update(digest for digest in both if digest)
        kept = {**self.files.get(VALUES, {}), **dict.fromkeys(values, _CHANGES)}
        return replace(self, files={**self.files, VALUES: kept} if values else self.files), notes


def own_code(phenomenon: Phenomenon, conditions: Sequence[Any], known: Any = None) -> OwnCode:
    """Return the code outside this package that decides the records of these cells, as it is now.

    Args:
        known: what a study knows already (`OwnCode.files`, as its folder tells), which may have
            more files than the text shows.
    """
    files, folders = {}, {}
    with blaming_code(phenomenon.name, "a value in the code", passing=(OverparamError,)):
        digests, values, folder, in_cells = _digests_of(phenomenon)
    if digests or values:
        files[PHENOMENON], folders[PHENOMENON] = digests, folder
    for condition in conditions:
        for name, paths in phenomenon.loads(condition).items():
            if name not in files and paths:
                folders[name] = Path(paths[0]).resolve().parent
                files[name] = {_name(path, folders[name]): digest_of(path) for path in paths}
    if PHENOMENON in files:
        files[VALUES] = {n: _CHANGES if d in _changed.get(n, ()) else d for n, d in values.items()}
    return OwnCode(files, folders, in_cells).with_known(known)


def foreign_files(phenomenon: Phenomenon, code: OwnCode) -> frozenset[str]:
    """Return the user's files in this process that are none of the phenomenon's.

    Where cells run in the user's own process, a notebook or a script has run other files
    before, which decide no record. What is imported from now on is not among them.
    """
    own = {os.path.realpath(path) for name in code.folders for path in code.paths(name)}
    for part in (phenomenon.run, phenomenon.condition):
        file = _file_of(part)
        own |= parts_of(file) if file else set()
    return frozenset(imported_files()) - own


def edited_files(known: Any, files: Digests) -> list[str]:
    """Return those of `files` that are not as a study knows them."""
    return _where(known, files, is_other)


def reordered_values(known: Any, files: Digests) -> list[str]:
    """Return the values among `files` that hold what a study knows of them in another order."""
    return _where(known, files, is_reordered)


def _where(known: Any, files: Digests, differ: Callable[[Any, Any], bool]) -> list[str]:
    found = []
    for name, now in files.items():
        before = known.get(name) if isinstance(known, dict) else None
        if isinstance(before, dict):
            pairs = {f: (before.get(f), now.get(f)) for f in {**before, **now}}
            found += [f for f, both in pairs.items() if _CHANGES not in both and differ(*both)]
    return list(dict.fromkeys(map(str, found)))


def what_a_hash_misses(code: OwnCode) -> list[str]:
    """Return the note, if any, on what a study knows of code outside the package, and what not."""
    files = list(
        dict.fromkeys(f for name, files in code.files.items() if name != VALUES for f in files)
    )
    values = code.files.get(VALUES, {})
    notes = []
    if files:
        notes.append(
            f"the study knows the code of {_listed(files)} by its hash; data "
            "that this code reads (text that it executes itself, too), installed packages, "
            "programs that it starts and the environment are not in it"
        )
    untold = [f"{n} ({d.partition(WITHOUT)[2]})" for n, d in values.items() if WITHOUT in d]
    if untold:
        notes.append(
            f"what a part of these values holds cannot be told, and a change of it is not seen: "
            f"{_listed(untold)}"
        )
    return notes


def order_notes(known: Any, files: Digests) -> list[str]:
    """Return what is to be said of values whose order is not that of a study's records."""
    return [
        f"{name} holds the same in another order than when records were made before, as what is "
        "made from a set does; if cells depend on it, sort it"
        for name in reordered_values(known, files)
        if name not in edited_files(known, files)
    ]


def told_edits(known: Mapping[str, Any], files: Digests) -> list[str]:
    """Return what was edited, each with a word where it is more than another text or value."""
    turned = reordered_values(known, files)
    before = {name for names in known.values() if isinstance(names, dict) for name in names}
    now = {name for names in files.values() for name in names}
    words = {
        name: " (its order)" if name in turned
        else " (new)" if name not in before
        else " (gone)" if name not in now
        else ""
        for name in edited_files(known, files)
    }  # fmt: skip
    return [f"{name}{word}" for name, word in words.items()]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"


def digests_with_imports(path: Path, folder: Path | None = None) -> dict[str, str]:
    """Return a file and all that it imports from beside it, with digests.

    Args:
        folder: from which the files are named, by default the file's own.
    """
    path = path.resolve()
    return {_name(p, folder or path.parent): digest_of(p) for p in source_files(path)}


def _digests_of(phenomenon: Phenomenon) -> tuple[dict[str, str], dict[str, str], Path, Any]:
    """Return the phenomenon's own files, the values that it holds, and where files are named from.

    Code in no file is among the files, by its name. The last are `OwnCode.in_cells`.
    """
    from overparam.lab.reached import what_is_reached  # NumPy; a listing need not wait for it

    named = ("run", "cells", "condition", "outcome")
    parts = {name: getattr(phenomenon, name) for name in named}
    files = [Path(f) for n, p in parts.items() if not _is_packages(p) and (f := _file_of(p))]
    folder = files[0].resolve().parent if files else Path.cwd()
    digests: dict[str, str] = {}
    for file in files:
        digests |= digests_with_imports(file, folder)
    # An object of this package, such as an ensemble's run, has what decides records in their keys.
    followed = {name: part for name, part in parts.items() if not _is_packages_object(part)}
    cells = {name: followed.pop(name) for name in ("cells",) if name in followed}
    design, reached = what_is_reached(cells, folder), what_is_reached(followed, folder)
    for path in {*design.files.values(), *reached.files.values()}:
        digests |= digests_with_imports(path, folder)
    texts = dict(sorted((digests | design.texts | reached.texts).items()))
    values = {**design.values, **reached.values}
    more = what_is_reached(phenomenon.parts, folder).values if phenomenon.parts else {}
    in_cells = {**followed, **phenomenon.parts}, {**reached.values, **more}
    return texts, values, folder, in_cells


def _file_of(part: Any) -> str | None:
    """Return the file of the code that a callable is made of; None in a notebook."""
    return getattr(sys.modules.get(code_behind(part).__module__), "__file__", None)


def _is_packages(part: Any) -> bool:
    return (code_behind(part).__module__ or "").partition(".")[0] == _PACKAGE


def _is_packages_object(part: Any) -> bool:
    return type(part).__module__.partition(".")[0] == _PACKAGE


def _is_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _name(path: Path, root: Path) -> str:
    return os.path.relpath(Path(path).resolve(), root)
