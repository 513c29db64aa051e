"""Study folders: where they lie by default, and how one is opened again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.cli.parse import parse_phenomenon
from overparam.errors import ResourceError, StoreError
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


def phenomenon_of(folder: Path, given: str | None = None) -> Phenomenon | None:
    """Return the phenomenon whose study is in `folder`: the package's own, or the one that this
    user has named; None where the study names code from elsewhere, which is not run.

    Args:
        given: its name or file.

    Raises:
        StoreError: there is no study.
    """
    from overparam import api

    found = api.phenomenon_of(folder)
    return parse_phenomenon(given) if given else found


def keep_source(folder: Path, phenomenon: Phenomenon, path: Path, fresh: bool) -> None:
    """Write into the study which file its phenomenon is from, so that it can be found again."""
    with Store.open(folder, phenomenon, fresh=fresh) as store:
        store.set("source", str(path.resolve()))


def describe_folder(folder: Path) -> dict[str, Any] | None:
    """Return what a listing shows of the study in `folder`, or None where there is none.

    One that cannot be read has a ``problem``, and is otherwise empty.
    """
    try:
        found = peek(folder)
        if found is None:
            return None
        design, provenance, verdicts = (
            _dict(found.get(name)) for name in ("design", "provenance", "verdicts")
        )
        n_planned = design.get("cells")
        n_planned = n_planned if type(n_planned) is int else 0
        return {
            "folder": str(folder),
            "phenomenon": str(found.get("phenomenon", "")),
            "scale": str(design.get("scale", "")),
            "settings": _dict(design.get("settings")),
            "n_cells": n_planned,
            "n_records": found["n_records"],
            "complete": bool(n_planned) and found["n_records"] >= n_planned,
            "verdicts": {str(arm): str(kind) for arm, kind in verdicts.items()},
            "created": str(provenance.get("created", "")),
            "problem": "",
        }
    except (StoreError, ResourceError) as error:
        nothing = {"phenomenon": "", "scale": "", "settings": {}, "n_cells": 0, "n_records": 0}
        more = {"complete": False, "verdicts": {}, "created": "", "problem": str(error)}
        return {"folder": str(folder), **nothing, **more}


def seconds_of_a_cell(folder: Path, phenomenon: Phenomenon, device: str) -> float | None:
    """Return the mean computing time of a cell of the study in `folder`.

    None where there is no study of this phenomenon's revision, run on this machine and device.
    """
    from overparam.lab.machine import describe_machine

    with contextlib.suppress(StoreError, ResourceError, OSError):
        found = peek(folder) or {}
        design, provenance = _dict(found.get("design")), _dict(found.get("provenance"))
        same = (
            (found.get("phenomenon"), phenomenon.name),
            (found.get("revision"), phenomenon.revision),
            (provenance.get("device"), device),
            (_dict(provenance.get("machine")).get("cpu"), describe_machine()["cpu"]),
        )
        seconds, n_cells = provenance.get("seconds"), design.get("cells")
        if all(a == b for a, b in same) and type(seconds) is float and type(n_cells) is int:
            n_cells = min(n_cells, found["n_records"])  # of a study that was interrupted
            if n_cells > 0 and 0 < seconds < float("inf"):
                return seconds / n_cells
    return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
