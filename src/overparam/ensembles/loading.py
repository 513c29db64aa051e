"""`load_ensemble`: an ensemble from its folder, without its model and data; nothing is run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from overparam.checks import check_path
from overparam.ensembles.ensemble import Ensemble
from overparam.ensembles.members import Members
from overparam.ensembles.of_members import MakeLarger
from overparam.ensembles.setup import ABOUT, Setup, kind_of_outcome, study_of
from overparam.ensembles.target_ensemble import TargetEnsemble
from overparam.errors import StoreError
from overparam.lab.records import Records
from overparam.lab.sqlite_errors import FRESH
from overparam.lab.store import Store


def load_ensemble(folder: str | Path) -> Ensemble | TargetEnsemble:
    """Return the ensemble kept in a folder, without its model and data: nothing is run.

    Raises:
        StoreError: there is no study, it is damaged, or no ensemble's.
    """
    place = check_path(folder)
    with Store.read_only(place) as store:
        store.check_phenomenon(study_of())  # before it is asked what it is the ensemble of
        about = about_of(store)
        records = store.read(study_of(outcome=kind_of_outcome(about["classes"])))
    ordered = sorted(records, key=lambda r: (r.condition.ratio, r.condition.number))
    return ensemble_of(Members.of(place, Records(ordered), about))


def ensemble_of(
    members: Members, setup: Setup | None = None, larger: MakeLarger | None = None
) -> Ensemble | TargetEnsemble:
    """Return the ensemble of members: of classes, or of targets."""
    if members.about["classes"] is None:
        return TargetEnsemble(members, setup, larger)
    return Ensemble(members, setup, larger)


def about_of(store: Store) -> dict[str, Any]:
    """Return what a study says that it is the ensemble of.

    Raises:
        StoreError: that is no description.
    """
    about = store.get(ABOUT)
    try:
        labels, classes, tested = about["labels"], about["classes"], about["test_labels"]
        whole = all(_is_label(k, classes) for k in (*labels, *(tested or ())))
        left_out = about.get("left_out", [])  # older ones do not say
        whole &= all(type(k) is int and 0 <= k < len(labels) for k in left_out)
        texts = [about["model"], *about["findings"], *about["notes"]]
        whole &= all(isinstance(text, str) for text in texts)
        whole &= isinstance(about["identity"], dict)
    except (TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise StoreError(
            "what this study says of its ensemble cannot be read", got=str(store.folder),
            remedy=FRESH,
        )  # fmt: skip
    return about


def _is_label(label: Any, classes: Any) -> bool:
    """Whether it is the position of a class; where there are no classes, a number."""
    if classes is None:
        return type(label) is float and math.isfinite(label)
    return type(label) is int and 0 <= label < len(classes)
