"""What is known of the knobs of others' models: by the names of classes and of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV

from overparam.audits.variants import Direction

Knob = tuple[str, str, Direction]  # parameter, its new value or factor, what that does

_LEAVES: tuple[Knob, ...] = (
    ("min_samples_leaf", "=5", "regularized"),
    ("min_samples_leaf", "=20", "regularized"),
)
_ROUNDS: tuple[Knob, ...] = (
    ("n_estimators", "/4", "shorter"),
    ("n_estimators", "*2", "longer"),
)
_ITERATIONS: tuple[Knob, ...] = (("max_iter", "/4", "shorter"), ("max_iter", "*2", "longer"))
_C: tuple[Knob, ...] = (("C", "/10", "regularized"), ("C", "*10", "bigger"))
_ALPHA: tuple[Knob, ...] = (("alpha", "*10", "regularized"), ("alpha", "/10", "bigger"))
_NEIGHBORS: tuple[Knob, ...] = (
    ("n_neighbors", "=1", "bigger"),
    ("n_neighbors", "*5", "regularized"),
)
_HIDDEN: tuple[Knob, ...] = (
    ("hidden_layer_sizes", "/4", "smaller"),
    ("hidden_layer_sizes", "*2", "bigger"),
)
_TASKS = ("Classifier", "Regressor")

# Names of classes, whoever wrote them, to how their knob is turned.
KNOBS: dict[str, tuple[Knob, ...]] = {
    **{
        f"{family}{task}": knobs
        for knobs, families in (
            (_LEAVES, ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree")),
            (_ROUNDS, ("GradientBoosting", "XGB", "LGBM", "AdaBoost")),
            (_ITERATIONS, ("HistGradientBoosting",)),
            (_NEIGHBORS, ("KNeighbors",)),
            (_HIDDEN, ("MLP",)),
            (_ALPHA, ("SGD",)),
        )
        for family in families
        for task in _TASKS
    },
    **dict.fromkeys(("LogisticRegression", "LinearSVC", "LinearSVR", "SVC", "SVR"), _C),
    **dict.fromkeys(("RidgeClassifier", "Ridge", "Lasso", "ElasticNet", "KernelRidge"), _ALPHA),
}
# Parameters that are None until the fit, to what they are then.
_DEFAULTS = {"XGBClassifier": 100, "XGBRegressor": 100}

# Models without a knob, to what stands in for them with one: its name, and how it is made.
SWAPS: dict[str, tuple[str, Callable[[], Any]]] = {
    "LinearRegression": ("a ridge penalty", lambda: RidgeCV(np.logspace(-3, 3, 7))),
}

# Parameters of which more is longer training, and of which more is less capacity.
LENGTHS = frozenset({"n_estimators", "max_iter", "iterations", "epochs", "steps"})
PENALTIES = frozenset(
    {
        "alpha", "ccp_alpha", "dropout", "l2_regularization", "min_samples_leaf",
        "min_samples_split", "n_neighbors", "reg_alpha", "reg_lambda", "weight_decay",
    }
)  # fmt: skip


def changed(kind: str, value: Any, change: str) -> Any:
    """Return a parameter of a kind of model as the change says; None where it cannot be so.

    >>> changed("Ridge", 100, "/4"), changed("Ridge", 1.0, "*10"), changed("Ridge", "auto", "/4")
    (25, 10.0, None)
    >>> changed("MLPClassifier", (100, 50), "*2"), changed("XGBClassifier", None, "*2")
    ((200, 100), 200)
    """
    by = float(change[1:])
    if change[0] == "=":
        return int(by)
    if value is None:
        value = _DEFAULTS.get(kind)
    if isinstance(value, tuple | list):
        return tuple(changed(kind, part, change) for part in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    scaled = value * by if change[0] == "*" else value / by
    return max(round(scaled), 1) if isinstance(value, int) else scaled


def cost_of(parameter: str, change: str) -> float:
    """Return what a fit costs with a parameter changed so, in fits without the change.

    >>> cost_of("n_estimators", "*2"), cost_of("n_estimators", "/4"), cost_of("C", "*10")
    (2.0, 0.25, 1.0)
    """
    if parameter not in LENGTHS and parameter != "hidden_layer_sizes":
        return 1.0
    by = float(change[1:])
    return by if change[0] == "*" else 1 / by
