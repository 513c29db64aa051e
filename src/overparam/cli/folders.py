"""Study folders: where they lie by default, and how one is opened again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.parse import parse_phenomenon
from overparam.errors import StoreError, UsageError
from overparam.lab.store import Store, peek

if TYPE_CHECKING:
    from overparam.lab.phenomenon import Phenomenon

STUDIES = Path("studies")


def default_folder(name: str, scale: str, settings: Mapping[str, str]) -> Path:
    """Return the folder of a study: studies/NAME-SCALE, with what is set by hand appended.

    >>> str(default_folder("memorization/random_labels", "smoke", {"n_train": "500"}))
    'studies/memorization/random_labels-smoke-n_train=500'
    """
    *chapter, last = name.split("/")
    words = [last, scale, *(f"{field}={value}" for field, value in sorted(settings.items()))]
    return STUDIES.joinpath(*chapter, re.sub(r"[^\w.=+-]+", "_", "-".join(words)))


def phenomenon_of(folder: Path, given: str | None = None) -> Phenomenon:
    """Return the phenomenon whose study is in `folder`.

    Args:
        given: its name or file, where the one that was run has moved.

    Raises:
        StoreError: there is no study, or it ended before its design was written.
        UsageError: its file is not there any more.
    """
    with Store.read_only(folder) as store:
        name, source, design = (store.get(n) for n in ("phenomenon", "source", "design"))
    if design is None:
        raise StoreError(
            "this study ended before its first cell", got=str(folder), remedy="run it again"
        )
    if source and not given and not Path(source).is_file():
        raise UsageError(
            "the phenomenon's file is not where it was when the study was run",
            got=source,
            remedy="name it with --phenomenon FILE.py",
        )
    return parse_phenomenon(given or source or name)


def keep_source(folder: Path, phenomenon: Phenomenon, path: Path, fresh: bool) -> None:
    """Write into the study which file its phenomenon is from, so that it can be found again."""
    with Store.open(folder, phenomenon, fresh=fresh) as store:
        store.set("source", str(path.resolve()))


def describe_folder(folder: Path) -> dict[str, Any] | None:
    """Return what a listing shows of the study in `folder`, or None where there is none."""
    found = peek(folder)
    if found is None or "phenomenon" not in found:
        return None
    design = found.get("design") or {}
    provenance = found.get("provenance") or {}
    n_planned = design.get("cells", 0)
    return {
        "folder": str(folder),
        "phenomenon": found["phenomenon"],
        "scale": design.get("scale", ""),
        "settings": design.get("settings", {}),
        "n_cells": n_planned,
        "n_records": found["n_records"],
        "complete": bool(n_planned) and found["n_records"] >= n_planned,
        "verdicts": found.get("verdicts") or {},
        "created": provenance.get("created", ""),
    }
