"""`StackedWeights`: the parameters of M models in one flat tensor, padded to common shapes.

Models of different widths share a stack by zero padding: a hidden unit whose incoming weights
and bias are zero puts out zero, so its outgoing weights receive no gradient, and it receives
none through them (they are zero too). Padding therefore stays zero under every optimizer here,
and each model computes what it would compute alone. `pads` says for which modules this holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

# Layers that map zero-padded units to zero and pass no gradient back into padding. Normalizing
# over the padded axis (LayerNorm, GroupNorm) or activations with f(0) != 0 would break this.
PADDABLE = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.ReLU, nn.Tanh, nn.Identity, nn.Flatten, nn.BatchNorm1d,
    nn.BatchNorm2d, nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
)  # fmt: skip


# What may differ between padded models: attributes that hold widths.
WIDTHS = ("in_features", "out_features", "in_channels", "out_channels", "num_features")


def pads(module: nn.Module) -> bool:
    """Whether models of this kind may be padded to a larger width without changing what they do.

    True for nested `nn.Sequential` of known layers.
    """
    return all(
        type(part) in (nn.Sequential, *PADDABLE) and getattr(part, "groups", 1) == 1
        for part in module.modules()
    )


class StackedWeights:
    """Master weights, working copies and gradients of M models.

    Attributes:
        master: flat `[size]` in the dtype in which updates are summed.
        working: flat `[size]` in the dtype of the products; the master itself where they agree.
        gradient: flat `[size]` like `working`, filled by the network.
        names: parameter names; views of any flat tensor come from `views`.
    """

    def __init__(
        self,
        states: Sequence[Mapping[str, Tensor]],
        master_dtype: torch.dtype,
        working_dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.names = list(states[0])
        self.own_shapes = [{k: tuple(s[k].shape) for k in self.names} for s in states]
        self._padded = {
            k: tuple(max(dims) for dims in zip(*(o[k] for o in self.own_shapes), strict=True))
            for k in self.names
        }
        self._lay_out(len(states))
        self.master = torch.zeros(self.size, dtype=master_dtype, device=device)
        for k, stacked in self.views(self.master).items():
            for m, state in enumerate(states):
                stacked[m][_corner(state[k].shape)].copy_(state[k])
        shared = master_dtype == working_dtype
        self.working = self.master if shared else self.master.to(working_dtype)
        self.gradient = torch.zeros_like(self.working)

    def _lay_out(self, n_models: int) -> None:
        self.n_models = n_models
        self.shapes = {k: (n_models, *s) for k, s in self._padded.items()}
        self.sizes = [math.prod(s) for s in self.shapes.values()]
        self.size = sum(self.sizes)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Return the views `[M, *padded shape]` of a flat tensor by parameter name."""
        parts = flat.split(self.sizes)
        return {k: p.view(s) for (k, s), p in zip(self.shapes.items(), parts, strict=True)}

    def refresh(self) -> None:
        """Bring the working copy up to date with the master."""
        if self.working is not self.master:
            self.working.copy_(self.master)

    def state_of(self, model: int, flat: Tensor | None = None) -> dict[str, Tensor]:
        """Return a copy of one model's parameters without padding, in the master's dtype."""
        stacked = self.views(self.master if flat is None else flat)
        own = self.own_shapes[model]
        return {k: v[model][_corner(own[k])].detach().clone() for k, v in stacked.items()}

    def spread(self, values: Sequence[float]) -> float | Tensor:
        """Return one number where all models agree, else `[size]` with each model's value."""
        if len(set(values)) == 1:
            return values[0]
        per_model = torch.tensor(values, dtype=self.master.dtype, device=self.master.device)
        parts = [per_model.repeat_interleave(size // self.n_models) for size in self.sizes]
        return torch.cat(parts)

    def select(self, flat: Tensor, models: Tensor) -> Tensor:
        """Return a flat tensor with only the given models (int64 `[m]`)."""
        return torch.cat([v[models].flatten() for v in self.views(flat).values()])

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones."""
        shared = self.working is self.master
        master = self.select(self.master, models)
        self.own_shapes = [self.own_shapes[m] for m in models.tolist()]
        dtype = self.working.dtype
        self._lay_out(len(models))
        self.master = master
        self.working = master if shared else master.to(dtype)
        self.gradient = torch.zeros_like(self.working)


def _corner(shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(0, n) for n in shape)
