"""Stacks of arbitrary modules: mapped over models by `torch.func`, or one model at a time.

`torch.func` turns convolutions of many models into one grouped convolution, which a CPU computes
more slowly than one model after the other; fully connected parts gain. So both ways exist, and
`ways.py` measures which one to take. What `torch.func` cannot map (dropout's own random numbers,
data-dependent control flow) runs one at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from overparam.training.batches import Batch
from overparam.training.losses import loss_values
from overparam.training.recipe import LossFunction
from overparam.training.weights import StackedWeights


class ModuleStack:
    """M modules of one structure with stacked parameters and buffers.

    Args:
        template: the widest module of the stack; only its structure is used.
        weights: stacked parameters. buffers: stacked buffers `[M, *shape]` by name.
        own_buffer_shapes: each model's shapes without padding.
    """

    def __init__(
        self,
        template: nn.Module,
        weights: StackedWeights,
        buffers: dict[str, Tensor],
        own_buffer_shapes: Sequence[dict[str, tuple[int, ...]]],
        loss: str | LossFunction,
    ) -> None:
        self.template = copy.deepcopy(template).to("meta").train()
        self.weights, self.buffers, self.loss = weights, buffers, loss
        self.own_buffer_shapes = own_buffer_shapes
        self.kept()

    def own_buffers(self, model: int) -> dict[str, Tensor]:
        """Return a copy of one model's buffers without padding, on the CPU."""
        own = self.own_buffer_shapes[model]
        return {
            k: v[model][tuple(slice(0, n) for n in own[k])].clone().cpu()
            for k, v in self.buffers.items()
        }

    def keep_buffers(self, models: Tensor) -> None:
        """Drop the buffers of all models but the given ones."""
        self.buffers = {k: v[models] for k, v in self.buffers.items()}
        self.own_buffer_shapes = [self.own_buffer_shapes[m] for m in models.tolist()]

    def kept(self) -> None:
        """Take the working weights as leaves of the backward pass; gradients land in place."""
        working = self.weights.views(self.weights.working)
        gradient = self.weights.views(self.weights.gradient)
        self._leaves = {}
        for name, value in working.items():
            leaf = value.detach().requires_grad_(True)
            leaf.grad = gradient[name]
            self._leaves[name] = leaf

    def loss_gradient(self, batch: Batch) -> None:
        """Fill the gradient of each model's mean loss over its batch (training mode)."""
        self.weights.gradient.zero_()
        self.template.train()
        with torch.enable_grad():
            outputs = self._call(self._leaves, batch.inputs, batch.shared)
            values = loss_values(
                self.loss, outputs.to(self.weights.master.dtype), self._labels(batch)
            )
            values.mean(-1).sum().backward()

    @torch.no_grad()
    def outputs(self, inputs: Tensor, shared: bool) -> Tensor:
        """Return the outputs `[M, B, K]` in evaluation mode; buffers stay as they are."""
        self.template.eval()
        found = self._call(self.weights.views(self.weights.working), inputs, shared)
        return found.to(self.weights.master.dtype)

    def _labels(self, batch: Batch) -> Tensor:
        own = batch.labels.ndim - (2 if batch.labels.is_floating_point() else 1)
        return (
            batch.labels if own else batch.labels.expand(self.weights.n_models, *batch.labels.shape)
        )

    def _call(self, parameters: dict[str, Tensor], inputs: Tensor, shared: bool) -> Tensor:
        if self.weights.n_models == 1:
            alone = {k: v[0] for k, v in parameters.items()}
            held = {k: v[0] for k, v in self.buffers.items()}
            found = functional_call(self.template, (alone, held), inputs if shared else inputs[0])
            return found.flatten(1).unsqueeze(0)
        mapped = torch.func.vmap(
            lambda p, b, x: functional_call(self.template, (p, b), x).flatten(1),
            in_dims=(0, 0, None if shared else 0),
            randomness="error",
        )
        return mapped(parameters, self.buffers, inputs)


def stack_buffers(modules: Sequence[nn.Module], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the buffers of materialised modules stacked by name, zero-padded to common shapes.

    Floating buffers (running means) are kept in at least float32.
    """
    stacked = {}
    for name, first in modules[0].named_buffers():
        own = [dict(m.named_buffers())[name] for m in modules]
        shape = tuple(max(d) for d in zip(*(b.shape for b in own), strict=True))
        kind = (
            torch.promote_types(dtype, torch.float32) if first.is_floating_point() else first.dtype
        )
        # A padded channel's running variance of 1 keeps it finite; its weight is zero anyway.
        whole = torch.full((len(own), *shape), 1 if "var" in name else 0, dtype=kind)
        for m, buffer in enumerate(own):
            whole[m][tuple(slice(0, s) for s in buffer.shape)] = buffer
        stacked[name] = whole
    return stacked
