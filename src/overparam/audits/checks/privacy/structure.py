"""OP401: whether the model holds training rows as such, or nearly, by the way it is built."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.data.rows import is_sparse, n_rows

_FEWEST = 5  # rows of a leaf, below which it speaks of single rows
_KEEP_ALL = (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    GaussianProcessClassifier,
    GaussianProcessRegressor,
    KernelRidge,
)
_KEEP_SOME = (SVC, SVR, NuSVC, NuSVR)
_STORES = ("support_vectors_", "_fit_X", "X_train_", "X_fit_", "X_")  # rows, in a fitted model
_PARTS = ("best_estimator_", "estimators_", "calibrated_classifiers_", "estimator")


@dataclass(frozen=True)
class _Held:
    """What a model holds of its rows.

    Attributes:
        n_stored: rows that it keeps as such; NaN of some, how many only a fitted model says.
        in_tiny_leaves: share of the rows in leaves of fewer than 5, mean over trees; 0 without
            trees, and NaN where parameters allow it and no fitted model says how many.
    """

    n_stored: float
    in_tiny_leaves: float


def _run(evidence: Evidence) -> Finding:
    n = evidence.subject.n_rows
    held = _held(evidence)
    details = {"n_stored": held.n_stored, "in_leaves_of_fewer_than_5": held.in_tiny_leaves}
    if held.n_stored != 0:
        some = "some" if math.isnan(held.n_stored) else f"{held.n_stored:,.0f}"
        return Finding(
            "found",
            f"The model keeps {some} of {n:,} training rows as they are: whoever has it, has them",
            severity="medium",
            measured=_exactly(held.n_stored / n, "a model that keeps none"),
            action=_GIVE_AWAY,
            details=details,
        )
    if held.in_tiny_leaves != 0:
        unknown = math.isnan(held.in_tiny_leaves)
        told = "Rows may lie" if unknown else f"{held.in_tiny_leaves:.0%} of the rows lie"
        return Finding(
            "found",
            f"{told} in leaves of fewer than {_FEWEST} rows, which speak of single rows",
            severity="low",
            measured=_exactly(held.in_tiny_leaves, f"leaves of {_FEWEST} rows and more"),
            action=_LARGER_LEAVES,
            details=details,
        )
    return Finding(
        "passed",
        "The model keeps no training row as such, nor leaves of fewer than 5 rows; what it gives "
        "away by its answers OP402 measures",
        details=details,
    )


_GIVE_AWAY = (
    "if the rows are confidential, do not hand the model out: answer questions through it, or take "
    "a model that keeps no rows"
)
_LARGER_LEAVES = (
    "if the rows are confidential, set min_samples_leaf=5 or more, and see in OP402 what the "
    "answers give away"
)


def _held(evidence: Evidence) -> _Held:
    """Look into the fitted model, or, where there is none, at what its parameters allow."""
    if evidence.subject.kind == "network":
        return _Held(0, 0.0)
    if evidence.has("one"):
        parts = list(_parts(evidence.one.fitted.model))
        tiny = [_tiny_leaves(part.tree_) for part in parts if hasattr(part, "tree_")]
        return _Held(max(map(_stored, parts)), float(np.mean(tiny)) if tiny else 0.0)
    parts = list(_parts(evidence.subject.model))
    if any(isinstance(part, _KEEP_ALL) for part in parts):
        return _Held(evidence.subject.n_rows, 0.0)
    if any(isinstance(part, _KEEP_SOME) and part.kernel != "linear" for part in parts):
        return _Held(math.nan, 0.0)
    return _Held(0, math.nan if any(map(_may_be_tiny, parts)) else 0.0)


def _exactly(share: float, baseline: str) -> Measured:
    return Measured(share, share, share, "of the rows", 0.0, baseline)


def _parts(model: Any) -> Iterator[Any]:
    """Yield a model and what it is made of: the last step of a pipeline, members of an ensemble."""
    yield model
    steps = getattr(model, "steps", None)
    inside = [steps[-1][1]] if steps else []
    for name in _PARTS:
        # A forest's `estimator` is the pattern of its trees, and no parameter of its own.
        is_pattern = hasattr(model, "get_params") and name not in model.get_params(deep=False)
        some = None if is_pattern and not name.endswith("_") else getattr(model, name, None)
        if some is not None:
            inside += list(np.ravel(np.array(some, object))) if name.endswith("s_") else [some]
    for part in inside:
        if part is not model and not isinstance(part, str):
            yield from _parts(part)


def _stored(part: Any) -> int:
    for name in _STORES:
        rows: Any = getattr(part, name, None)
        if np.ndim(rows) == 2 or is_sparse(rows):
            return int(n_rows(rows))
    return 0


def _tiny_leaves(tree: Any) -> float:
    sizes = tree.n_node_samples[tree.children_left == -1]
    return float(sizes[sizes < _FEWEST].sum() / sizes.sum())


def _may_be_tiny(part: Any) -> bool:
    least = getattr(part, "min_samples_leaf", None)
    is_bounded = getattr(part, "max_depth", None) or getattr(part, "max_leaf_nodes", None)
    return isinstance(least, int) and least < _FEWEST and not is_bounded


def _applies(subject: Subject) -> str:
    if subject.kind in ("estimator", "network"):
        return ""
    return "what the model holds is not known: only its answers are"


CHECK = Check("OP401", "Rows held by the model", _run, applies=_applies)
