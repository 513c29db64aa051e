"""Whether a study is still the one that is asked for: its phenomenon, its code, all its records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.errors import StoreError
from overparam.lab.code import Digests, edited_files, reordered_values, told_edits
from overparam.lab.sqlite_errors import FRESH

if TYPE_CHECKING:
    from overparam.lab.phenomenon import Phenomenon
    from overparam.lab.store import Store


def refuse_another(folder: Path, name: str, revision: int, phenomenon: Phenomenon) -> None:
    """Refuse a phenomenon, or a revision of it, that is not the study's.

    Args:
        name, revision: of the study's own phenomenon.
    """
    for what, found, wanted in (
        ("phenomenon", name, phenomenon.name),
        ("revision", revision, phenomenon.revision),
    ):
        if found != wanted:
            raise StoreError(
                f"the study in {folder} is of another {what}",
                got=found,
                allowed=wanted,
                remedy=FRESH,
            )


def refuse_unreadable(folder: Path, known: object) -> None:
    """Refuse what a study says of its code if this package has not written it."""
    if not isinstance(known, dict):
        raise StoreError(
            f"what the study in {folder} knows of its code cannot be read",
            got=f"{known!r:.40}",
            allowed="names of code to files and digests",
            remedy=f"restore the folder from a copy, or {FRESH}",
        )


def refuse_edited(folder: Path, known: Mapping[str, Any], code: Digests) -> None:
    """Refuse to go on with records of other code.

    Args:
        known: files and values, with digests, that the records were made with. code: as they are.
    """
    edited = edited_files(known, code)
    if edited:
        turned = set(edited).intersection(reordered_values(known, code))
        said = "what is made from a set has another order in every process: sort it; or "
        raise StoreError(
            f"the code of the study in {folder} was edited since its records were made",
            got=", ".join(told_edits(known, code)),
            allowed="files, and values that the code holds, as they were",
            remedy=f"{said if turned else ''}run again with --fresh or choose another --out; "
            "--accept-edits keeps the records, if no edit changes what they hold",
        )


def check_settings(store: Store, settings: Mapping[str, str], *, accept: bool) -> None:
    """Refuse to go on with records that were made while libraries were set otherwise; keep how.

    Args:
        settings: as `LibrarySettings.told`. accept: take them as the study's all the same.

    Raises:
        StoreError: they are others, and there are records.
    """
    known = store.get("library_settings")
    before = known if isinstance(known, dict) else settings  # of an older study nothing is known
    names = [n for n in {**before, **settings} if before.get(n) != settings.get(n)]
    if names and store.counts() and not accept:
        usual = "as the library has it"
        raise StoreError(
            "libraries are set otherwise than when the records of the study in "
            f"{store.folder} were made",
            got=", ".join(f"{n}: {settings.get(n, usual)}" for n in names),
            allowed=", ".join(f"{n}: {before.get(n, usual)}" for n in names),
            remedy=f"set them as they were, or {FRESH}; --accept-edits keeps the records",
        )
    if known != settings:
        store.set("library_settings", dict(settings))


def refuse_missing(path: Path, n_found: int, n_told: int) -> None:
    """Refuse a study of which there are fewer records than its last writer has written."""
    if n_found < n_told:
        raise StoreError(
            f"records of {path} are missing",
            got=f"{n_found:,}",
            allowed=f"at least {n_told:,}, as its writer says in study.lock",
            remedy="its write-ahead log may have been deleted: restore it from a copy, or run "
            "the study again, which computes what is missing",
        )
