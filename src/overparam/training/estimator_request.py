"""`EstimatorRequest`: what `fit_estimator` awaits, how it is fitted and what that costs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor

from overparam.data.examples import Examples, as_examples
from overparam.data.labels import ASK
from overparam.data.rows import n_rows, row_positions, take_rows
from overparam.data.tables import check_rows
from overparam.errors import DataError, UsageError
from overparam.models.estimator_attributes import is_estimator
from overparam.stopping import is_stop
from overparam.streams import Streams, check_streams
from overparam.threads import spread
from overparam.training.answers import form_of, form_of_outputs
from overparam.training.column_order import with_known_order
from overparam.training.estimator_clone import (
    N_SEEDS,
    check_task,
    name_of,
    own_clone,
    seed_estimator,
    set_parameters,
)
from overparam.training.estimator_cost import measure_fit
from overparam.training.estimator_errors import naming
from overparam.training.fitted_estimator import FittedEstimator, asking
from overparam.training.request import Context, Cost, Request

_TRIAL_ROWS = 32  # that a function is asked about as soon as it is fitted
_ORDER_ROWS = 256  # that an estimator is asked about, by which the order of its columns is known
_MOST_WARNINGS, _WARNING_LETTERS = 3, 200
_ASKS_TO_WRITE = (
    "buffer source array is read-only"  # what has written says "assignment destination"
)


def make_request(
    estimator: Any,
    data: Any,
    streams: Streams,
    rows: Any = None,
    arguments: Mapping[str, Any] | None = None,
    evaluate: Mapping[str, Any] | None = None,
    n_classes: int | None = ASK,
) -> EstimatorRequest:
    """Return the request, with all that can be refused before the fit refused."""
    check_streams(streams)
    name = name_of(estimator)
    prepared = own_clone(estimator, name)
    known = is_estimator(prepared)
    if known and n_classes == ASK and is_regressor(prepared):
        n_classes = None
    are_classes = known and is_classifier(prepared)
    examples = as_examples(data, n_classes, name="train", are_classes=are_classes)
    check_task(prepared, examples, name)
    return EstimatorRequest(
        prepared,
        name,
        examples,
        streams,
        _checked_rows(rows, examples),
        checked_arguments(prepared, arguments, examples, name),
        {k: as_examples(v, name=k, like=examples) for k, v in (evaluate or {}).items()},
    )


@dataclass(frozen=True, eq=False)
class EstimatorRequest(Request):
    """One estimator or function to fit; see `fit_estimator`."""

    estimator: Any
    name: str
    examples: Examples
    streams: Streams
    rows: np.ndarray | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Examples] = field(default_factory=dict)

    def group_key(self) -> Hashable:
        """Data and settings: requests of one key cost alike, row for row."""
        if not is_estimator(self.estimator):
            return id(self.examples), id(getattr(self.estimator, "__code__", self.estimator))
        chosen = {
            name: value
            for name, value in self.estimator.get_params().items()
            if not name.endswith("random_state")
        }
        return id(self.examples), type(self.estimator), repr(chosen)

    @property
    def n_rows(self) -> int:
        """How many rows it is fitted to."""
        return len(self.examples) if self.rows is None else len(self.rows)

    @property
    def _all_rows(self) -> np.ndarray:
        return np.arange(len(self.examples)) if self.rows is None else self.rows

    @staticmethod
    def execute(requests: Sequence[Any], context: Context) -> list[Any]:
        """Fit one after another; an error is raised in its cell alone."""
        results: list[Any] = []
        for request in requests:
            try:
                fitted = request.fit()
                context.notes += [n for n in fitted.notes if n not in context.notes]
                results.append(fitted)
            except BaseException as error:
                if is_stop(error):
                    raise
                results.append(error)
            context.progress(0.0)  # nobody knows its operations: only that it goes on
        return results

    @staticmethod
    def estimate(requests: Sequence[Any], context: Context) -> tuple[list[Any], Cost]:
        """Return fits to few rows as stand-ins, and the cost by how long they took."""
        first = max(requests, key=lambda request: request.n_rows)
        stand_in, seconds_for = measure_fit(first, context)
        seconds = sum(seconds_for(request.n_rows) for request in requests)
        size = max(_row_bytes(r.examples.inputs) * r.n_rows for r in requests)
        cost = Cost(len(requests), seconds=seconds, memory_bytes=size, pending_bytes=size)
        return [replace(stand_in, n_rows=request.n_rows) for request in requests], cost

    def fit(self) -> FittedEstimator:
        """Fit now, with the global generators of the request's own stream."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            with self.streams.global_generators("estimator"):
                started = time.perf_counter()
                with naming(self.name, "to be fitted"):
                    model = self._fit_function() if self._is_function else self._fit_estimator()
                seconds = time.perf_counter() - started
        fitted = replace(self.stand_in(), model=model, seconds=seconds, notes=self._notes(caught))
        fitted = replace(fitted, form=self._form_of(model))
        if not self._is_function and fitted.classes is not None:
            rows = self._all_rows
            some = rows[np.unique(np.linspace(0, len(rows) - 1, _ORDER_ROWS).astype(int))]
            seen = np.unique(self.examples.labels[rows])
            fitted = with_known_order(fitted, self.examples.take(some), seen)
        errors = {name: fitted.error_on(part) for name, part in self.evaluate.items()}
        return replace(fitted, errors=errors)

    def stand_in(self) -> FittedEstimator:
        """Return what was fitted to nothing, and says 0 of every row."""
        examples = self.examples
        return FittedEstimator(
            None,
            self.name,
            "targets" if examples.classes is None else "decision values",
            examples.classes,
            examples.n_outputs,
            examples.label_shape,
            examples.flat and not self._is_function,
            self.n_rows,
            0.0,
            dict.fromkeys(self.evaluate, float("nan")),
            columns=examples.columns if self._is_function or examples.flat else (),
        )

    @property
    def _is_function(self) -> bool:
        return not is_estimator(self.estimator)

    def _fit_estimator(self) -> Any:
        inputs, labels = self.examples.take(self.rows), self.examples.given_labels(self.rows)
        if self.examples.flat and inputs.ndim > 2:
            inputs = inputs.reshape(len(inputs), -1)
        arguments = {k: self._cut(value) for k, value in self.arguments.items()}
        model = self._unfitted()
        try:
            model.fit(inputs, labels, **arguments)
        except ValueError as error:
            # Compiled code may ask for memory that it could write to, and then only read it, as
            # scikit-learn's trees do of float32 with missing values.
            if _ASKS_TO_WRITE not in str(error) or not isinstance(inputs, np.ndarray):
                raise
            model = self._unfitted()
            model.fit(inputs.copy(), labels, **arguments)
        return model

    def _unfitted(self) -> Any:
        model = clone(self.estimator)
        seed_estimator(model, self.streams)
        if spread() == 1:
            set_parameters(model, "n_jobs", lambda name, value: 1 if value is not None else None)
        return model

    def _fit_function(self) -> Any:
        predict = self.estimator(self._all_rows.copy(), self.streams.entropy("fit") % N_SEEDS)
        if not callable(predict):
            raise UsageError(
                f"{self.name} must return a function that predicts",
                got=type(predict).__name__,
                allowed="predict(inputs) -> outputs",
                remedy="return model.predict_proba, without calling it"
                if not hasattr(predict, "predict")
                else "return its method: model.predict_proba or model.predict",
            )
        return predict

    def _form_of(self, model: Any) -> str:
        if not self._is_function:
            return form_of(model, self.examples, self.name)
        some = self.examples.take(self._all_rows[:_TRIAL_ROWS])
        with asking(self.name):
            return form_of_outputs(model(some), self.examples.classes)

    def _cut(self, value: Any) -> Any:
        if self.rows is None or not _is_per_row(value, len(self.examples)):
            return value
        return take_rows(value, self.rows)

    def _notes(self, caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
        said = [
            f"{self.name}: {w.category.__name__}: {str(w.message).strip().splitlines()[0]}"
            for w in caught
            if not issubclass(w.category, DeprecationWarning)
        ]
        shown = dict.fromkeys(text[:_WARNING_LETTERS] for text in said)
        return (*self.examples.notes, *list(shown)[:_MOST_WARNINGS])


def _checked_rows(rows: Any, examples: Examples) -> np.ndarray | None:
    if rows is None:
        return None
    found = row_positions("rows", rows, examples.inputs)
    if not len(found):
        raise DataError("there are no rows to fit to", got="rows=[]", allowed="at least one row")
    return found


def checked_arguments(
    estimator: Any, arguments: Mapping[str, Any] | None, examples: Examples, name: str
) -> dict[str, Any]:
    """Return the arguments of an estimator's fit; of a function's there are none.

    Raises:
        UsageError: arguments of a function. DataError: one has a value for each row, under the
            index of the inputs in another order.
    """
    if arguments and not is_estimator(estimator):
        raise UsageError(
            "arguments are an estimator's",
            got=", ".join(arguments),
            remedy=f"let {name} hold what it needs: it is given rows and seed alone",
        )
    for key, value in (arguments or {}).items():
        if _is_per_row(value, len(examples)):
            check_rows(examples.inputs, value, key)
    return dict(arguments or {})


def _is_per_row(value: Any, n: int) -> bool:
    if isinstance(value, str | bytes | Mapping):
        return False
    try:
        return n_rows(value) == n
    except (TypeError, IndexError):
        return False


def _row_bytes(inputs: Any) -> int:
    """Return the bytes of one row of inputs, as far as they tell."""
    held = getattr(inputs, "data", None) if hasattr(inputs, "nnz") else inputs
    size = getattr(held, "nbytes", 0)
    return int(size) // max(1, n_rows(inputs)) if isinstance(size, Integral) else 0
