"""The knob of a model's capacity, and the variants that turning it makes.

Of estimators whose knob is known it is turned without being named; of others the user names it. Of
a network the recipe's length and weight decay are known, and the widths of a plain `nn.Sequential`
of linear layers.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.base import clone
from torch import nn

from overparam.audits.subject import Subject
from overparam.audits.variants import Direction, Variant
from overparam.audits.widths import with_widths
from overparam.errors import UsageError, suggest
from overparam.training.recipe import Recipe

# Names of classes, whoever wrote them, to (parameter, factor or value, direction).
_LEAVES = (("min_samples_leaf", "=5", "regularized"), ("min_samples_leaf", "=20", "regularized"))
_ROUNDS = (("n_estimators", "/4", "shorter"), ("n_estimators", "*2", "longer"))
_ITERATIONS = (("max_iter", "/4", "shorter"), ("max_iter", "*2", "longer"))
_C = (("C", "/10", "regularized"), ("C", "*10", "bigger"))
_ALPHA = (("alpha", "*10", "regularized"), ("alpha", "/10", "bigger"))
_NEIGHBORS = (("n_neighbors", "=1", "bigger"), ("n_neighbors", "*5", "regularized"))
_HIDDEN = (("hidden_layer_sizes", "/4", "smaller"), ("hidden_layer_sizes", "*2", "bigger"))
_KNOBS: dict[str, tuple[tuple[str, str, str], ...]] = {
    **{
        f"{family}{task}": _LEAVES
        for family in ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree")
        for task in ("Classifier", "Regressor")
    },
    **{
        f"{family}{task}": _ROUNDS
        for family in ("GradientBoosting", "XGB", "LGBM", "AdaBoost")
        for task in ("Classifier", "Regressor")
    },
    "HistGradientBoostingClassifier": _ITERATIONS,
    "HistGradientBoostingRegressor": _ITERATIONS,
    "LogisticRegression": _C,
    "LinearSVC": _C,
    "SVC": _C,
    "SVR": _C,
    "RidgeClassifier": _ALPHA,
    "Ridge": _ALPHA,
    "Lasso": _ALPHA,
    "KernelRidge": _ALPHA,
    "KNeighborsClassifier": _NEIGHBORS,
    "KNeighborsRegressor": _NEIGHBORS,
    "MLPClassifier": _HIDDEN,
    "MLPRegressor": _HIDDEN,
}
_WEIGHT_DECAY = 1e-3  # where a recipe has none
_SEPARATOR = "__"


def variants_of(subject: Subject) -> tuple[Variant, ...]:
    """Return the same recipe, smaller, larger, shorter, longer or regularized.

    Raises:
        UsageError: a knob that the user named and the model does not have.
    """
    if subject.capacity:
        found = list(_named(subject, subject.capacity))
    elif subject.kind == "estimator":
        found = list(_of_estimator(subject))
    elif subject.kind == "network":
        found = [*_of_recipe(subject), *_of_widths(subject)]
    else:
        found = []
    return tuple(found)


def _of_estimator(subject: Subject) -> Iterator[Variant]:
    prefix, inner = _innermost(subject.model)
    known = inner.get_params(deep=False)
    for parameter, change, direction in _KNOBS.get(type(inner).__name__, ()):
        value = _changed(known.get(parameter), change)
        if parameter in known and value is not None and value != known[parameter]:
            yield _with_parameter(subject, f"{prefix}{parameter}", value, direction)


def _innermost(estimator: Any) -> tuple[str, Any]:
    """Return what a pipeline ends in, with the prefix of its parameters."""
    steps = getattr(estimator, "steps", None)
    if steps:
        name, last = steps[-1]
        prefix, inner = _innermost(last)
        return f"{name}{_SEPARATOR}{prefix}", inner
    return "", estimator


def _changed(value: Any, change: str) -> Any:
    """Return a value as the change says; None where it cannot be changed so.

    >>> _changed(100, "/4"), _changed((100, 50), "*2"), _changed(1.0, "*10"), _changed("auto", "/4")
    (25, (200, 100), 10.0, None)
    """
    by = float(change[1:])
    if change[0] == "=":
        return int(by)
    if isinstance(value, tuple | list):
        return tuple(_changed(part, change) for part in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    scaled = value * by if change[0] == "*" else value / by
    return max(round(scaled), 1) if isinstance(value, int) and change[0] != "=" else scaled


def _with_parameter(subject: Subject, name: str, value: Any, direction: Any) -> Variant:
    model = clone(subject.model).set_params(**{name: value})
    shown = f"{name.rpartition(_SEPARATOR)[2]}={value}"
    return Variant(
        shown, direction, _folder(name, value), model, None, subject.arguments, name, value
    )


def _of_recipe(subject: Subject) -> Iterator[Variant]:
    recipe = subject.recipe
    if not isinstance(recipe, Recipe):
        return
    length = "epochs" if recipe.epochs is not None else "steps"
    n = getattr(recipe, length)
    for value, direction in ((max(n // 4, 1), "shorter"), (2 * n, "longer")):
        if value != n:
            yield _with_recipe(subject, length, value, direction)
    decay = 10 * recipe.weight_decay or _WEIGHT_DECAY
    yield _with_recipe(subject, "weight_decay", decay, "regularized")


def _with_recipe(subject: Subject, field: str, value: Any, direction: Any) -> Variant:
    assert subject.recipe is not None  # asked of recipes alone
    recipe = dataclasses.replace(subject.recipe, **{field: value})
    name = f"{field}={value:g}"
    return Variant(
        name, direction, _folder(field, value), subject.model, recipe, None, field, value
    )


def _of_widths(subject: Subject) -> Iterator[Variant]:
    """Yield a plain network with other widths, where it is one."""
    sizes: tuple[tuple[float, Direction], ...] = ((0.25, "smaller"), (2.0, "bigger"))
    for factor, direction in sizes:
        network = with_widths(subject.model, factor)
        if network is not None:
            yield Variant(
                f"{factor:g} x the width", direction, _folder("width", factor), network,
                subject.recipe, None, "width", factor,
            )  # fmt: skip


def _named(subject: Subject, capacity: Mapping[str, Any]) -> Iterator[Variant]:
    """Yield a variant for each value of each knob that the user named."""
    for knob, values in capacity.items():
        for value in values:
            direction = _direction(subject, knob, value)
            if subject.kind == "estimator":
                _check_parameter(subject.model, knob)
                yield _with_parameter(subject, knob, value, direction)
            elif isinstance(subject.recipe, Recipe) and hasattr(subject.recipe, knob):
                yield _with_recipe(subject, knob, value, direction)
            elif callable(subject.model) and not isinstance(subject.model, nn.Module):
                model = functools.partial(subject.model, **{knob: value})
                name = f"{knob}={value}"
                yield Variant(
                    name, direction, _folder(knob, value), model, subject.recipe,
                    subject.arguments, knob, value,
                )  # fmt: skip
            else:
                raise UsageError(
                    "a module that is made has no knob to turn",
                    got=knob,
                    allowed="fields of the recipe, such as epochs",
                    remedy="give a function that makes the module, with this argument",
                )


def _check_parameter(model: Any, name: str) -> None:
    known = model.get_params()
    if name not in known:
        raise UsageError(
            "the estimator has no such parameter",
            got=name,
            allowed=", ".join(sorted(known)[:30]),
            remedy=suggest(name, list(known)),
        )


def _direction(subject: Subject, knob: str, value: Any) -> Direction:
    """Return whether a value is larger or smaller than the one in use."""
    if subject.kind == "estimator":
        present = subject.model.get_params().get(knob)
    else:
        present = getattr(subject.recipe, knob, None)
    if isinstance(present, int | float) and isinstance(value, int | float) and value < present:
        return "smaller"
    return "bigger"


def _folder(knob: str, value: Any) -> str:
    """Return where a variant's models are kept: letters that any disk takes."""
    text = f"variants-{knob}-{value}"
    return "".join(c if c.isalnum() or c in "-._" else "_" for c in text)[:100]
