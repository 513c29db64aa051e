"""`train_stack`: the training loop of one stack: epochs, traces, stop rules, divergence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overparam.data.dataset import Dataset
from overparam.streams import Streams
from overparam.training.batches import Batch, Orders, Rows, in_order
from overparam.training.dense import DenseStack
from overparam.training.fitted import Status, Trace
from overparam.training.losses import loss_values
from overparam.training.modules import ModuleStack
from overparam.training.optimizer import Optimizer
from overparam.training.recipe import Recipe
from overparam.training.weights import StackedWeights

Network = DenseStack | ModuleStack

_EVALUATION_FLOATS = 1 << 24  # activations passed at a time while measuring, in numbers
_LEAST_ROWS = 64  # rows at a time below which measuring is all overhead


@dataclass
class Member:
    """One model of a stack while it is trained.

    Attributes:
        recipe, train_set, evaluate, streams: as requested.
        rows of the trace gather in `trace`; the trained state in `state` when it ends.
    """

    recipe: Recipe
    train_set: Dataset
    evaluate: dict[str, Dataset]
    streams: Streams
    trace: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Tensor] | None = None
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


class Stepper:
    """Trains the members of one stack side by side.

    Members that meet a stop rule or diverge are taken out; when half are out, the stack is
    packed anew, so that a long tail does not pay for the models that are done.
    """

    def __init__(
        self,
        members: Sequence[Member],
        network: Network,
        device: torch.device,
        progress: Callable[[int], None] = lambda n_model_steps: None,
    ) -> None:
        self.members, self.network, self.device = list(members), network, device
        self.weights: StackedWeights = network.weights
        recipes = [m.recipe for m in members]
        self.recipe = recipes[0]
        self.n = len(members[0].train_set)
        self.optimizer = Optimizer(recipes, self.weights)
        self.rows = Rows([m.train_set for m in members], network.dtype, device)
        self.evaluated = {
            name: Rows([m.evaluate[name] for m in members], network.dtype, device)
            for name in members[0].evaluate
        }
        self.orders = Orders([m.streams for m in members], self.n, device)
        self.active = list(range(len(members)))
        self.progress = progress
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
        order = self.orders.epoch()
        size, total = self.recipe.batch_size or self.n, self.recipe.n_steps(self.n)
        for batch in self.rows.batches(order, min(size, self.n)):
            if self.step >= total:
                return
            self.update(batch)

    def update(self, batch: Batch) -> None:
        """One update of every model in the stack."""
        self.network.loss_gradient(batch)
        total = self.recipe.n_steps(self.n)
        self.optimizer.step(self.recipe.schedule.at(self.step, total))
        self.step += 1
        self.progress(len(self.members))

    def _measure(self, epoch: int) -> None:
        found = {"train": self.evaluate(self.rows)}
        found |= {name: self.evaluate(rows) for name, rows in self.evaluated.items()}
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

    @torch.no_grad()
    def evaluate(self, rows: Rows, n: int | None = None) -> tuple[Tensor, Tensor]:
        """Return mean loss and error `[M]` of every model on its (first n) rows."""
        n = rows.n if n is None else min(n, rows.n)
        chunk = max(_LEAST_ROWS, _EVALUATION_FLOATS // (rows.n_models * self.network.n_units))
        losses = torch.zeros(rows.n_models, dtype=torch.float64, device=self.device)
        wrong = torch.zeros_like(losses)
        for positions in in_order(n, chunk, self.device):
            batch = rows.batch(positions)
            outputs = self.network.outputs(batch.inputs, batch.shared)
            labels = batch.labels
            floating = labels.is_floating_point()
            if labels.ndim == (2 if floating else 1):
                labels = labels.expand(rows.n_models, *labels.shape)
            losses += loss_values(self.recipe.loss, outputs, labels).sum(1, dtype=torch.float64)
            if floating:
                wrong += torch.nan
            else:
                wrong += (outputs.argmax(-1) != labels).sum(1)
        return (losses / n).cpu(), (wrong / n).cpu()

    def _retire(self, m: int, status: Status) -> None:
        member = self.members[m]
        member.state = {k: v.cpu() for k, v in self.weights.state_of(m).items()}
        buffers = getattr(self.network, "own_buffers", None)
        if buffers is not None:
            member.state |= buffers(m)
        member.status, member.n_steps = status, self.step

    def _pack(self) -> None:
        models = torch.tensor(self.active, device=self.device)
        self.optimizer.keep(models)
        if isinstance(self.network, ModuleStack):
            self.network.keep_buffers(models)
        self.weights.keep(models)
        self.optimizer.kept()
        self.network.kept()
        for rows in (self.rows, *self.evaluated.values()):
            rows.keep(models)
        self.orders.keep(models)
        self.members = [self.members[m] for m in self.active]
        self.active = list(range(len(self.members)))


def _met(recipe: Recipe, loss: float, error: float) -> bool:
    by_error = recipe.stop_at_error is not None and error <= recipe.stop_at_error
    by_loss = recipe.stop_at_loss is not None and loss <= recipe.stop_at_loss
    return by_error or by_loss
