"""Counting what an estimator with scikit-learn's interface has learned, or what it would learn."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from overparam.models.census_definitions import LINEAR, Learned, definition_of, lineage
from overparam.models.census_fitted import FittedCount
from overparam.models.census_layers import Counted, LayerCount
from overparam.models.estimator_attributes import is_fitted, settings_of


def count_estimator(
    estimator: Any, n_features: int | None, n_outputs: int | None, n_train: int | None
) -> Counted:
    """Count the parts of an estimator, fitted or not.

    What counts as a parameter: coefficients and intercepts of linear models and networks; of a
    tree, one threshold for each split and the values of each leaf (which feature a split uses is
    not counted); of a kernel machine, the dual coefficients, with the support vectors as buffers;
    of nearest neighbours, nothing, with the stored training rows as buffers; of everything else in
    scikit-learn, what `census_definitions` says. An estimator that holds others, in whatever
    attribute, is as large as they are; one that holds a network is as large as the network. Of an
    estimator of another origin, every fitted floating array counts. Where nothing is found, or
    something that cannot be looked into, the count is not complete: it is unknown, not 0.

    Returns:
        layers, notes on what is not known, and whether the count is complete.
    """
    if not is_fitted(estimator):
        return _count_unfitted(estimator, n_features, n_outputs, n_train)
    count = FittedCount()
    rows = count.rows(estimator, type(estimator).__name__)
    return rows, list(dict.fromkeys([*count.unknown, *count.notes])), not count.unknown


def _count_unfitted(
    estimator: Any, n_features: int | None, n_outputs: int | None, n_train: int | None
) -> Counted:
    kind = type(estimator).__name__
    settings = settings_of(estimator)
    if "steps" in settings:
        return [], [f"{kind} is not fitted: what its steps pass on is known only after fit"], False
    widths = _network_widths(estimator, settings)
    if widths is not None:
        if n_features is None or n_outputs is None:
            return [], [f"{kind} is not fitted: give input_shape and n_outputs to count it"], False
        bias = bool(settings.get("fit_intercept", True))
        sizes = [n_features, *widths, n_outputs]
        label = kind if len(sizes) == 2 else f"{kind}.layer"
        rows = [
            LayerCount(label + (str(i) if widths else ""), kind, n_weights=a * b, n_biases=b * bias)
            for i, (a, b) in enumerate(pairwise(sizes))
        ]
        return rows, [f"{kind} is not fitted: the count follows from the sizes given"], True
    return [], [_unknown_before_fit(settings, kind, n_train)], False


def _network_widths(estimator: Any, settings: dict[str, Any]) -> list[int] | None:
    if "BaseMultilayerPerceptron" in lineage(type(estimator)):
        return list(np.atleast_1d(settings["hidden_layer_sizes"]).tolist())
    known = definition_of(type(estimator))
    is_linear = isinstance(known, Learned) and replace(known, note="") == LINEAR
    return [] if is_linear else None


def _unknown_before_fit(settings: dict[str, Any], kind: str, n_train: int | None) -> str:
    if "max_leaf_nodes" in settings:
        depth = settings.get("max_depth")
        caps = [settings["max_leaf_nodes"], n_train, None if depth is None else 2**depth]
        known = [cap for cap in caps if cap is not None]
        bound = f", at most {min(known):,} leaves a tree" if known else ""
        n_trees = settings.get("n_estimators", settings.get("max_iter", 1))
        return f"{kind} is not fitted: its trees grow with the data ({n_trees} round(s){bound})"
    if "n_neighbors" in settings:
        return f"{kind} is not fitted: it will store the training set and learn no parameters"
    if "kernel" in settings:
        bound = f", at most {n_train:,} support vectors" if n_train else ""
        return f"{kind} is not fitted: its size follows from the data{bound}"
    return f"{kind} is not fitted: its size is known only after fit"
