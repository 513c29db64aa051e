"""Modules by where they hold what decides the computation: a number, a layer, a matrix twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.training.zoo.modules import K, points


class Slope(nn.Module):
    """A leaky ReLU whose slope lies somewhere in what the module holds."""

    def __init__(self, held: Any, read: Callable[[Any], float] = lambda held: held) -> None:
        super().__init__()
        self.net, self.held, self.read = points(), held, read

    def forward(self, inputs: Tensor) -> Tensor:
        units = self.net[0](inputs)
        return self.net[1](torch.where(units > 0, units, self.read(self.held) * units))


@dataclass
class Config:
    """Settings as an object."""

    slope: float
    nested: dict[str, list[float]]


class Slots:
    """Settings in slots."""

    __slots__ = ("slope",)

    def __init__(self, slope: float) -> None:
        self.slope = slope


def class_made_anew(slope: float) -> nn.Module:
    """An instance of a class that closes over a number."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = points()

        def forward(self, inputs: Tensor) -> Tensor:
            units = self.net[0](inputs)
            return self.net[1](torch.where(units > 0, units, slope * units))

    return Net()


def layer_of_its_own(slope: float) -> nn.Module:
    """A plain network, a layer of which has a forward of its own."""
    net = points(nn.ReLU())
    net[1].forward = lambda units: torch.where(units > 0, units, slope * units)
    return net


class Tied(nn.Module):
    """One matrix in two layers."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.enter, self.back = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
        self.leave = nn.Linear(6, K)
        if by == "parameter":
            self.back.weight = self.enter.weight
        elif by == "module":
            self.back = self.enter

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.back(torch.tanh(self.enter(inputs))))


def twice(layer: nn.Module) -> nn.Module:
    """A network that holds one object in two places."""
    return nn.Sequential(nn.Linear(6, 8), layer, nn.Linear(8, 8), layer, nn.Linear(8, K))


class Fourier(nn.Module):
    """Complex weights in the frequency domain."""

    def __init__(self, conjugate: bool = False) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(4, dtype=torch.complex64))
        self.leave, self.conjugate = nn.Linear(6, K), conjugate

    def forward(self, inputs: Tensor) -> Tensor:
        filtered = torch.fft.rfft(inputs) * (self.filter.conj() if self.conjugate else self.filter)
        return self.leave(torch.fft.irfft(filtered, 6))


class Listed(nn.Module):
    """Layers in a ModuleList, a ModuleDict, a ParameterList or a ParameterDict."""

    def __init__(self, kind: str, reverse: bool = False) -> None:
        super().__init__()
        self.kind, self.reverse, self.net = kind, reverse, points()
        layers = [nn.Linear(8, 8), nn.Linear(8, 8)]
        weights = [nn.Parameter(torch.randn(8, 8) / 3) for _ in range(2)]
        self.held: Any = {
            "list": lambda: nn.ModuleList(layers),
            "dict": lambda: nn.ModuleDict({"b": layers[0], "a": layers[1]}),
            "parameters": lambda: nn.ParameterList(weights),
            "named parameters": lambda: nn.ParameterDict({"b": weights[0], "a": weights[1]}),
        }[kind]()

    def forward(self, inputs: Tensor) -> Tensor:
        held = (
            list(self.held.values()) if "dict" in self.kind or "named" in self.kind else self.held
        )
        units = self.net[0](inputs)
        for layer in reversed(held) if self.reverse else held:
            units = torch.tanh(layer(units) if isinstance(layer, nn.Module) else units @ layer)
        return self.net[1](units)


class Hidden(nn.Module):
    """Holds layers in a plain list, where no optimizer sees them: constants."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.net = points()
        weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(seed))
        self.constants = [weight.double()]

    def forward(self, inputs: Tensor) -> Tensor:
        return self.net[1](torch.tanh(self.net[0](inputs) @ self.constants[0]))
