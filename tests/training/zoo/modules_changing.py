"""Modules whose training changes more than plain parameters, or less: frozen, hooked, counting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from tests.training.zoo.modules import Calls, K, points


def frozen(*names: str, norm: bool = False) -> nn.Module:
    """A network with parameters that are not trained."""
    net = points(*([nn.BatchNorm1d(8)] if norm else []), nn.ReLU())
    for name in names:
        net.get_parameter(name).requires_grad_(False)
    return net


def hooked(kind: str, factor: float = 0.5) -> nn.Module:
    """A plain network with a hook."""
    net = points(nn.Tanh())
    layer, scale = net[0], nn.Parameter(torch.tensor(factor))
    if kind == "forward":
        layer.register_forward_hook(lambda module, inputs, outputs: factor * outputs)
    elif kind == "pre":
        layer.register_forward_pre_hook(lambda module, inputs: (factor * inputs[0],))
    elif kind == "backward":
        net[1].register_full_backward_hook(lambda module, gin, gout: (factor * gin[0],))
    elif kind == "gradient":
        layer.weight.register_hook(lambda gradient: factor * gradient)
    elif kind == "gradient in place":

        def shrink(parameter: Tensor) -> None:
            parameter.grad.mul_(factor)

        layer.weight.register_post_accumulate_grad_hook(shrink)
    elif kind == "by a method":
        forward = layer.forward
        layer.forward = lambda inputs: factor * forward(inputs)
    elif kind.startswith("of the net"):
        net.register_parameter("scale", scale)
        parts = {"net": [net]}

        def by_default(module, inputs, outputs, holder=net):
            return holder.scale * outputs

        hook = {
            "of the net": lambda module, inputs, outputs: net.scale * outputs,
            "of the net in a list": lambda module, inputs, outputs: parts["net"][0].scale * outputs,
            "of the net by default": by_default,
        }[kind]
        layer.register_forward_hook(hook)
    return net


class FrozenNorm(nn.BatchNorm1d):
    """Keeps itself in evaluation mode."""

    def train(self, mode: bool = True) -> FrozenNorm:
        return super().train(False)


def part_in_evaluation_mode(evaluating: bool) -> nn.Module:
    """A network whose normalization its owner put into evaluation mode."""
    net = points(nn.BatchNorm1d(8), nn.ReLU())
    net[1].train(not evaluating)
    return net


class Counts(nn.Module):
    """Scales units by how often it was called in training; where that number is kept differs."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.net, self.how, self.plain = points(), how, 0
        self.register_buffer("n", torch.zeros(()))
        self.register_buffer("passing", torch.zeros(()), persistent=False)
        self.register_buffer("late", None)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            if self.how == "in place":
                self.n += 1
            elif self.how == "assigned":
                self.n = self.n + 1
            elif self.how == "not persistent":
                self.passing = self.passing + 1
            elif self.how == "late":
                self.late = torch.ones(3) if self.late is None else self.late + 1
            else:
                self.plain += 1
        count = self.n + self.passing + self.plain + (0 if self.late is None else self.late[0])
        return self.net[1](torch.tanh(self.net[0](inputs)) / (1 + 0.1 * count))


class RunningMean(nn.Module):
    """Subtracts a mean of its own over batches, in a buffer."""

    def __init__(self, rate: float, assign: bool) -> None:
        super().__init__()
        self.net, self.rate, self.assign = points(), rate, assign
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, inputs: Tensor) -> Tensor:
        units = self.net[0](inputs)
        if self.training:
            mean = units.detach().mean(0)
            if self.assign:
                self.mean = (1 - self.rate) * self.mean + self.rate * mean
            else:
                self.mean.lerp_(mean, self.rate)
        return self.net[1](torch.tanh(units - self.mean))


class Unused(nn.Module):
    """Parameters that receive a gradient never, or in some updates only."""

    def __init__(self, sometimes: bool) -> None:
        super().__init__()
        self.net, self.other, self.sometimes = points(nn.ReLU()), nn.Linear(6, K), sometimes
        self.n = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.n += self.training
        outputs = self.net(inputs)
        return outputs + self.other(inputs) if self.sometimes and self.n % 2 else outputs


class Clips(nn.Module):
    """Clips its weights in the forward pass."""

    def __init__(self, bound: float, assign: bool) -> None:
        super().__init__()
        self.net, self.bound, self.assign = points(nn.ReLU()), bound, assign

    def forward(self, inputs: Tensor) -> Tensor:
        weight = self.net[0].weight
        if self.assign:
            weight.data = weight.data.clamp(-self.bound, self.bound)
        else:
            weight.data.clamp_(-self.bound, self.bound)
        return self.net(inputs)


class Symmetric(nn.Module):
    """A parametrization of one's own."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).transpose(-1, -2)


def parametrized(how: str, **options: Any) -> nn.Module:
    """A network whose second layer computes its weight."""
    net = points(nn.Linear(8, 8), nn.Tanh())
    if how == "symmetric":
        parametrize.register_parametrization(net[1], "weight", Symmetric())
    elif how == "orthogonal":
        nn.utils.parametrizations.orthogonal(net[1], **options)
    elif how == "weight norm":
        nn.utils.parametrizations.weight_norm(net[1], **options)
    elif how == "spectral norm":
        nn.utils.parametrizations.spectral_norm(net[1], **options)
    elif how == "old weight norm":
        nn.utils.weight_norm(net[1], **options)
    elif how == "old spectral norm":
        nn.utils.spectral_norm(net[1], **options)
    elif how == "pruned":
        prune.l1_unstructured(net[1], "weight", **options)
    return net


def once_lazy() -> nn.Module:
    """A lazy layer that has seen its inputs."""
    net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, K))
    net(torch.zeros(1, 6))
    return net


def remembered(scale: float) -> nn.Module:
    """A module that keeps its last units, and has been called before."""

    def keep(self: Any, units: Tensor) -> Tensor:
        self.last = scale * units.tanh()
        return self.last

    net = Calls(keep)
    net(torch.zeros(2, 6))
    return net
