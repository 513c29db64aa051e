"""One member of an ensemble, as a cell of a study: which rows it had, what it says of every row.

Beside the members there may be one run on all rows, a cell whose ratio is 1. It is no member: the
losses along it are the prior of the members' memorization scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from overparam.ensembles.learners import Learner, NetworkLearner
from overparam.ensembles.statements import Statements, silence, statements
from overparam.lab.phenomenon import factor, quantity
from overparam.streams import Streams
from overparam.training.fitted import Fitted, predict
from overparam.training.fitted_estimator import FittedEstimator

KEPT = ("logits", "models")  # what is kept on request
WHOLE = 1.0  # the ratio of the run on all rows


@dataclass(frozen=True)
class Member:
    """Which member of which ensemble."""

    number: int = factor(0, low=0, doc="of the member, from 0")
    ratio: float = factor(0.7, unit="of the rows", low=0, high=1, doc="share of rows in its subset")
    ensemble: str = factor("", doc="hash of data, subsets, model, recipe and what is kept")


@dataclass(frozen=True)
class MemberOutcome:
    """What one member says of n rows, in types that take little room."""

    n_train: int = quantity("rows", "in its subset")
    accuracy_in: float = quantity("fraction right", "on the rows in its subset")
    accuracy_out: float = quantity("fraction right", "on the rows that it never saw")
    repeat_gap: float = quantity("", "largest difference when fitted or made again; NaN: not")
    form: str = quantity("", "what outputs are: logits, probabilities, decision values or labels")
    subset: np.ndarray = quantity("", "packed bits, 1 where the row is in the subset")
    margin: np.ndarray = quantity("nats", "float32 [n], above 0 where the member is right")
    probability: np.ndarray = quantity("", "float32 [n], of the label")
    correct: np.ndarray = quantity("", "bool [n]")
    outside: np.ndarray = quantity("", "float16 [rows out, classes], probabilities out of sample")
    test_margin: np.ndarray = quantity("nats", "float32 [m], of the evaluated rows")
    test_correct: np.ndarray = quantity("", "bool [m]")
    test_probabilities: np.ndarray = quantity("", "float16 [m, classes]")
    outputs: np.ndarray = quantity("", "float32 [n, classes] on request, else empty")
    state: dict[str, np.ndarray] = quantity("", "weights on request, else empty")
    cumulative_loss: np.ndarray = quantity("nats", "float32 [n], along the run on all rows")


@dataclass(frozen=True, eq=False)
class MemberRun:
    """What runs one cell, `run` of the ensemble's study.

    Attributes:
        learner: what is fitted. labels: int64 `[n]`. test_labels: int64 `[m]`, or None.
        masks: ratio to packed subsets `[K, n / 8]`. keep: some of `KEPT`.
    """

    learner: Learner
    labels: np.ndarray
    test_labels: np.ndarray | None
    n_classes: int
    masks: Mapping[float, np.ndarray]
    keep: tuple[str, ...] = field(default=())

    async def __call__(self, c: Member, streams: Streams) -> MemberOutcome:
        """Fit the member to its rows and ask it about all of them."""
        if c.ratio == WHOLE:
            return await self._run(streams.child("one run"))
        own = streams.child(f"member {c.number}")
        inside = unpacked(self.masks[c.ratio][c.number], len(self.labels))
        fitted = await self.learner.fit(np.flatnonzero(inside), own)
        outputs, said = await self._ask(fitted, self.learner.inputs, self.labels)
        gap = float("nan")
        if c.number == 0 and self.learner.may_keep_state:
            gap = await gap_of_second_fit(self.learner, inside, own, outputs)
        tested = silence(0, self.n_classes)
        if self.test_labels is not None:
            _, tested = await self._ask(fitted, self.learner.test_inputs, self.test_labels)
        outcome = outcome_of(fitted.form, inside, said, tested, gap)
        if "logits" in self.keep:
            outcome = replace(outcome, outputs=outputs.astype(np.float32))
        return replace(outcome, state=state_of(fitted) if "models" in self.keep else {})

    async def _run(self, streams: Streams) -> MemberOutcome:
        """Train on all rows, and keep what the losses of rows were on the way."""
        assert isinstance(self.learner, NetworkLearner)  # others are not traced
        fitted, losses = await self.learner.fit_watched(streams)
        _, said = await self._ask(fitted, self.learner.inputs, self.labels)
        whole, tested = np.ones(len(self.labels), bool), silence(0, self.n_classes)
        outcome = outcome_of(fitted.form, whole, said, tested)
        return replace(outcome, cumulative_loss=losses.astype(np.float32))

    async def _ask(
        self, fitted: Any, inputs: Any, labels: np.ndarray
    ) -> tuple[np.ndarray, Statements]:
        if fitted.status == "diverged":
            outputs = np.full((len(labels), self.n_classes), np.nan)
            return outputs, silence(len(labels), self.n_classes)
        found: torch.Tensor = await predict(fitted, inputs)
        outputs = found.reshape(len(labels), -1).double().numpy()
        predicted = None
        if isinstance(fitted, FittedEstimator):
            predicted = fitted.chosen(inputs, outputs)
        return outputs, statements(outputs, fitted.form, labels, predicted)


async def gap_of_second_fit(
    learner: Learner, inside: np.ndarray, own: Streams, outputs: np.ndarray
) -> float:
    """Return how far a second fit to equal rows with equal streams is from the first.

    Other rows are fitted in between: what an estimator keeps of them would show. Of networks that a
    function makes, which are trained alike, the weights from which they start are compared.

    Args:
        inside: the rows, as a mask. outputs: of the first fit, `[n, K]`.
    """
    if isinstance(learner, NetworkLearner):
        return learner.gap_when_made_again(own)
    await learner.fit(np.flatnonzero(~inside), own.child("in between"))
    again = await learner.fit(np.flatnonzero(inside), own)
    found: torch.Tensor = await predict(again, learner.inputs)
    # Outputs of -inf, of classes that a subset lacks, are equal to themselves.
    second = found.reshape(outputs.shape).double().numpy()
    with np.errstate(invalid="ignore"):
        apart = np.where(second == outputs, 0.0, np.abs(second - outputs))
    return float(apart.max())


def outcome_of(
    form: str,
    inside: np.ndarray,
    said: Statements,
    tested: Statements,
    gap: float = float("nan"),
) -> MemberOutcome:
    """Return what a member says, NaN where it says nothing, in types that take little room."""
    nothing, known = np.empty(0, np.float32), ~np.isnan(said.probability)
    return MemberOutcome(
        int(inside.sum()),
        _share(said.correct[inside & known]),
        _share(said.correct[~inside & known]),
        gap,
        form,
        packed_subsets(inside),
        said.margin.astype(np.float32),
        said.probability.astype(np.float32),
        said.correct,
        said.probabilities[~inside].astype(np.float16),
        tested.margin.astype(np.float32),
        tested.correct,
        tested.probabilities.astype(np.float16),
        outputs=nothing,
        state={},
        cumulative_loss=nothing,
    )


def _share(correct: np.ndarray) -> float:
    return float(correct.mean()) if len(correct) else float("nan")


def packed_subsets(masks: np.ndarray) -> np.ndarray:
    """Return bool `[..., n]` as bits."""
    return np.packbits(masks, axis=-1)


def unpacked(bits: np.ndarray, n_rows: int) -> np.ndarray:
    """Return bits as bool `[..., n_rows]`."""
    return np.unpackbits(bits, axis=-1, count=n_rows).view(bool)


def state_of(fitted: Any) -> dict[str, np.ndarray]:
    """Return the weights of a network."""
    assert isinstance(fitted, Fitted)  # others are refused before anything is trained
    return {name: tensor.detach().cpu().numpy() for name, tensor in fitted.state.items()}
