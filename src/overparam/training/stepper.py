"""`Stepper`: the training loop of one stack: epochs, traces, stop rules, divergence.

How the models of a stack are updated and measured is behind `Models`: side by side as batched
products or mapped modules (`batched.py`), each by itself in compiled code (`native`), or one
module as it is (`alone.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data.dataset import Dataset
from overparam.streams import Streams
from overparam.training.batches import Orders
from overparam.training.recipe import Recipe
from overparam.training.trace import Status, Trace

Progress = Callable[[int], None]  # told how many updates of one model were just made


@dataclass
class Member:
    """One model of a stack while it is trained.

    Attributes:
        recipe, train_set, evaluate, streams: as requested.
        rows of the trace gather in `trace`; the trained state in `state` when it ends, and in
        `template` the module where training changed more of it than its tensors.
    """

    recipe: Recipe
    train_set: Dataset
    evaluate: dict[str, Dataset]
    streams: Streams
    trace: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Tensor] | None = None
    template: nn.Module | None = None
    status: Status = "done"
    n_steps: int = 0

    def finished_trace(self) -> Trace:
        """Return the gathered trace as arrays."""
        names = ["train", *self.evaluate]
        return Trace(
            np.array([t["epoch"] for t in self.trace]),
            np.array([t["step"] for t in self.trace]),
            {k: np.array([t["loss"][k] for t in self.trace]) for k in names},
            {k: np.array([t["error"][k] for t in self.trace]) for k in names},
        )


class Models(Protocol):
    """The models of one stack and their optimizers."""

    def update(self, order: Tensor, n_updates: int, progress: Progress) -> None:
        """Make the first updates of a pass over the training rows in `order`.

        Args:
            order: positions of rows, `[n]` for all models alike or `[M, n]`.
        """

    def measure(self, name: str, n: int | None = None) -> tuple[Tensor, Tensor]:
        """Return mean loss and error, float64 `[M]`, on the (first n) rows of a set.

        Args:
            name: ``train``, or the name of an evaluated set.
        """

    def state_of(self, model: int) -> dict[str, Tensor]:
        """Return a copy of one model's parameters and buffers on the CPU."""

    def template_of(self, model: int) -> nn.Module | None:
        """Return the module if training changed more of it than its tensors, else None."""

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones (int64 `[m]`)."""


class Stepper:
    """Trains the members of one stack side by side.

    Members that meet a stop rule or diverge are taken out; when half are out, the stack is
    packed anew, so that a long tail does not pay for the models that are done.
    """

    def __init__(self, members: Sequence[Member], models: Models, device: torch.device) -> None:
        self.members, self.models = list(members), models
        self.recipe = members[0].recipe
        self.n = len(members[0].train_set)
        self.orders = Orders([m.streams for m in members], self.n, device)
        self.active = list(range(len(members)))
        self.progress: Progress = lambda n_updates: None
        self.step = 0

    def run(self) -> None:
        """Train to the end of the recipe or until every member has stopped."""
        traced = set(self.recipe.traced_epochs(self.n))
        for epoch in range(1, self.recipe.n_epochs(self.n) + 1):
            self.run_epoch()
            if epoch in traced:
                self._measure(epoch)
                if not self.active:
                    return
        for m in self.active:
            self._retire(m, "done")

    def run_epoch(self) -> None:
        """One pass over the training rows, cut short where `steps` says so."""
        left = self.recipe.n_steps(self.n) - self.step
        self.step += self.try_epoch(min(self.recipe.steps_per_epoch(self.n), left))

    def try_epoch(self, n_updates: int) -> int:
        """Make so many updates of a pass, counted or, in trials, not."""
        self.models.update(self.orders.epoch(), n_updates, self.progress)
        return n_updates

    def _measure(self, epoch: int) -> None:
        found = {k: self.models.measure(k) for k in ("train", *self.members[0].evaluate)}
        out: list[tuple[int, Status]] = []
        for m in self.active:
            member = self.members[m]
            loss = {k: float(v[0][m]) for k, v in found.items()}
            error = {k: float(v[1][m]) for k, v in found.items()}
            member.trace.append({"epoch": epoch, "step": self.step, "loss": loss, "error": error})
            if not np.isfinite(loss["train"]):
                out.append((m, "diverged"))
            elif _met(member.recipe, loss["train"], error["train"]):
                out.append((m, "stopped"))
        for m, status in out:
            self._retire(m, status)
        self.active = [m for m in self.active if m not in {m for m, _ in out}]
        if self.active and 2 * len(self.active) <= len(self.members):
            self._pack()

    def _retire(self, m: int, status: Status) -> None:
        member = self.members[m]
        member.state, member.template = self.models.state_of(m), self.models.template_of(m)
        member.status, member.n_steps = status, self.step

    def _pack(self) -> None:
        models = torch.tensor(self.active)
        self.models.keep(models)
        self.orders.keep(models)
        self.members = [self.members[m] for m in self.active]
        self.active = list(range(len(self.members)))


def _met(recipe: Recipe, loss: float, error: float) -> bool:
    by_error = recipe.stop_at_error is not None and error <= recipe.stop_at_error
    by_loss = recipe.stop_at_loss is not None and loss <= recipe.stop_at_loss
    return by_error or by_loss
