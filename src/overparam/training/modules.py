"""Stacks of arbitrary modules, mapped over models by `torch.func`.

All models of a stack are executed by one of them, the template, with each one's own parameters and
buffers. That is right where nothing else tells them apart and nothing else changes in training:
`can_map` asks for the first, and `agreement.py` holds every mapped stack against its models one
by one (`alone.py`) before it is used.

`torch.func` turns convolutions of many models into one grouped convolution, which a CPU computes
more slowly than one model after the other; fully connected parts gain. So both ways exist, and
`ways.py` measures which one to take.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from overparam.training.batches import Batch
from overparam.training.copies import copy_module
from overparam.training.losses import loss_values
from overparam.training.modes import Modes
from overparam.training.plain import why_not_plain
from overparam.training.recipe import LossFunction
from overparam.training.weights import StackedWeights

# Layers whose parameters stay in the precision of their running statistics.
_STATISTICAL = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def can_map(module: nn.Module) -> bool:
    """Whether models like this may be executed by one of them."""
    return why_not_plain(module) is None


def exact_names(module: nn.Module) -> set[str]:
    """Return the names of parameters that are not rounded to bfloat16."""
    return {
        f"{path}.{name}" if path else name
        for path, part in module.named_modules(remove_duplicate=False)
        if isinstance(part, _STATISTICAL)
        for name, _ in part.named_parameters()
    }


class ModuleStack:
    """M modules of one structure with stacked parameters and buffers.

    Args:
        template: the widest module of the stack; only its structure is used.
        weights: stacked parameters. buffers: stacked buffers `[M, *shape]` by name.
        own_buffer_shapes: each model's shapes without padding.
        dtype: of the products; weights are rounded to it within the forward pass, so that
            gradients come back in the weights' own precision.
        n_units: numbers per row and model that a forward pass makes.
    """

    def __init__(
        self,
        template: nn.Module,
        weights: StackedWeights,
        buffers: dict[str, Tensor],
        own_buffer_shapes: Sequence[dict[str, tuple[int, ...]]],
        loss: str | LossFunction,
        dtype: torch.dtype,
        n_units: int,
    ) -> None:
        self.template = copy_module(template).to("meta")
        self._modes = Modes(self.template)
        self.weights, self.buffers, self.loss, self.dtype = weights, buffers, loss, dtype
        self.n_units = n_units
        self._exact = exact_names(self.template)
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
        """Take the weights as leaves of the backward pass; gradients land in place."""
        gradient = self.weights.views(self.weights.gradient)
        self._leaves = {}
        for name, value in self.weights.views(self.weights.master).items():
            leaf = value.detach().requires_grad_(True)
            leaf.grad = gradient[name]
            self._leaves[name] = leaf

    def loss_gradient(self, batch: Batch) -> None:
        """Fill the gradient of each model's mean loss over its batch (training mode)."""
        self.weights.gradient.zero_()
        self._modes.set(True)
        with torch.enable_grad():
            outputs = self._call(self._leaves, batch.inputs, batch.shared)
            values = loss_values(
                self.loss, outputs.to(self.weights.master.dtype), self._labels(batch)
            )
            values.mean(-1).sum().backward()

    @torch.no_grad()
    def outputs(self, inputs: Tensor, shared: bool) -> Tensor:
        """Return the outputs `[M, B, K]` in evaluation mode; buffers stay as they are."""
        self._modes.set(False)
        found = self._call(self._leaves, inputs, shared)
        return found.to(self.weights.master.dtype)

    def _labels(self, batch: Batch) -> Tensor:
        own = batch.labels.ndim - (2 if batch.labels.is_floating_point() else 1)
        return (
            batch.labels if own else batch.labels.expand(self.weights.n_models, *batch.labels.shape)
        )

    def _call(self, leaves: dict[str, Tensor], inputs: Tensor, shared: bool) -> Tensor:
        parameters = {k: v if k in self._exact else v.to(self.dtype) for k, v in leaves.items()}
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
