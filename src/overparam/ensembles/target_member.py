"""One member of an ensemble of regressions: what it predicts of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from overparam.ensembles.learners import Learner
from overparam.ensembles.member import Member, gap_of_second_fit, packed_subsets, state_of, unpacked
from overparam.errors import UsageError
from overparam.lab.phenomenon import quantity
from overparam.streams import Streams
from overparam.training.fitted import predict


@dataclass(frozen=True)
class TargetOutcome:
    """What one member predicts of n rows."""

    n_train: int = quantity("rows", "in its subset")
    error_in: float = quantity("target squared", "mean square on the rows in its subset")
    error_out: float = quantity("target squared", "mean square on the rows that it never saw")
    repeat_gap: float = quantity("", "largest difference when fitted or made again; NaN: not")
    subset: np.ndarray = quantity("", "packed bits, 1 where the row is in the subset")
    prediction: np.ndarray = quantity("target", "float64 [n]")
    test_prediction: np.ndarray = quantity("target", "float64 [m], of the evaluated rows")
    state: dict[str, np.ndarray] = quantity("", "weights on request, else empty")


@dataclass(frozen=True, eq=False)
class TargetRun:
    """What runs one cell, `run` of the study of an ensemble of regressions.

    Attributes:
        learner: what is fitted. targets: float64 `[n]`. n_test: rows that are evaluated besides.
        masks: ratio to packed subsets `[K, n / 8]`. keep: some of `member.KEPT`.
    """

    learner: Learner
    targets: np.ndarray
    n_test: int
    masks: Mapping[float, np.ndarray]
    keep: tuple[str, ...] = field(default=())

    async def __call__(self, c: Member, streams: Streams) -> TargetOutcome:
        """Fit the member to its rows and ask it about all of them."""
        own = streams.child(f"member {c.number}")
        inside = unpacked(self.masks[c.ratio][c.number], len(self.targets))
        fitted = await self.learner.fit(np.flatnonzero(inside), own)
        said = await self._ask(fitted, self.learner.inputs, len(self.targets))
        gap = float("nan")
        if c.number == 0 and self.learner.may_keep_state:
            gap = await gap_of_second_fit(self.learner, inside, own, said[:, None])
        tested = np.empty(0)
        if self.n_test:
            tested = await self._ask(fitted, self.learner.test_inputs, self.n_test)
        outcome = told(inside, said, self.targets, tested, gap)
        return replace(outcome, state=state_of(fitted) if "models" in self.keep else {})

    async def _ask(self, fitted: Any, inputs: Any, n_rows: int) -> np.ndarray:
        if fitted.status == "diverged":
            return np.full(n_rows, np.nan)
        found: torch.Tensor = await predict(fitted, inputs)
        return one_number(found.reshape(n_rows, -1).double().numpy())


def told(
    inside: np.ndarray, said: np.ndarray, targets: np.ndarray, tested: np.ndarray, gap: float
) -> TargetOutcome:
    """Return the outcome of a member that predicts `said` `[n]`; NaN where it says nothing."""
    errors = np.square(said - targets)
    return TargetOutcome(
        int(inside.sum()),
        _mean(errors[inside]),
        _mean(errors[~inside]),
        gap,
        packed_subsets(inside),
        said,
        tested,
        state={},
    )


def one_number(outputs: np.ndarray) -> np.ndarray:
    """Return outputs `[n, 1]` as `[n]`.

    Raises:
        UsageError: several numbers for each row, of which nobody can tell which is the prediction.
    """
    if outputs.shape[1] != 1:
        raise UsageError(
            "a model of one target for each row puts out several numbers",
            got=list(outputs.shape),
            allowed=[len(outputs), 1],
            remedy="let it put out the predicted target alone",
        )
    return outputs[:, 0]


def _mean(errors: np.ndarray) -> float:
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if len(known) else float("nan")
