"""Counting what a scikit-learn estimator has learned, or what it would learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from overparam.models.census_layers import LayerCount

Counted = tuple[list[LayerCount], list[str], bool]

# Fitted arrays that describe the data or the course of fitting, and are not part of the function.
NOT_LEARNED = {"classes_", "feature_names_in_", "n_iter_", "loss_curve_", "train_score_"}
NOT_LEARNED |= {"oob_score_", "oob_improvement_", "feature_importances_", "singular_values_"}
NOT_LEARNED |= {"explained_variance_", "explained_variance_ratio_", "estimator_weights_"}
NOT_LEARNED |= {
    "estimator_errors_",
    "validation_scores_",
    "estimators_samples_",
    "alphas_",
    "class_count_",
}
MEMBER_ATTRIBUTES = ("best_estimator_", "regressor_", "estimator_", "final_estimator_")
STORED_PREFIXES = ("X_", "y_", "support_", "_fit_X", "embedding_")


def count_estimator(
    estimator: Any, n_features: int | None, n_outputs: int | None, n_train: int | None
) -> Counted:
    """Count the parts of a scikit-learn estimator, fitted or not.

    What counts as a parameter: coefficients and intercepts of linear models and networks; of a
    tree, one threshold for each split and the values of each leaf (which feature a split uses is
    not counted); of a kernel machine, the dual coefficients, with the support vectors as buffers;
    of nearest neighbours, nothing, with the stored training rows as buffers; of anything else,
    every fitted floating array.

    Returns:
        layers, notes on what is not known, and whether the count is complete.
    """
    if not is_fitted(estimator):
        return _count_unfitted(estimator, n_features, n_outputs, n_train)
    notes: list[str] = []
    return _count_fitted(estimator, type(estimator).__name__, notes), notes, True


def is_fitted(estimator: Any) -> bool:
    """Return whether scikit-learn considers the estimator fitted."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return True


def n_outputs_of(estimator: Any, n_outputs: int | None = None) -> int | None:
    """Return how many numbers an estimator predicts, or None where it does not tell.

    A classifier predicts one number for two classes and K numbers for K > 2.

    Args:
        n_outputs: classes or targets of the training set, used where it is not fitted.
    """
    from sklearn.base import is_classifier

    classes = getattr(estimator, "classes_", None)
    if classes is not None and not isinstance(classes, list):
        n_outputs = len(classes)
    elif not is_classifier(estimator):
        return getattr(estimator, "n_outputs_", n_outputs)
    return 1 if n_outputs == 2 else n_outputs


def _count_fitted(estimator: Any, name: str, notes: list[str]) -> list[LayerCount]:
    kind = type(estimator).__name__
    steps = getattr(estimator, "steps", None) or getattr(estimator, "transformers_", None)
    if isinstance(steps, list):
        parts = [(step[0], step[1]) for step in steps if hasattr(step[1], "get_params")]
        return [
            row for label, part in parts for row in _count_fitted(part, f"{name}.{label}", notes)
        ]
    if hasattr(estimator, "tree_"):
        return [_count_tree(estimator.tree_, name, kind)]
    if hasattr(estimator, "_predictors"):  # histogram boosting keeps its trees under this name
        return [_count_histogram_trees(estimator._predictors, name, kind)]
    if hasattr(estimator, "estimators_"):
        return _count_members(estimator, name, notes)
    for attribute in MEMBER_ATTRIBUTES:
        if hasattr(getattr(estimator, attribute, None), "get_params"):
            return _count_fitted(getattr(estimator, attribute), f"{name}.{attribute}", notes)
    if hasattr(estimator, "coefs_"):
        return [
            LayerCount(f"{name}.layer{i}", kind, n_weights=w.size, n_biases=b.size)
            for i, (w, b) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True))
        ]
    if hasattr(estimator, "dual_coef_") and hasattr(estimator, "support_vectors_"):
        return [_count_kernel_machine(estimator, name, kind, notes)]
    if hasattr(estimator, "n_samples_fit_"):
        stored = int(estimator.n_samples_fit_) * int(estimator.n_features_in_)
        notes.append(f"{name} stores the training set and learns no parameters")
        return [LayerCount(name, kind, n_buffers=stored)]
    if hasattr(estimator, "coef_"):
        biases = int(np.size(getattr(estimator, "intercept_", ())))
        # Without an intercept, scikit-learn leaves the number 0.0 in its place.
        biases = biases if getattr(estimator, "fit_intercept", True) else 0
        return [LayerCount(name, kind, n_weights=_size(estimator.coef_), n_biases=biases)]
    return [_count_arrays(estimator, name, kind, notes)]


def _count_members(ensemble: Any, name: str, notes: list[str]) -> list[LayerCount]:
    # One row for each kind of member: a forest of 500 trees is one row.
    members = [m for m in np.ravel(np.array(ensemble.estimators_, dtype=object)) if m != "drop"]
    merged: dict[str, LayerCount] = {}
    tally: dict[str, int] = {}
    for member in members:
        for row in _count_fitted(member, type(member).__name__, notes):
            tally[row.name] = tally.get(row.name, 0) + 1
            merged[row.name] = merged[row.name].plus(row) if row.name in merged else row
    notes[:] = list(dict.fromkeys(notes))
    rows = [replace(row, name=f"{name}.{tally[key]} x {key}") for key, row in merged.items()]
    if hasattr(getattr(ensemble, "final_estimator_", None), "get_params"):
        rows += _count_fitted(ensemble.final_estimator_, f"{name}.final_estimator_", notes)
    return rows


def _count_tree(tree: Any, name: str, kind: str) -> LayerCount:
    n_leaves, n_nodes = int(tree.n_leaves), int(tree.node_count)
    values = n_leaves * int(np.prod(tree.value.shape[1:]))
    return LayerCount(
        name, kind, n_weights=n_nodes - n_leaves + values, n_nodes=n_nodes, n_leaves=n_leaves
    )


def _count_histogram_trees(predictors: Sequence, name: str, kind: str) -> LayerCount:
    trees = [tree for iteration in predictors for tree in iteration]
    n_nodes = sum(len(tree.nodes) for tree in trees)
    n_leaves = sum(int(tree.get_n_leaf_nodes()) for tree in trees)
    # Each split has one threshold and each leaf one value, so every node counts once.
    label = f"{name}.{len(trees)} trees"
    return LayerCount(label, kind, n_weights=n_nodes, n_nodes=n_nodes, n_leaves=n_leaves)


def _count_kernel_machine(estimator: Any, name: str, kind: str, notes: list[str]) -> LayerCount:
    n_biases = int(np.size(estimator.intercept_))
    if getattr(estimator, "kernel", None) == "linear":
        return LayerCount(name, kind, n_weights=_size(estimator.coef_), n_biases=n_biases)
    notes.append(f"{name} holds support vectors: its size grows with the training set")
    return LayerCount(
        name,
        kind,
        n_weights=_size(estimator.dual_coef_),
        n_biases=n_biases,
        n_buffers=_size(estimator.support_vectors_),
    )


def _count_arrays(estimator: Any, name: str, kind: str, notes: list[str]) -> LayerCount:
    n_weights = n_buffers = 0
    for attribute, value in vars(estimator).items():
        if not attribute.endswith("_") or attribute in NOT_LEARNED:
            continue
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            continue
        if attribute.startswith(STORED_PREFIXES):
            n_buffers += value.size
        elif not attribute.startswith("_"):
            n_weights += value.size
    if n_weights or n_buffers:
        notes.append(f"{name} is counted generically: every fitted floating array is a parameter")
    return LayerCount(name, kind, n_weights=n_weights, n_buffers=n_buffers)


def _count_unfitted(
    estimator: Any, n_features: int | None, n_outputs: int | None, n_train: int | None
) -> Counted:
    kind = type(estimator).__name__
    if hasattr(estimator, "steps"):
        return [], [f"{kind} is not fitted: what its steps pass on is known only after fit"], False
    widths = _network_widths(estimator)
    if widths is not None:
        if n_features is None or n_outputs is None:
            return [], [f"{kind} is not fitted: give input_shape and n_outputs to count it"], False
        bias = bool(getattr(estimator, "fit_intercept", True))
        sizes = [n_features, *widths, n_outputs]
        label = kind if len(sizes) == 2 else f"{kind}.layer"
        rows = [
            LayerCount(label + (str(i) if widths else ""), kind, n_weights=a * b, n_biases=b * bias)
            for i, (a, b) in enumerate(pairwise(sizes))
        ]
        return rows, [f"{kind} is not fitted: the count follows from the sizes given"], True
    return [], [_unknown_before_fit(estimator, kind, n_train)], False


def _network_widths(estimator: Any) -> list[int] | None:
    if hasattr(estimator, "hidden_layer_sizes"):
        return list(np.atleast_1d(estimator.hidden_layer_sizes).tolist())
    # Linear models outside of linear_model (LinearSVC, discriminant analysis) inherit from it;
    # those that wrap another estimator are as large as that one.
    homes = {ancestor.__module__.rpartition(".")[0] for ancestor in type(estimator).__mro__}
    is_linear = "sklearn.linear_model" in homes and not hasattr(estimator, "estimator")
    return [] if is_linear else None


def _unknown_before_fit(estimator: Any, kind: str, n_train: int | None) -> str:
    if hasattr(estimator, "max_leaf_nodes"):
        caps = [c for c in (estimator.max_leaf_nodes, n_train) if c is not None]
        depth = getattr(estimator, "max_depth", None)
        caps += [2**depth] if depth is not None else []
        bound = f", at most {min(caps):,} leaves a tree" if caps else ""
        n_trees = getattr(estimator, "n_estimators", getattr(estimator, "max_iter", 1))
        return f"{kind} is not fitted: its trees grow with the data ({n_trees} round(s){bound})"
    if hasattr(estimator, "n_neighbors"):
        return f"{kind} is not fitted: it will store the training set and learn no parameters"
    if hasattr(estimator, "kernel"):
        bound = f", at most {n_train:,} support vectors" if n_train else ""
        return f"{kind} is not fitted: its size follows from the data{bound}"
    return f"{kind} is not fitted: its size is known only after fit"


def _size(array: Any) -> int:
    # Sparse matrices count what they store, arrays every entry.
    return int(getattr(array, "nnz", np.size(array)))
