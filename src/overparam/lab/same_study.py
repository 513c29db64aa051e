"""Whether a study is still the one that is asked for: its phenomenon, its code, all its records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from overparam.errors import StoreError
from overparam.lab.sqlite_errors import FRESH

if TYPE_CHECKING:
    from overparam.lab.phenomenon import Phenomenon


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


def refuse_edited(folder: Path, edited: Sequence[str]) -> None:
    """Refuse to go on with records of other code.

    Args:
        edited: files and values that are not as they were when the records were made.
    """
    if edited:
        raise StoreError(
            f"the code of the study in {folder} was edited since its records were made",
            got=", ".join(edited),
            allowed="files, and values that the code holds, as they were",
            remedy="run again with --fresh or choose another --out; --accept-edits keeps the "
            "records, if no edit changes what they hold",
        )


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
