"""`OneModule`: a module trained as the module that it is, by itself.

The module is called, its parameters receive gradients and are updated in place: hooks, ties,
parametrizations, frozen parts and buffers do what they do in a loop written by hand. What is added
is the form in which it runs (`lean.py`, proved) and, in bfloat16, parameters that are rounded
copies of those that updates are summed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from overparam.training.batches import Batch, Rows, in_order
from overparam.training.copies import copy_module, named_tensors, put_state
from overparam.training.describe import describe_settings
from overparam.training.lean import Form
from overparam.training.losses import check_rows, judge, loss_values
from overparam.training.modes import Modes
from overparam.training.modules import exact_names
from overparam.training.optimizer import ParameterOptimizer
from overparam.training.stepper import Measured, Member, Progress


class OneModule:
    """See `overparam.training.stepper.Models` for the methods.

    Args:
        module: with weights, on the device; it is trained itself.
        working: dtype of the products. form: how it is run.
        n_units: numbers per row that a forward pass makes.
    """

    def __init__(
        self,
        member: Member,
        module: nn.Module,
        working: torch.dtype,
        form: Form,
        n_units: int,
        device: torch.device,
    ) -> None:
        self.recipe, self.module, self.form, self.device = member.recipe, module, form, device
        self._n_units, self._n_updates = n_units, 0
        self._modes, exact = Modes(module), exact_names(module)
        form.apply(module)
        self._modes.set(True)
        self._began = describe_settings(module)
        self._sums = torch.promote_types(working, torch.float32)
        self._masters: dict[int, Tensor] = {}  # of parameters that are rounded
        self._rounded: list[Tensor] = []
        for name, parameter in module.named_parameters():
            if parameter.is_floating_point() and self._sums != working and name not in exact:
                self._masters[id(parameter)] = parameter.data
                parameter.data = parameter.data.to(working)
                self._rounded.append(parameter)
        leaves = list(module.parameters())
        self._optimizer = ParameterOptimizer(
            self.recipe, leaves, [self._masters.get(id(p), p) for p in leaves]
        )
        sets = {**member.evaluate, "train": member.train_set}
        self.rows = {name: Rows([s], working, device) for name, s in sets.items()}

    def update(
        self, orders: Sequence[Tensor], n_updates: Sequence[int], progress: Progress
    ) -> None:
        """Update the module once per batch of its order."""
        rows = self.rows["train"]
        size = min(self.recipe.batch_size or rows.n, rows.n)
        batches = rows.batches(orders[0], size)
        self._modes.set(True)
        for _ in range(n_updates[0]):
            self._update(next(batches))
            progress(1)

    def _update(self, batch: Batch) -> None:
        with torch.enable_grad():
            outputs = self._outputs(batch.inputs)
            loss_values(self.recipe.loss, outputs, batch.labels).mean().backward()
        total = self.recipe.n_steps(self.rows["train"].n)
        self._optimizer.step(self.recipe.schedule.at(self._n_updates, total))
        with torch.no_grad():
            for parameter in self._rounded:
                parameter.copy_(self._masters[id(parameter)])
        self._n_updates += 1

    @torch.no_grad()
    def measure(self, name: str, n: int | None = None) -> Measured:
        """Return what is measured."""
        rows = self.rows[name]
        n = rows.n if n is None else min(n, rows.n)
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        self._modes.set(False)
        for positions in in_order(n, self._n_units, self.device):
            batch = rows.batch(positions)
            sums += judge(self.recipe.loss, self._outputs(batch.inputs), batch.labels)
        return Measured(*(sums / n).cpu()[:, None])

    def _outputs(self, inputs: Tensor) -> Tensor:
        """Return the outputs `[B, K]` in the dtype of the sums."""
        outputs = self.module(self.form.lay_out(inputs))
        check_rows(outputs, len(inputs))
        return outputs.flatten(1).to(self._sums)

    def state_of(self, model: int) -> dict[str, Tensor]:
        """Return a copy of all parameters and buffers under each of their names.

        As they are in training mode: some modules fold weights into each other in `eval`, and
        take them apart again in `train` (low-rank adapters). `Fitted.module` does it from there.
        """
        self._modes.set(True)
        copies: dict[int, Tensor] = {}
        state = {}
        for name, tensor in named_tensors(self.module):
            if id(tensor) not in copies:
                copies[id(tensor)] = self._masters.get(id(tensor), tensor).detach().clone().cpu()
            state[name] = copies[id(tensor)]
        return state

    def template_of(self, model: int) -> nn.Module | None:
        """Return the module if training has changed more of it than its tensors, else None."""
        self._modes.set(True)
        if self._began is not None and self._began == describe_settings(self.module):
            return None
        return put_state(copy_module(self.module).cpu(), self.state_of(model))

    def keep(self, models: Tensor) -> None:
        """There is only one."""
