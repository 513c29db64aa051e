"""Members whose weights were kept, asked about rows that they were not asked about in training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from overparam.data.examples import Examples, as_examples
from overparam.ensembles.columns import Columns
from overparam.ensembles.learners import NetworkLearner
from overparam.ensembles.setup import EVALUATED
from overparam.ensembles.statements import statements
from overparam.ensembles.target_member import one_number
from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.fitted import Fitted, predict
from overparam.training.request import solve
from overparam.training.task import Task
from overparam.training.trace import Trace

if TYPE_CHECKING:
    from overparam.ensembles.ensemble import Ensemble
    from overparam.ensembles.of_members import EnsembleOfMembers


def correct_of(ensemble: Ensemble, columns: Columns, X: Any, y: Any) -> np.ndarray:
    """Return which rows each member is right on, bool `[K, m]`.

    Rows that were evaluated in training need no models.
    """
    classes = np.array(ensemble.classes)
    known = Examples(np.empty((ensemble.n_rows, 0)), ensemble.labels, classes)
    asked = as_examples((X, y), name="test", like=known)
    if asked.fingerprint == ensemble.members.about["identity"].get(EVALUATED):
        return columns["test_correct"]
    learner = _learner_of(ensemble)
    said = _outputs(learner, columns, X)
    return np.array([statements(o, form, asked.labels).correct for o, form in said])


def probabilities_of(ensemble: Ensemble, columns: Columns, X: Any) -> Iterator[np.ndarray]:
    """Yield each member's probabilities `[m, classes]`."""
    learner = _learner_of(ensemble)
    for outputs, form in _outputs(learner, columns, X):
        yield statements(outputs, form, np.zeros(len(outputs), np.int64)).probabilities


def predictions_of(ensemble: EnsembleOfMembers, columns: Columns, X: Any) -> Iterator[np.ndarray]:
    """Yield each member's predicted targets `[m]`."""
    for outputs, _ in _outputs(_learner_of(ensemble), columns, X):
        yield one_number(outputs)


def _learner_of(ensemble: EnsembleOfMembers) -> NetworkLearner:
    kept = "models" in (ensemble.setup.keep if ensemble.setup else ())
    learner = ensemble.setup.learner if ensemble.setup else None
    if kept and isinstance(learner, NetworkLearner):
        return learner
    raise UsageError(
        "the members' models are not at hand",
        got="an ensemble that was loaded from its folder, or is of predictions"
        if learner is None
        else "not kept",
        remedy="give keep='models' (networks), or evaluate=(X_test, y_test), to subset_ensemble; "
        "with the same folder a loaded ensemble has its model again",
    )


def _outputs(learner: NetworkLearner, columns: Columns, X: Any) -> Iterator[tuple[Any, str]]:
    nothing = Trace(np.empty(0, int), np.empty(0, int), {}, {})
    module = learner.make(Streams(0))
    task = Task.of(learner.data)
    for state in columns.each("state"):
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in state.items()}
        fitted = Fitted(module, tensors, learner.recipe, nothing, "done", 0, task)
        found = solve(predict(fitted, X))
        yield found.reshape(len(found), -1).double().numpy(), fitted.form
