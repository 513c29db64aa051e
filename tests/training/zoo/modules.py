"""Modules as people write them, small; `members.py` says with which settings they are trained.

Here are the shapes that the others fill, and functions and layers with a way of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from tests.training.zoo.data import N_CLASSES

K = N_CLASSES


def points(*layers: nn.Module, width: int = 8) -> nn.Module:
    """A network of points with these layers between two linear ones."""
    return nn.Sequential(nn.Linear(6, width), *layers, nn.Linear(width, K))


def images(*layers: nn.Module, channels: int = 4, side: int = 6, bias: bool = True) -> nn.Module:
    """A network of images with these layers between a convolution and a linear one."""
    return nn.Sequential(
        nn.Conv2d(2, channels, 3, padding=1, bias=bias), *layers, nn.Flatten(),
        nn.Linear(channels * side * side, K),
    )  # fmt: skip


class Calls(nn.Module):
    """Calls a function of the module and the hidden units between two linear layers."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], **held: Any) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(6, 8), nn.Linear(8, K)
        self.function = function
        for name, value in held.items():
            setattr(self, name, value)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.function(self, self.enter(inputs)))


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, units: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return units.sign()

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * signals[0], None


def straight_through(factor: float) -> nn.Module:
    """The sign with a gradient of its own."""
    return Calls(lambda self, units: _Straight.apply(units, self.factor), factor=factor)


def checkpointed(reentrant: bool) -> nn.Module:
    """Units that are computed again in the backward pass."""
    return Calls(
        lambda self, units: checkpoint(self.inner, units, use_reentrant=self.reentrant),
        inner=nn.Sequential(nn.Linear(8, 8), nn.Tanh()), reentrant=reentrant,
    )  # fmt: skip


class Depth(nn.Module):
    """Leaves its middle out at random in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.net, self.middle, self.rate = points(), nn.Linear(8, 8), rate

    def forward(self, inputs: Tensor) -> Tensor:
        units = torch.tanh(self.net[0](inputs))
        if not self.training or float(torch.rand(())) > self.rate:
            units = units + self.middle(units)
        return self.net[1](units)


class Doubled(nn.Linear):
    """A subclass of a layer."""

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * super().forward(inputs)


class Backwards(nn.Sequential):
    """A subclass of a container."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(-inputs)


class CallsItself(nn.Linear):
    """A layer that is called in its own way."""

    def __call__(self, inputs: Tensor) -> Tensor:
        return 3 * super().__call__(inputs)


class Noise(nn.Module):
    """Adds noise in training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, units: Tensor) -> Tensor:
        return units + self.std * torch.randn_like(units) if self.training else units


class Gated(nn.Module):
    """Control flow that depends on the data."""

    def __init__(self, above: float) -> None:
        super().__init__()
        self.net, self.above = points(), above

    def forward(self, inputs: Tensor) -> Tensor:
        units = self.net[0](inputs)
        return self.net[1](units.relu() if float(units.detach().mean()) > self.above else -units)


class WritesInputs(nn.Module):
    """Writes into its inputs."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.net, self.shift = points(nn.ReLU()), shift

    def forward(self, inputs: Tensor) -> Tensor:
        inputs += self.shift
        return self.net(inputs)


def bilinear() -> nn.Module:
    """A bilinear form of the units with themselves."""
    return Calls(lambda self, units: self.form(units, units), form=nn.Bilinear(8, 8, 8))


def functional(name: str, **options: Any) -> nn.Module:
    """A function of `torch.nn.functional` with options, bound in a closure."""
    function = getattr(F, name)
    return Calls(lambda self, units: function(units, **options))
