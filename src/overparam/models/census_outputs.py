"""How many numbers a model returns for one example: read from a pass, not from how it is built.

One rule for two classes: what counts is what the model returns. One logit that tells two classes
apart is one output, in PyTorch and in scikit-learn (whose classifiers of two classes have one
decision function); a network with two logits has two, as its targets are written in Belkin et al.
2019: K numbers for each example.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.models.census_fitted import networks_of
from overparam.models.estimator_attributes import is_fitted
from overparam.models.targets import error_text
from overparam.models.trial import Trial, likely_input_shapes, trial_pass

Read = tuple[int | None, list[str]]  # outputs, or None; notes on how they were found or why not


def module_outputs(
    module: nn.Module, input_shape: tuple[int, ...] | None, dtype: torch.dtype | None = None
) -> tuple[int | None, list[str], nn.Module | None]:
    """Return the outputs of a network for one input, and a copy whose lazy layers are filled in.

    Where no shape is given, a chain of layers is tried on shapes that its first layer may take;
    they tell if all that it can take agree.
    """
    if input_shape is not None:
        trial = trial_pass(module, input_shape, dtype=dtype)
        n_outputs, notes = _width(trial, f"{list(input_shape)}")
        return n_outputs, notes, trial.module if trial.error is None else None
    trials = [trial_pass(module, shape, devices=("meta",)) for shape in likely_input_shapes(module)]
    widths = {_width(trial, "")[0] for trial in trials if trial.error is None}
    if len(widths) == 1 and None not in widths:
        return widths.pop(), [], None
    return None, ["n_outputs is read from a forward pass: give input_shape, the shape of one"], None


def estimator_outputs(
    estimator: Any, n_targets: int | None, input_shape: tuple[int, ...] | None
) -> Read:
    """Return how many numbers an estimator predicts, or None where it does not tell.

    Args:
        n_targets: classes or targets of the training set, used where it is not fitted.
    """
    from sklearn.base import is_classifier, is_regressor

    is_foreign = not type(estimator).__module__.startswith("sklearn.")
    networks = networks_of(estimator) if is_foreign else []
    if networks:
        n_outputs, notes, _ = module_outputs(networks[0], input_shape)
        return n_outputs, notes
    has_classes = _is(is_classifier, estimator)
    if not is_fitted(estimator) or not (has_classes or _is(is_regressor, estimator)):
        return (1 if has_classes and n_targets == 2 else n_targets), []
    n_columns = _columns_predicted(estimator)
    if not has_classes:
        return (n_columns or n_targets), []
    classes = _attribute(estimator, "classes_")
    if isinstance(classes, list):  # of several targets
        return (sum(_of_classes(len(c)) for c in classes) or n_targets), []
    if n_columns is not None and n_columns > 1:  # labels that do not exclude one another
        return n_columns, []
    return (n_targets if classes is None else _of_classes(len(classes))), []


def _of_classes(n_classes: int) -> int:
    return 1 if n_classes == 2 else n_classes


def _is(question: Any, estimator: Any) -> bool:
    try:
        return bool(question(estimator))
    except Exception:  # an estimator that scikit-learn cannot ask
        return False


def _attribute(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name, None)
    except Exception:  # a property of the user's
        return None


def _columns_predicted(estimator: Any) -> int | None:
    """Return the columns of a prediction, or None where none can be made on zeros."""
    n_features = _attribute(estimator, "n_features_in_")
    if not isinstance(n_features, int | np.integer):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predicted = np.asarray(estimator.predict(np.zeros((1, int(n_features)))))
    except Exception:
        return None
    return 1 if predicted.ndim < 2 else int(predicted[0].size)


def _width(trial: Trial, shape: str) -> Read:
    if trial.error is not None:
        reason = error_text(trial.error)
        return None, [f"a trial forward pass on shape {shape} failed: {reason}"]
    outputs, n_inputs = trial.outputs, trial.n_inputs
    if not isinstance(outputs, Tensor):
        kind = type(outputs).__name__
        return None, [f"the model returns a {kind}: give n_outputs, the numbers it is trained on"]
    found = tuple(outputs.shape)
    if outputs.ndim == 0 or found[0] != n_inputs:
        return None, [
            f"the model returns {list(found)} for {n_inputs} inputs, not one row for each: give "
            "n_outputs"
        ]
    n_outputs = outputs[0].numel() * (2 if outputs.is_complex() else 1)
    if n_outputs == 0:
        return None, ["the model returns no numbers"]
    notes = []
    if outputs.ndim > 2:
        notes.append(f"the model returns {list(found[1:])} for one example: {n_outputs:,} outputs")
    return n_outputs, notes
