"""Counting what a fitted estimator has learned: by definition, by its parts, or by its arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from overparam.models.census_definitions import Learned, definition_of, lineage, size_of
from overparam.models.census_layers import LayerCount, count_module
from overparam.models.estimator_attributes import (
    fitted_attributes,
    is_estimator,
    is_fitted,
    is_numbers,
    is_opaque,
    look_into,
    settings_of,
)

# Fitted arrays that describe the data or the course of fitting, and are not part of the function.
NOT_LEARNED = {"classes_", "feature_names_in_", "n_iter_", "loss_curve_", "train_score_"}
NOT_LEARNED |= {"oob_score_", "oob_improvement_", "feature_importances_", "singular_values_"}
NOT_LEARNED |= {"explained_variance_", "explained_variance_ratio_"}
NOT_LEARNED |= {"estimator_errors_", "validation_scores_", "alphas_", "class_count_", "scores_"}
NOT_LEARNED |= {"estimators_samples_", "history_", "cv_results_", "singular_", "dual_gap_"}
NOT_LEARNED |= {"sigma_", "mse_path_", "coef_path_"}
_STORED = re.compile(
    r"_?(fit_)?([XYxy]|support|embedding|labels)(_?|_vectors_|_(fit|train|data).*)"
)


class FittedCount:
    """The count of one fitted estimator and all that it holds.

    Attributes:
        notes: how things were counted. unknown: what could not be counted, and why.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.unknown: list[str] = []
        self._seen: dict[int, Any] = {}

    def rows(self, estimator: Any, name: str) -> list[LayerCount]:
        """Count an estimator and its parts; what was counted already gives no rows."""
        if not self._is_first(estimator):
            return []
        kind = type(estimator).__name__
        is_foreign = not type(estimator).__module__.startswith("sklearn.")
        networks = networks_of(estimator) if is_foreign else []
        if networks:
            rows = [row for network in networks for row in self._network(network, name)]
            return [*rows, *_arrays(estimator, name, kind), *self._parts(estimator, name)]
        trees = _trees(estimator, name, kind)
        if trees is not None:
            return [trees, *self._parts(estimator, name)]
        known = definition_of(type(estimator))
        if known is not None:
            return self._defined(estimator, name, kind, known)
        if "BaseMultilayerPerceptron" in lineage(type(estimator)):
            return _layers(estimator, name, kind)
        parts = self._parts(estimator, name)
        if not is_foreign and parts:
            return parts
        return self._undefined(estimator, name, kind, parts)

    def _defined(self, estimator: Any, name: str, kind: str, known: Any) -> list[LayerCount]:
        weights, biases, kept, drawn = (
            known.counts(estimator) if isinstance(known, Learned) else known(estimator)
        )
        note = known.note if isinstance(known, Learned) else ""
        if drawn:
            note = "draws its numbers at random and does not learn them: they are frozen"
        elif kept and not note:
            learns = "" if weights or biases else " and learns no parameters"
            note = f"stores the training set{learns}"
            if hasattr(estimator, "support_vectors_"):
                note = "holds support vectors: its size grows with the training set"
        if note and (weights or biases or kept or "." not in name):
            self.notes.append(f"{name} {note}")
        row = LayerCount(name, kind, weights, biases, n_frozen=drawn, n_buffers=kept)
        has_parts = isinstance(known, Learned) and known.has_parts
        parts = self._parts(estimator, name) if has_parts else []
        return parts if parts and not (row.n_params or row.n_buffers) else [row, *parts]

    def _undefined(
        self, estimator: Any, name: str, kind: str, parts: list[LayerCount]
    ) -> list[LayerCount]:
        """Count every fitted floating array, and say what cannot be looked into."""
        if not (parts or _needs_fit(estimator)):
            return [LayerCount(name, kind)]  # a fixed function
        if not parts and _estimators_in(settings_of(estimator)):
            self.unknown.append(f"{name} keeps no fitted estimator, so there is nothing to count")
            return []
        rows = _arrays(estimator, name, kind, into_objects=True)
        things = [t for value in fitted_attributes(estimator).values() for _, t in look_into(value)]
        opaque = sorted({type(thing).__name__ for thing in things if is_opaque(thing)})
        if opaque:
            self.unknown.append(
                f"{name} keeps what it learned in a form that the census cannot look into "
                f"({', '.join(opaque[:3])})"
            )
        elif not (rows or parts):
            self.unknown.append(f"{name} has no fitted numbers that the census recognizes")
        elif rows:
            self.notes.append(
                f"{name} is counted generically: every fitted floating array is a parameter"
            )
        return [*rows, *parts]

    def _network(self, network: nn.Module, name: str) -> list[LayerCount]:
        if not self._is_first(network):
            return []
        rows, notes, is_complete = count_module(network)
        (self.notes if is_complete else self.unknown).extend(f"{name}: {note}" for note in notes)
        return [replace(row, name=f"{name}.{row.name}") for row in rows]

    def _parts(self, estimator: Any, name: str) -> list[LayerCount]:
        """Count the fitted estimators among the fitted attributes, or else among the settings."""
        found = _estimators_in(fitted_attributes(estimator))
        fitted = [entry for entry in found if is_fitted(entry[2])]  # the others are templates
        if not fitted:
            found = _estimators_in(settings_of(estimator))
            fitted = [entry for entry in found if is_fitted(entry[2])]
            if fitted and len(fitted) < len(found):
                self.unknown.append(f"{name} holds estimators that are not fitted")
        rows: list[LayerCount] = []
        for attribute in dict.fromkeys(attribute for attribute, _, _ in fitted):
            members = [(label, part) for a, label, part in fitted if a == attribute]
            plain = [part for label, part in members if not label]
            for label, part in members:
                if label or len(plain) == 1:
                    made = self.rows(part, f"{name}.{label or attribute}")
                    is_aside = attribute.startswith("_")  # such as an encoder of labels
                    rows += [r for r in made if r.n_params or r.n_buffers or not is_aside]
            if len(plain) > 1:
                rows += self._members(plain, name)
        return rows

    def _members(self, members: Sequence[Any], name: str) -> list[LayerCount]:
        # One row for each kind of member: a forest of 500 trees is one row.
        merged: dict[str, LayerCount] = {}
        tally: dict[str, int] = {}
        for member in members:
            for row in self.rows(member, type(member).__name__):
                tally[row.name] = tally.get(row.name, 0) + 1
                merged[row.name] = merged[row.name].plus(row) if row.name in merged else row
        return [replace(row, name=f"{name}.{tally[key]} x {key}") for key, row in merged.items()]

    def _is_first(self, thing: Any) -> bool:
        if id(thing) in self._seen:
            return False
        self._seen[id(thing)] = thing  # kept, so that no other gets its identity
        return True


def networks_of(estimator: Any) -> list[nn.Module]:
    """Return the PyTorch modules with parameters among the fitted attributes of an estimator."""
    found = [
        thing
        for value in fitted_attributes(estimator).values()
        for _, thing in look_into(value)
        if isinstance(thing, nn.Module) and any(True for _ in thing.parameters())
    ]
    return list({id(module): module for module in found}.values())


def _estimators_in(attributes: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Return attribute, label and estimator of every estimator in these attributes."""
    return [
        (attribute, label, thing)
        for attribute, value in attributes.items()
        for label, thing in look_into(value)
        if is_estimator(thing)
    ]


def _needs_fit(estimator: Any) -> bool:
    from sklearn.utils import get_tags

    try:
        return bool(get_tags(estimator).requires_fit)
    except Exception:  # an estimator that scikit-learn cannot ask
        return True


def _trees(estimator: Any, name: str, kind: str) -> LayerCount | None:
    """Count decision trees node by node, or return None where it is none."""
    found = fitted_attributes(estimator)  # a property of the user's might raise
    tree: Any = found.get("tree_")
    if type(tree).__module__ == "sklearn.tree._tree":
        n_leaves, n_nodes = int(tree.n_leaves), int(tree.node_count)
        values = n_leaves * int(np.prod(tree.value.shape[1:]))
        return LayerCount(
            name, kind, n_weights=n_nodes - n_leaves + values, n_nodes=n_nodes, n_leaves=n_leaves
        )
    if "BaseHistGradientBoosting" not in lineage(type(estimator)):
        return None
    trees = [each for iteration in estimator._predictors for each in iteration]
    n_nodes = sum(len(each.nodes) for each in trees)
    n_leaves = sum(int(each.get_n_leaf_nodes()) for each in trees)
    # Each split has one threshold and each leaf one value, so every node counts once.
    label, n_first = f"{name}.{len(trees)} trees", size_of(estimator._baseline_prediction)
    return LayerCount(label, kind, n_nodes, n_first, n_nodes=n_nodes, n_leaves=n_leaves)


def _layers(network: Any, name: str, kind: str) -> list[LayerCount]:
    return [
        LayerCount(f"{name}.layer{i}", kind, n_weights=size_of(w), n_biases=size_of(b))
        for i, (w, b) in enumerate(zip(network.coefs_, network.intercepts_, strict=True))
    ]


def _arrays(
    estimator: Any, name: str, kind: str, *, into_objects: bool = False
) -> list[LayerCount]:
    """Count the fitted floating arrays of an estimator of which nothing else is known."""
    n_weights = n_biases = n_buffers = 0
    for attribute, value in fitted_attributes(estimator).items():
        if attribute in NOT_LEARNED:
            continue
        things = look_into(value) if into_objects or isinstance(value, list | tuple | dict) else ()
        arrays = [value] if is_numbers(value) else [t for _, t in things if is_numbers(t)]
        size = sum(size_of(array) for array in arrays if _is_floating(array))
        if attribute.startswith("intercept"):
            n_biases += size or isinstance(value, float) * _has_intercept(estimator)
        elif _STORED.fullmatch(attribute):
            n_buffers += size
        else:
            n_weights += size
    row = LayerCount(name, kind, n_weights, n_biases, n_buffers=n_buffers)
    return [row] if row.n_params or row.n_buffers else []


def _has_intercept(estimator: Any) -> bool:
    # Without an intercept, linear models leave the number 0.0 in its place.
    return bool(settings_of(estimator).get("fit_intercept", True))


def _is_floating(array: Any) -> bool:
    if isinstance(array, Tensor):
        return array.is_floating_point() or array.is_complex()
    return getattr(array, "dtype", np.dtype(object)).kind in "fc"
