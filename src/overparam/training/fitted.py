"""`Fitted`: a trained model with its trace; `predict` asks it for outputs."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from overparam.training.recipe import Recipe
from overparam.training.request import Context, Cost, Request

Status = Literal["done", "stopped", "diverged"]


@dataclass(frozen=True)
class Trace:
    """What was measured along the training, one entry per traced epoch.

    Attributes:
        epoch: int `[t]`, counted from 1. step: int `[t]`, updates done by then.
        loss: mean loss by set name, `[t]` each; ``"train"`` is always there.
        error: fraction wrong in [0, 1] by set name, `[t]`; NaN for floating targets.
    """

    epoch: np.ndarray
    step: np.ndarray
    loss: Mapping[str, np.ndarray]
    error: Mapping[str, np.ndarray]

    def first_epoch_at_error(self, threshold: float, of: str = "train") -> float:
        """Return the first traced epoch whose error is at most `threshold`; NaN if none is."""
        reached = np.flatnonzero(self.error[of] <= threshold)
        return float(self.epoch[reached[0]]) if len(reached) else float("nan")


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        template: the module as it was given (possibly on the meta device).
        state: trained parameters and buffers by name, without padding.
        recipe: how it was trained. trace: what was measured on the way.
        status: ``done``; ``stopped`` (a stop rule was met); ``diverged`` (loss not finite).
        n_steps: updates done.
    """

    template: nn.Module
    state: Mapping[str, Tensor]
    recipe: Recipe
    trace: Trace
    status: Status
    n_steps: int

    @property
    def train_error(self) -> float:
        """Fraction of training rows wrong at the last traced epoch."""
        return float(self.trace.error["train"][-1])

    @property
    def train_loss(self) -> float:
        """Mean training loss at the last traced epoch."""
        return float(self.trace.loss["train"][-1])

    def error(self, of: str) -> float:
        """Fraction wrong on the set evaluated under this name, at the last traced epoch."""
        return float(self.trace.error[of][-1])

    def best_error(self, of: str) -> float:
        """Lowest error over the traced epochs: what stopping at the best epoch would give."""
        return float(np.min(self.trace.error[of]))

    def module(self) -> nn.Module:
        """Return a plain `nn.Module` with the trained weights, in evaluation mode."""
        module = copy.deepcopy(self.template)
        if any(p.is_meta for p in module.parameters()):
            module = module.to_empty(device="cpu")
        first = next(iter(self.state.values()))
        module = module.to(first.dtype) if first.is_floating_point() else module
        module.load_state_dict(dict(self.state), strict=False)
        return module.eval()


@dataclass(frozen=True, eq=False)
class PredictRequest(Request):
    """Outputs of one fitted model."""

    fitted: Fitted
    inputs: Tensor
    chunk: int = field(default=4096)

    def group_key(self) -> Hashable:
        """What must agree between requests that are executed together."""
        return id(self)

    @staticmethod
    def execute(requests: Sequence[Any], context: Context) -> list[Any]:
        """Return one result per request."""
        return [request._outputs(context.device) for request in requests]

    @staticmethod
    def estimate(requests: Sequence[Any], context: Context) -> tuple[list[Any], Cost]:
        """Return stand-ins of the right shapes and what `execute` would cost."""
        # A forward pass on a test set is small beside the training that came before it.
        return [r._outputs(torch.device("cpu")) for r in requests], Cost()

    @torch.no_grad()
    def _outputs(self, device: torch.device) -> Tensor:
        template = copy.deepcopy(self.fitted.template).to("meta").eval()
        state = {k: v.to(device) for k, v in self.fitted.state.items()}
        dtype = next(v.dtype for v in state.values() if v.is_floating_point())
        parts = [
            functional_call(template, state, part.to(device, dtype)).cpu()
            for part in self.inputs.split(self.chunk)
        ]
        return torch.cat(parts)


async def predict(fitted: Fitted, inputs: Tensor) -> Tensor:
    """Return the outputs `[n, K]` of a fitted model on `inputs` `[n, *shape]`.

    Cost: one forward pass in the dtype of the trained weights, in chunks of 4,096 rows.
    """
    return await PredictRequest(fitted, inputs)
