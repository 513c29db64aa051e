"""`Subject`: what is audited: a model in one of four forms, and its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.base import clone, is_regressor
from torch import nn

from overparam.audits.fitted_model import fitted_model, is_fitted
from overparam.checks import check_choice
from overparam.data.examples import Examples, as_examples
from overparam.data.rows import is_sparse, is_table
from overparam.data.subsets import number_values
from overparam.data.tables import check_rows
from overparam.ensembles.learners import is_estimator, made_by, name_of
from overparam.errors import DataError, UsageError
from overparam.training.recipe import Recipe

Kind = Literal["network", "estimator", "function", "predictions", "data"]
TASKS = ("classes", "numbers")
_FEWEST_ROWS = 20  # below it no interval says anything
_WAS_FITTED = (
    "the estimator was fitted already: it is taken for the model in use (fitted=), and unfitted "
    "clones of it are what the audit fits"
)


@dataclass(frozen=True, eq=False)
class Subject:
    """What is audited.

    Attributes:
        kind: ``network`` (made and trained by a recipe), ``estimator``, ``function``
            (``fit(rows, seed) -> predict``), ``predictions`` (of models that somebody else
            trained), or ``data`` alone, which reference models are fitted to.
        model: what is fitted; of predictions `[K, n, ...]` these; None for ``data``.
        name: of the model, in one word.
        train: the rows that it is trained on. test: others, or None.
        recipe: of a network. arguments: of an estimator's fit.
        groups: `[n]`, rows that belong together, or None.
        mask: bool `[K, n]`, of predictions. fitted: the model in use, a `Fitted` or a
            `FittedEstimator`; or None.
        capacity: knob to values that the user named, such as width to (8, 16, 32).
        notes: how the data were read.
    """

    kind: Kind
    model: Any
    name: str
    train: Examples
    test: Examples | None = None
    recipe: Recipe | None = None
    arguments: Mapping[str, Any] | None = None
    groups: Any = None
    mask: Any = None
    fitted: Any = None
    capacity: Mapping[str, Sequence[Any]] | None = None
    test_predictions: Any = None
    notes: tuple[str, ...] = ()

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes; else they are numbers."""
        return self.train.classes is not None

    @property
    def has_no_inputs(self) -> bool:
        """Whether only predictions are known."""
        return self.kind == "predictions" and self.train.inputs is None

    @property
    def can_fit(self) -> bool:
        """Whether models can be trained."""
        return self.kind not in ("predictions", "data")

    @property
    def is_table(self) -> bool:
        """Whether inputs have columns: a DataFrame, or an array `[n, p]`."""
        inputs = self.train.inputs
        if is_table(inputs):
            return True
        return not isinstance(inputs, list) and len(getattr(inputs, "shape", ())) == 2

    @property
    def has_numbers(self) -> bool:
        """Whether inputs are numbers alone: an array, or a table whose columns all are."""
        inputs = self.train.inputs
        types = inputs.dtypes if is_table(inputs) else [getattr(inputs, "dtype", None)]
        return all(getattr(kind, "kind", "O") in "biuf" for kind in types)

    @property
    def has_images(self) -> bool:
        """Whether inputs are images: arrays `[n, h, w]` or `[n, c, h, w]` or `[n, h, w, c]`."""
        shape = getattr(self.train.inputs, "shape", ())
        return not is_sparse(self.train.inputs) and len(shape) in (3, 4)

    @property
    def n_rows(self) -> int:
        """Rows of the training set."""
        return len(self.train)

    def label_name(self, position: int) -> Any:
        """Return a class as it was given."""
        assert self.train.classes is not None  # asked of classes alone
        return self.train.classes[position]


def make_subject(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    recipe: Recipe | None = None,
    test: Any = None,
    task: str | None = None,
    groups: Any = None,
    arguments: Mapping[str, Any] | None = None,
    mask: Any = None,
    fitted: Any = None,
    capacity: Mapping[str, Sequence[Any]] | None = None,
    name: str = "",
) -> Subject:
    """Return what is audited, from what the user gave; arguments as in `overparam.audit`.

    Raises:
        UsageError: something that cannot be fitted. DataError: data that cannot be audited.
    """
    if mask is not None:
        unused = {"recipe": recipe, "arguments": arguments, "fitted": fitted, "capacity": capacity}
        _refuse_training(y, unused)
        return _of_predictions(model, X, mask, test, task, groups, name)
    kind, model = _kind_of(model, recipe)
    notes: tuple[str, ...] = ()
    if kind == "estimator" and is_fitted(model):
        fitted, model = model if fitted is None else fitted, clone(model)
        notes = (_WAS_FITTED,)
    train = _read(X if y is None else (X, y), _reading(task, kind, model))
    _check_enough(train)
    check_rows(train.inputs, groups, "groups")
    number_values("groups", len(train), groups)  # or they are refused
    tested = None if test is None else as_examples(test, name="test", like=train)
    if isinstance(test, Examples):
        tested = test
    if fitted is not None:
        fitted = fitted_model(fitted, train, recipe, model)
    return Subject(
        kind,
        model,
        name or ("reference models" if model is None else name_of(model)),
        train,
        tested,
        recipe,
        arguments,
        groups,
        fitted=fitted,
        capacity=capacity,
        notes=(*train.notes, *notes),
    )


def _kind_of(model: Any, recipe: Recipe | None) -> tuple[Kind, Any]:
    if model is None:
        return "data", None
    if recipe is not None or isinstance(model, nn.Module):
        return "network", model
    model = made_by(model)
    if is_estimator(model):
        return "estimator", model
    if callable(model) and not isinstance(model, type):
        return "function", model
    raise UsageError(
        "this is nothing that an audit can fit",
        got=name_of(model),
        allowed="an unfitted estimator, a module or what makes one with a recipe, "
        "fit(rows, seed) -> predict; or predictions with mask=",
        remedy="a class is made an estimator by calling it" if isinstance(model, type) else "",
    )


def _reading(task: str | None, kind: Kind, model: Any) -> dict[str, Any]:
    """Return how labels are read: as the user says, as the model's kind says, or as they look."""
    if task is not None:
        check_choice("task", task, TASKS)
        return {"n_classes": None} if task == "numbers" else {"are_classes": True}
    if kind == "estimator" and is_regressor(model):
        return {"n_classes": None}
    return {"are_classes": True} if kind == "estimator" and hasattr(model, "predict_proba") else {}


def _read(data: Any, reading: dict[str, Any]) -> Examples:
    """Read the training rows; where labels may be either, the remedy is an argument of an audit."""
    try:
        return as_examples(data, **reading, name="train")
    except DataError as error:
        if "n_classes=" not in error.remedy:
            raise
        raise DataError(
            error.what,
            got=error.got,
            allowed=error.allowed,
            remedy="say what they are: task='classes' or task='numbers' (--task)",
        ) from None


def _check_enough(train: Examples) -> None:
    if len(train) < _FEWEST_ROWS:
        raise DataError(
            "too few rows for an audit, whose every number needs an interval",
            got=len(train),
            allowed=f">= {_FEWEST_ROWS}",
        )
    if train.classes is not None and len(np.unique(train.labels)) < 2:
        raise DataError(
            "all labels are of one class, so every model is right on every row",
            got=f"{len(train)} rows",
            allowed="at least two classes",
        )


def _refuse_training(third: Any, options: Mapping[str, Any]) -> None:
    """Refuse what no audit of predictions takes, so that nothing is silently left out."""
    if third is not None:
        raise UsageError(
            "an audit of predictions takes predictions and labels",
            got="three arrays beside mask=",
            remedy="write op.audit(predictions, y, mask=mask)",
        )
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            "predictions were made already, so there is nothing to train",
            got=", ".join(f"{name}=" for name in given),
            remedy="leave it out, or give the model in place of its predictions, without mask=",
        )


def _of_predictions(
    predictions: Any, y: Any, mask: Any, test: Any, task: str | None, groups: Any, name: str
) -> Subject:
    if not np.shape(y):
        raise DataError(
            "predictions come with the labels of their rows",
            got=type(y).__name__,
            remedy="write op.audit(predictions, y, mask=mask), with y of n labels",
        )
    inputs = np.arange(len(y))[:, None]
    labels = as_examples((inputs, y), **_reading(task, "predictions", None), name="train")
    train = Examples(None, labels.labels, labels.classes, labels.label_shape, name="train")
    _check_enough(train)
    return Subject(
        "predictions",
        predictions,
        name or "predictions",
        train,
        groups=groups,
        mask=np.asarray(mask),
        test_predictions=test,
        notes=labels.notes,
    )
