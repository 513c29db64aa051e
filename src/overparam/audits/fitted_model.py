"""The model in use, made askable: an estimator, a network or a function that is fitted already.

It is held against the data that it is to be asked about before anything is trained: classes,
columns and sizes that do not fit are refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import nn

from overparam.data.accepted import as_dataset
from overparam.data.examples import Examples
from overparam.data.labels import ASK
from overparam.ensembles.learners import is_estimator, name_of
from overparam.errors import OverparamError, UsageError
from overparam.models.targets import blaming
from overparam.training.answers import form_of, form_of_outputs
from overparam.training.copies import copy_module, state_of
from overparam.training.fitted import Fitted
from overparam.training.fitted_estimator import FittedEstimator, asking
from overparam.training.recipe import Recipe
from overparam.training.task import Task
from overparam.training.trace import Trace

_TRIAL_ROWS = 32  # that it is asked about at once, so that a wrong model is found out early
_ALLOWED = "a fitted estimator, a trained nn.Module, what op.fit returned, or predict(inputs)"


def is_fitted(estimator: Any) -> bool:
    """Whether an estimator is fitted already, as far as it tells."""
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return any(name.endswith("_") and not name.startswith("__") for name in vars(estimator)) or (
        hasattr(estimator, "__sklearn_is_fitted__")
    )


def fitted_model(model: Any, train: Examples, recipe: Recipe | None) -> Fitted | FittedEstimator:
    """Return a model in use as what can be asked about rows like those of `train`.

    Args:
        model: a fitted estimator, a trained module, what `overparam.fit` returned, or a function
            ``predict(inputs)`` whose columns are the classes in sorted order.
        recipe: of the networks that are audited, whose loss says what outputs are.

    Raises:
        UsageError: it is not fitted, or other classes, columns or sizes than those of the data.
    """
    made = _askable(model, train, recipe)
    _check_classes(made, train)
    some = train.take(np.arange(min(len(train), _TRIAL_ROWS)))
    try:
        with blaming(name_of(model)):
            outputs = made.outputs(some)
    except OverparamError as error:
        raise _unfit(str(error), "rows like those that it was fitted to") from error
    if not isinstance(made, FittedEstimator) and np.size(outputs) != len(outputs) * train.n_outputs:
        raise _unfit(f"outputs {list(np.shape(outputs))}", f"[n, {train.n_outputs}]")
    return made


def _askable(model: Any, train: Examples, recipe: Recipe | None) -> Fitted | FittedEstimator:
    if isinstance(model, Fitted | FittedEstimator):
        return model
    if isinstance(model, nn.Module):
        return _of_module(model, train, recipe)
    if is_estimator(model):
        return _of_estimator(model, train)
    if callable(model) and not isinstance(model, type):
        return _of_function(model, train)
    raise UsageError("this is no model in use", got=name_of(model), allowed=_ALLOWED)


def _of_module(module: nn.Module, train: Examples, recipe: Recipe | None) -> Fitted:
    if recipe is None:
        raise UsageError(
            "a network in use goes with a network that is audited",
            got=f"fitted={name_of(module)} without a recipe",
            remedy="give recipe=, whose loss says what its outputs are; or a function "
            "predict(inputs) in its place",
        )
    some = train.take(np.arange(1))
    # One row tells shape and kind; all rows are converted when they are asked about.
    n_classes = None if train.classes is None else train.n_outputs
    row = as_dataset((some, train.labels[:1]), ASK if n_classes is None else n_classes)
    task = Task(
        row.input_shape,
        not row.base.is_floating_point(),
        n_classes,
        train.n_outputs,
        train.label_shape,
        train.columns,
    )
    nothing = np.empty(0)
    trace = Trace(nothing, nothing, {"train": nothing}, {"train": nothing})
    kept = copy_module(module).train()  # the state is that of training mode
    return Fitted(kept, state_of(kept), recipe, trace, "done", 0, task)


def _of_estimator(model: Any, train: Examples) -> FittedEstimator:
    name = name_of(model)
    if not is_fitted(model):
        raise UsageError(
            "the model in use is not fitted",
            got=name,
            remedy="fit it first; what is to be fitted anew is the model that is audited",
        )
    _check_columns(model, train)
    return _estimator_like(model, train, form_of(model, train, name), ())


def _of_function(model: Any, train: Examples) -> FittedEstimator:
    with asking(name_of(model)):
        answer = model(train.take(np.arange(min(len(train), _TRIAL_ROWS))))
    return _estimator_like(model, train, form_of_outputs(answer, train.classes), train.columns)


def _estimator_like(
    model: Any, train: Examples, form: str, columns: tuple[str, ...]
) -> FittedEstimator:
    return FittedEstimator(
        model,
        name_of(model),
        form,
        train.classes,
        train.n_outputs,
        train.label_shape,
        train.flat,
        0,
        0.0,
        columns=columns,
    )


def _check_columns(model: Any, train: Examples) -> None:
    """Hold what an estimator knows of its columns against those of the data."""
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    if names and train.columns and names != list(train.columns):
        other = next(
            (f"{a!r} for {b!r}" for a, b in zip(train.columns, names, strict=False) if a != b),
            f"{len(train.columns)} columns",
        )
        raise _unfit(other, f"{len(names)} columns: {', '.join(names[:20])}")
    shape = np.shape(train.inputs)
    n_columns = int(np.prod(shape[1:])) if train.flat else (shape[1] if len(shape) == 2 else None)
    known = getattr(model, "n_features_in_", n_columns)
    if n_columns is not None and known != n_columns:
        raise _unfit(f"{n_columns} columns", f"{known} columns")


def _check_classes(model: Fitted | FittedEstimator, train: Examples) -> None:
    if isinstance(model, Fitted):
        if model.task is None:
            return
        known: Any = model.task.n_classes
        expected: Any = None if train.classes is None else train.n_outputs
        if known != expected:
            raise _unfit(_classes(expected), _classes(known))
        return
    seen = getattr(model.model, "classes_", model.classes)
    if (seen is None) != (train.classes is None):
        raise _unfit(_classes(train.n_outputs if train.classes is not None else None),
                     _classes(None if seen is None else len(seen)))  # fmt: skip
    if train.classes is None or seen is None:
        return
    foreign = set(np.asarray(seen).ravel().tolist()) - set(train.classes.tolist())
    if foreign:
        raise _unfit(
            f"classes {', '.join(map(str, train.classes[:20].tolist()))}",
            f"classes {', '.join(map(str, np.asarray(seen).ravel()[:20].tolist()))}",
        )


def _classes(n: int | None) -> str:
    return "numbers to predict" if n is None else f"{n} classes"


def _unfit(got: str, allowed: str) -> UsageError:
    return UsageError(
        "the model in use does not fit the data that are audited",
        got=got,
        allowed=allowed,
        remedy="give the data in the form in which it was fitted, or wrap it in a function "
        "predict(inputs)",
    )
