"""The clone of an estimator that is fitted in its place, with random numbers of a stream."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_outlier_detector, is_regressor
from torch import nn

from overparam.data.examples import Examples
from overparam.errors import UsageError
from overparam.models.estimator_attributes import is_estimator
from overparam.streams import Streams

N_SEEDS = 1 << 32  # as many NumPy and scikit-learn know
_INLIERS = [-1, 1]  # what an outlier detector says of a row: whether it is like the others


def name_of(estimator: Any) -> str:
    """Return what an estimator or function is called in messages."""
    if isinstance(estimator, type) or not is_estimator(estimator):
        return getattr(estimator, "__name__", type(estimator).__name__)
    steps = getattr(estimator, "steps", None)
    inside = [type(step).__name__ for _, step in steps] if isinstance(steps, list) else []
    return " + ".join(inside) or type(estimator).__name__


def own_clone(estimator: Any, name: str) -> Any:
    """Return a clone of an estimator, or the function itself.

    Raises:
        UsageError: it is neither, or cannot be cloned.
    """
    allowed = "an estimator of scikit-learn's kind, or a function fit(rows, seed) -> predict"
    if isinstance(estimator, type):
        raise UsageError(
            "this is a class, not an estimator",
            got=name,
            allowed=allowed,
            remedy=f"make one: {name}(...)",
        )
    if isinstance(estimator, nn.Module):
        raise UsageError(
            "a network is trained by gradient descent",
            got=name,
            allowed=allowed,
            remedy="write await train(model, data, recipe, streams), or op.fit(model, data, "
            "recipe)",
        )
    if is_estimator(estimator):
        try:
            return clone(estimator)
        except Exception as error:
            raise UsageError(
                f"{name} cannot be cloned, so that fits of it would share their state",
                got=str(error).splitlines()[0][:300],
                remedy="its constructor must store its arguments as they are, and do no more",
            ) from error
    if hasattr(estimator, "fit"):
        raise UsageError(
            f"{name} cannot be cloned, so that fits of it would share their state",
            got="fit without get_params",
            allowed=allowed,
            remedy="derive it from sklearn.base.BaseEstimator, or give a function that makes it "
            "anew in each fit",
        )
    if not callable(estimator) or inspect.iscoroutinefunction(estimator):
        raise UsageError("this cannot be fitted", got=type(estimator).__name__, allowed=allowed)
    try:
        inspect.signature(estimator).bind(np.arange(1), 0)
    except TypeError as error:
        raise UsageError(
            f"{name} must take rows and a seed", got=str(error), allowed="fit(rows, seed)"
        ) from None
    except ValueError:  # some built-in functions have no signature
        pass
    return estimator


def check_task(estimator: Any, examples: Examples, name: str) -> None:
    """Refuse an estimator that does not fit the labels, or a function that does not fit the data.

    A function that has rows of its own may say so: its `check_data(examples)` is asked.

    Raises:
        UsageError: a classifier of targets, a regressor of classes, an outlier detector of other
            classes than its own, or decision values of pairs of classes; or what `check_data`
            raises.
    """
    if not is_estimator(estimator):
        getattr(estimator, "check_data", lambda examples: None)(examples)
        return
    shapes = [v for k, v in estimator.get_params().items() if k.endswith("decision_function_shape")]
    if "ovo" in shapes and examples.classes is not None and len(examples.classes) > 2:
        raise UsageError(
            f"{name} gives decision values of pairs of classes",
            got="decision_function_shape='ovo'",
            allowed="'ovr', a value for each class",
            remedy="leave decision_function_shape at its default",
        )
    if is_classifier(estimator) and examples.classes is None:
        raise UsageError(
            f"{name} is a classifier, and the labels are targets of regression",
            got=repr(examples),
            remedy="give labels that are classes (n_classes=K for whole numbers), or a regressor",
        )
    classes = None if examples.classes is None else examples.classes.tolist()
    if is_outlier_detector(estimator) and classes not in (None, _INLIERS):
        raise UsageError(
            f"{name} looks for outliers, and learns no classes",
            got=f"classes {', '.join(map(str, classes[:20]))}",
            allowed="labels of -1 for outliers and 1 for all others, by which it is judged",
            remedy="give such labels, or a classifier",
        )
    if is_regressor(estimator) and examples.classes is not None:
        raise UsageError(
            f"{name} is a regressor, and the labels are classes",
            got=repr(examples),
            remedy="give n_classes=None, or a classifier",
        )


def seed_estimator(estimator: Any, streams: Streams) -> None:
    """Set the parameters `random_state` that are None or a whole number from the streams."""

    def seed(name: str, value: Any) -> Any:
        plain = value is None or (isinstance(value, Integral) and not isinstance(value, bool))
        return streams.entropy(name) % N_SEEDS if plain else value

    set_parameters(estimator, "random_state", seed)


def set_parameters(estimator: Any, called: str, choose: Callable[[str, Any], Any]) -> None:
    """Set all parameters of a name, also those of estimators within."""
    for name, value in sorted(estimator.get_params().items()):
        if name == called or name.endswith(f"__{called}"):
            chosen = choose(name, value)
            if chosen is not value:
                estimator.set_params(**{name: chosen})
