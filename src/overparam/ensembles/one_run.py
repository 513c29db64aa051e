"""The scores of all rows that one fit gives, and the rows alone: of a network or an estimator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from overparam.data.arrays import as_array
from overparam.ensembles.learners import EstimatorLearner, Learner, NetworkLearner
from overparam.ensembles.statements import statements
from overparam.errors import DataError
from overparam.measures.baselines import class_distance, neighbor_disagreement
from overparam.measures.one_run import PROXIES, costs_of_proxies, proxies_of_run
from overparam.measures.proxies import (
    area_under_margin,
    cumulative_loss,
    final_loss,
    forgetting_events,
    iteration_learned,
    loss_interquartile_range,
)
from overparam.measures.rows_seen import WatchRows, watchable
from overparam.streams import Streams
from overparam.training.fitted_estimator import FittedEstimator
from overparam.training.request import Context, solve
from overparam.training.train import train

BASELINES = ("neighbor_disagreement", "class_distance")
_MOST_STAGES = 50  # of boosting that are looked at


@dataclass(frozen=True, eq=False)
class OneRun:
    """Scores of n rows by name, higher = more memorized, and what each costs.

    Attributes:
        scores: proxies and baselines, float64 `[n]`. costs: in fits to all rows; baselines 0.
    """

    scores: Mapping[str, np.ndarray]
    costs: Mapping[str, float]


def run_once(
    learner: Learner, labels: np.ndarray, streams: Streams, device: torch.device
) -> OneRun:
    """Fit one model to all rows and return what it says of each, and what the rows say alone."""
    if isinstance(learner, NetworkLearner):
        scores, costs = _of_network(learner, streams, device)
    else:
        assert isinstance(learner, EstimatorLearner)
        scores = _of_estimator(learner, labels, streams)
        costs = dict.fromkeys(scores, 1.0)
    of_rows = baselines_of(learner.inputs, labels)
    return OneRun(scores | of_rows, costs | dict.fromkeys(of_rows, 0.0))


def baselines_of(inputs: Any, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores that need no model; none where inputs are no numbers.

    Distances are between the numbers as they are given, be it in an array or in a table.
    """
    try:
        x = as_array("inputs", inputs)
        return {
            "neighbor_disagreement": neighbor_disagreement(x, labels),
            "class_distance": class_distance(x, labels),
        }
    except DataError:
        return {}


def _of_network(
    learner: NetworkLearner, streams: Streams, device: torch.device
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    data = learner.data
    recipe = watchable(learner.recipe, len(data))
    cell = train(learner.make(streams), data, recipe, streams, watch=WatchRows(data))
    fitted = solve(cell, Context(device))
    if fitted.status == "diverged":
        raise DataError(
            "the run on all rows diverged, so that it says nothing of any row",
            got=f"a loss of {fitted.train_loss:g} after {fitted.n_steps:,} updates",
            remedy="train with a smaller learning_rate; the ensemble in a folder= is kept",
        )
    scores = proxies_of_run(fitted, data, streams)
    costs = costs_of_proxies(recipe, len(data))
    return scores, {name: costs[name] for name in PROXIES if name in scores}


def _of_estimator(
    learner: EstimatorLearner, labels: np.ndarray, streams: Streams
) -> dict[str, np.ndarray]:
    """Return losses and margins at the end, and along the stages of boosting where there are."""
    fitted: FittedEstimator = solve(learner.fit(np.arange(len(labels)), streams))
    stages = list(_stages(fitted, learner.inputs)) or [fitted.outputs(learner.inputs)]
    losses, margins, correct = [], [], []
    said = None
    for outputs in stages:
        said = statements(np.asarray(outputs), fitted.form, labels)
        with np.errstate(divide="ignore"):
            losses.append(-np.log(said.probability))
        margins.append(said.margin)
        correct.append(said.correct)
    assert said is not None
    one_hot = np.eye(said.probabilities.shape[1])[labels]
    found = {"final_loss": final_loss(losses)}
    if len(stages) > 1:
        found |= {
            "cumulative_loss": cumulative_loss(losses),
            "loss_interquartile_range": loss_interquartile_range(losses),
            "forgetting_events": forgetting_events(correct).score,
            "iteration_learned": iteration_learned(correct, np.ones(len(labels), int)),
        }
    if not np.isnan(margins).any():
        found["area_under_margin"] = area_under_margin(margins)
    found["el2n"] = np.linalg.norm(said.probabilities - one_hot, axis=1)
    return found | _out_of_bag(fitted, labels)


def _stages(fitted: FittedEstimator, inputs: Any) -> Iterator[np.ndarray]:
    """Yield the outputs after up to fifty stages of boosting, evenly spread; of others nothing."""
    staged = getattr(fitted.model, "staged_predict_proba", None)
    if staged is None or fitted.form != "probabilities":
        return
    rows = inputs.reshape(len(inputs), -1) if fitted.flat else inputs
    answers = list(staged(rows))
    chosen = np.unique(np.linspace(0, len(answers) - 1, _MOST_STAGES).round().astype(int))
    for i in chosen:
        yield replace(fitted, model=_Answered(answers[i], fitted.model.classes_)).outputs(inputs)


class _Answered:
    """A stage of an estimator that has been asked."""

    def __init__(self, answer: np.ndarray, classes: np.ndarray) -> None:
        self._answer, self.classes_ = answer, classes

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Return what it answered."""
        return self._answer


def _out_of_bag(fitted: FittedEstimator, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return one minus the probability that trees without the row give its label."""
    said = getattr(fitted.model, "oob_decision_function_", None)
    if said is None or fitted.classes is None or np.ndim(said) != 2:
        return {}
    if np.shape(said) != (len(labels), len(fitted.classes)):
        return {}
    return {"out_of_bag": 1 - np.asarray(said)[np.arange(len(labels)), labels]}
