"""`BatchedModels`: all models of a stack updated together, in tensors with a model axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from overparam.training.batches import Rows, in_order
from overparam.training.dense import DenseStack
from overparam.training.losses import judge
from overparam.training.modules import ModuleStack
from overparam.training.optimizer import Optimizer, Rate
from overparam.training.recorded import RecordedUpdates
from overparam.training.stepper import Measured, Member, Progress
from overparam.training.weights import StackedWeights

Network = DenseStack | ModuleStack


class BatchedModels:
    """Models whose batch, gradient and update are a few calls of PyTorch for all of them.

    See `overparam.training.stepper.Models` for the methods.
    """

    def __init__(self, members: Sequence[Member], network: Network, device: torch.device) -> None:
        self.network, self.device = network, device
        self.weights: StackedWeights = network.weights
        recipes = [m.recipe for m in members]
        self.recipe, self.n_updates = recipes[0], 0
        self.optimizer = Optimizer(recipes, self.weights)
        self.rows = {
            name: Rows([m.evaluate[name] for m in members], network.dtype, device)
            for name in members[0].evaluate
        } | {"train": Rows([m.train_set for m in members], network.dtype, device)}
        self._record()

    def _record(self) -> None:
        """Have updates recorded where nothing but our own kernels makes them, on a GPU."""
        ours = isinstance(self.network, DenseStack) and isinstance(self.recipe.loss, str)
        on_gpu = self.device.type == "cuda"
        self._recorded = RecordedUpdates(self._update_at, self._state) if ours and on_gpu else None

    @property
    def note(self) -> str:
        """What the report must say of how the models were trained, or nothing."""
        refused = self._recorded.refused if self._recorded is not None else ""
        return f"updates were not recorded for the GPU: {refused}" if refused else ""

    def _state(self) -> list[Tensor]:
        weights = self.weights
        held = [weights.master, weights.gradient, *self.optimizer.state()]
        return held if weights.working is weights.master else [weights.working, *held]

    def _update_at(self, positions: Tensor, factor: Rate) -> None:
        self.network.loss_gradient(self.rows["train"].batch(positions))
        self.optimizer.step(factor)

    def update(
        self, orders: Sequence[Tensor], n_updates: Sequence[int], progress: Progress
    ) -> None:
        """Update every model once per batch; all of them have as many rows."""
        rows = self.rows["train"]
        size = min(self.recipe.batch_size or rows.n, rows.n)
        total = self.recipe.n_steps(rows.n)
        alike = all(order is orders[0] for order in orders)
        order = orders[0] if alike else torch.stack(list(orders))
        batches = rows.batches(order, size)
        for number in range(max(n_updates)):
            factor = self.recipe.schedule.at(self.n_updates, total)
            if self._recorded is not None:
                self._recorded(order[..., number * size : (number + 1) * size], factor)
            else:
                self.network.loss_gradient(next(batches))
                self.optimizer.step(factor)
            self.n_updates += 1
            progress(self.weights.n_models)

    @torch.no_grad()
    def measure(self, name: str, n: int | None = None) -> Measured:
        """Return what is measured of every model."""
        rows = self.rows[name]
        n = rows.n if n is None else min(n, rows.n)
        per_row = rows.n_models * self.network.n_units
        sums = torch.zeros(3, rows.n_models, dtype=torch.float64, device=self.device)
        for positions in in_order(n, per_row, self.device):
            batch = rows.batch(positions)
            outputs = self.network.outputs(batch.inputs, batch.shared)
            labels = batch.labels
            if labels.ndim == (2 if labels.is_floating_point() else 1):
                labels = labels.expand(rows.n_models, *labels.shape)
            sums += judge(self.recipe.loss, outputs, labels)
        return Measured(*(sums / n).cpu())

    def state_of(self, model: int) -> dict[str, Tensor]:
        """Return a copy of one model's parameters and buffers without padding."""
        state = {k: v.cpu() for k, v in self.weights.state_of(model).items()}
        if isinstance(self.network, ModuleStack):
            state |= self.network.own_buffers(model)
        return state

    def template_of(self, model: int) -> None:
        """Nothing but tensors changes here."""

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones."""
        models = models.to(self.device)
        self.optimizer.keep(models)
        if isinstance(self.network, ModuleStack):
            self.network.keep_buffers(models)
        self.weights.keep(models)
        self.optimizer.kept()
        self.network.kept()
        for rows in self.rows.values():
            rows.keep(models)
        self._record()
