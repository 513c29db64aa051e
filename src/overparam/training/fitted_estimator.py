"""`FittedEstimator`: a fitted estimator or function, asked like a trained network.

Its outputs are class scores `[n, K]` in the order of the data's classes, whichever of them the rows
held that it was fitted to, in one of these forms (`form`):

| form | where | a class that it never saw |
|---|---|---|
| ``probabilities`` | it has `predict_proba`; a function whose rows sum to 1 | 0 |
| ``decision values`` | it has `decision_function` alone; any other scores of a function | -inf |
| ``labels`` | it has `predict` alone: 1 for the class it names, else 0 | 0 |
| ``targets`` | regression: predicted targets `[n, k]` | |

The one decision value d of two classes becomes the columns -d/2 and d/2, so that their difference
is d. (A network's outputs are ``logits``, ``decision values`` or ``targets``: see `Fitted.form`.)
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overparam.data.examples import Examples
from overparam.data.rows import as_inputs, n_rows, read_only
from overparam.data.tables import check_columns
from overparam.errors import UsageError, suggest
from overparam.streams import Streams
from overparam.training.answers import array_of, columns_by_name, sum_to_one
from overparam.training.describe import MEASURED
from overparam.training.estimator_errors import naming

# Methods of scikit-learn that return the class of the largest probability, and nothing else.
_LARGEST = ("ForestClassifier.predict", "_BaseNB.predict")
_NOTES_SHOWN, _NOTE_LENGTH = 2, 110


@dataclass(frozen=True, eq=False)
class FittedEstimator:
    """A fitted estimator, or the `predict` that a function of the user's returned.

    Attributes:
        model: the fitted clone, or the function. name: what it is called in messages.
        form: of its outputs, see above.
        classes: `[K]`, the classes in the order of the outputs, as they were given; None for
            targets.
        n_rows: rows that it was fitted to. seconds: that this took.
        errors: evaluated sets, by name, to the fraction wrong, or the mean squared error of
            targets.
        notes: how labels were read, and what the estimator warned of.
        status: always ``done``.
        columns: of the table beside which a function was fitted, or of a `Dataset`; others are
            refused. An estimator that was given a table knows its own.
        order: `[columns]`, which of the classes each column of its outputs is of, where neither
            `classes_` nor names of columns say so.
    """

    model: Any
    name: str
    form: str
    classes: np.ndarray | None
    n_outputs: int
    label_shape: tuple[int, ...]
    flat: bool
    n_rows: int
    seconds: float = field(metadata={MEASURED: True})
    errors: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    status: str = "done"
    columns: tuple[str, ...] = ()
    order: np.ndarray | None = None

    def outputs(self, inputs: Any, *, draws: str = "outputs") -> Any:
        """Return the outputs `[n, K]`, float64.

        Args:
            inputs: in the form of the inputs that it was fitted to.
            draws: stream of what it draws at random when it is asked.

        Returns:
            A tensor for a tensor, a NumPy array for anything else.

        Raises:
            UsageError: it raises, or what it returns are no such outputs.
        """
        found = self._in_order(self.answer(inputs, draws), n_rows(inputs))
        return torch.from_numpy(found) if isinstance(inputs, Tensor) else found

    def answer(self, inputs: Any, draws: str = "outputs") -> Any:
        """Return what the model itself answers, in whatever form; arguments as in `outputs`."""
        rows = self._rows(inputs)
        with asking(self.name, draws):
            return self._ask(rows)

    @property
    def names_the_largest(self) -> bool:
        """Whether the model's predictions are known to be the classes of its largest outputs."""
        decides = getattr(type(self.model), "predict", None)
        return getattr(decides, "__qualname__", "") in _LARGEST

    def predict(self, inputs: Any) -> np.ndarray:
        """Return the predicted label of each row as labels were given, or the targets.

        What an estimator predicts is its own affair: with a threshold other than one half, or as a
        support vector machine with probabilities, not always the class of the largest output.
        """
        if self.classes is None:
            found = np.asarray(self.outputs(inputs))
            return found.reshape(len(found), *self.label_shape)
        return self.classes[self.chosen(inputs)]

    def chosen(self, inputs: Any, outputs: np.ndarray | None = None) -> np.ndarray:
        """Return the position in `classes` of each row's predicted label, int64 `[n]`.

        Args:
            outputs: of these inputs, where they are known: then an estimator whose predictions are
                known to be their largest is not asked again.
        """
        own = getattr(self.model, "predict", None)
        if own is None or self.names_the_largest or self.form == "labels":
            found = np.asarray(self.outputs(inputs) if outputs is None else outputs)
            return found.argmax(1)
        rows = self._rows(inputs)
        with asking(self.name):
            given = own(rows)
        named = array_of(given)
        if len(named) != n_rows(rows):
            raise self._refusal("predictions of a wrong length", named, f"{n_rows(rows)} rows")
        return self._positions(named.reshape(len(named)))

    def predict_proba(self, inputs: Any) -> np.ndarray:
        """Return the probability of each class, `[n, K]`.

        Raises:
            UsageError: it gives none. Else as in `outputs`.
        """
        if self.form != "probabilities":
            raise UsageError(
                f"{self.name} gives no probabilities",
                got=self.form,
                remedy="use .predict(inputs), or .outputs(inputs) for the numbers themselves; "
                "sklearn.calibration.CalibratedClassifierCV makes probabilities",
            )
        return np.asarray(self.outputs(inputs))

    def error(self, of: str) -> float:
        """Fraction wrong on the set evaluated under this name; of targets the mean square."""
        if of not in self.errors:
            known = list(self.errors)
            raise UsageError(
                "no set of this name was evaluated",
                got=of,
                allowed=", ".join(known) or "none was",
                remedy=suggest(of, known) or f"fit with evaluate={{{of!r}: ...}}",
            )
        return self.errors[of]

    def error_on(self, examples: Examples) -> float:
        """Return the fraction wrong on a set of the same task, or the mean squared error."""
        if self.classes is None:
            found = np.asarray(self.outputs(examples.take()))
            return float(((found - examples.labels) ** 2).mean())
        return float((self.chosen(examples.take()) != examples.labels).mean())

    def __repr__(self) -> str:
        kind = "" if self.classes is None else f" of {len(self.classes)} classes"
        lines = [
            f"Fitted: {self.name} to {self.n_rows:,} rows in {self.seconds:.2g} s",
            f"  outputs {self.form}{kind}",
            *(f"  {name:7} error {error:.4g}" for name, error in list(self.errors.items())[:3]),
            *(f"  note    {note[:_NOTE_LENGTH]}" for note in self.notes[:_NOTES_SHOWN]),
        ]
        if len(self.notes) > _NOTES_SHOWN:
            lines.append(f"  ... and {len(self.notes) - _NOTES_SHOWN} more notes")
        return "\n".join(lines)

    def _rows(self, inputs: Any) -> Any:
        check_columns(inputs, self.columns, "the training set")
        rows = read_only(as_inputs(inputs))
        if self.flat and isinstance(rows, np.ndarray) and rows.ndim > 2:
            return rows.reshape(len(rows), -1)
        return rows

    def _ask(self, rows: Any) -> Any:
        if self.model is None:  # planning: nothing was fitted
            return np.zeros((n_rows(rows), self.n_outputs))
        if self.form == "probabilities" and hasattr(self.model, "predict_proba"):
            return self.model.predict_proba(rows)
        if self.form == "decision values" and hasattr(self.model, "decision_function"):
            return self.model.decision_function(rows)
        return self.model.predict(rows) if hasattr(self.model, "predict") else self.model(rows)

    def _in_order(self, answer: Any, n: int) -> np.ndarray:
        """Return outputs `[n, K]` with a column for each class of the data.

        Raises:
            UsageError: another number of rows or columns, NaN, or labels or names of columns that
                are no classes. DataError: masked answers.
        """
        given = array_of(answer)
        if given.ndim == 0 or len(given) != n:
            raise self._refusal("predictions of a wrong length", given, f"{n} rows")
        if self.form == "labels":
            return self._one_hot(given)
        if given.dtype.kind not in "fiub" or np.isnan(given).any():
            raise self._refusal("predictions that are no numbers, or NaN", given, "numbers")
        scores = np.ascontiguousarray(given, np.float64)  # of views that run backwards, too
        if self.classes is None:
            if scores.size != n * self.n_outputs:
                raise self._refusal("other targets", given, f"[{n}, {self.n_outputs}]")
            return scores.reshape(n, self.n_outputs)
        columns = self._columns(answer)
        if scores.ndim == 1 and len(columns) == 2:
            scores = np.stack([-scores / 2, scores / 2], axis=1)
        if scores.ndim != 2 or scores.shape[1] != len(columns):
            raise self._refusal("other classes", given, f"[{n}, {len(columns)}]")
        if self.form == "probabilities" and not sum_to_one(scores):
            raise self._refusal("probabilities that do not sum to 1", given, "rows that sum to 1")
        if len(columns) == self.n_outputs and (columns == np.arange(len(columns))).all():
            return scores
        nothing = 0.0 if self.form == "probabilities" else -np.inf
        found = np.full((n, self.n_outputs), nothing)
        found[:, columns] = scores
        return found

    def _columns(self, answer: Any) -> np.ndarray:
        """Return which of the data's classes each column of the model's answer is of."""
        assert self.classes is not None
        named = columns_by_name(answer, self.classes, self.name)
        if named is not None:
            return named
        seen = getattr(self.model, "classes_", None)
        if seen is None or self.model is None:
            return np.arange(self.n_outputs) if self.order is None else self.order
        return self._positions(np.asarray(seen))

    def _one_hot(self, given: np.ndarray) -> np.ndarray:
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim != 1:
            raise self._refusal("no labels", given, "[n] labels")
        found = np.zeros((len(given), self.n_outputs))
        found[np.arange(len(given)), self._positions(given)] = 1.0
        return found

    def _positions(self, labels: np.ndarray) -> np.ndarray:
        assert self.classes is not None
        numbers = {label: i for i, label in enumerate(self.classes.tolist())}
        unknown = [label for label in labels.tolist() if label not in numbers]
        if unknown:
            raise UsageError(
                f"{self.name} names what is no class of the data",
                got=unknown[0],
                allowed=", ".join(map(str, self.classes[:20])),
                remedy="give n_classes=None for regression",
            )
        return np.array([numbers[label] for label in labels.tolist()], dtype=np.int64)

    def _refusal(self, what: str, given: np.ndarray, allowed: str) -> UsageError:
        return UsageError(
            f"{self.name} returns {what}",
            got=f"{given.dtype} {list(given.shape)}",
            allowed=allowed,
            remedy="its predictions must have one row for each row of inputs, and a column for "
            "each class",
        )


@contextlib.contextmanager
def asking(name: str, draws: str = "outputs") -> Iterator[None]:
    """Ask foreign code for outputs inside the block: named, and with a stream's random numbers."""
    with naming(name, "to answer"), Streams(0).global_generators(draws), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # so it is
        yield
