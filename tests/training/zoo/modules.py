"""Modules as people write them, small; `members.py` says with which settings they are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize, prune
from torch.utils.checkpoint import checkpoint

from tests.training.zoo.data import N_CLASSES, N_TOKENS

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


class Recurrent(nn.Module):
    """A recurrent layer and a linear one on its last output."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer, self.leave = layer, nn.Linear(width, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.layer(inputs)[0][:, -1])


class Cells(nn.Module):
    """A recurrent cell in a loop."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell, self.leave = cell, nn.Linear(6, K)

    def forward(self, inputs: Tensor) -> Tensor:
        state = None
        for step in inputs.unbind(1):
            state = self.cell(step, state)
        return self.leave(state[0] if isinstance(state, tuple) else state)


class Attention(nn.Module):
    """Self-attention with a mask or without."""

    def __init__(self, heads: int = 2, causal: bool = False, **options: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, heads, batch_first=True, **options)
        self.leave, self.causal = nn.Linear(4, K), causal

    def forward(self, inputs: Tensor) -> Tensor:
        n = inputs.shape[1]
        mask = torch.ones(n, n, dtype=torch.bool).triu(1) if self.causal else None
        found, _ = self.attention(inputs, inputs, inputs, attn_mask=mask)
        return self.leave(found.mean(1))


class Encoder(nn.Module):
    """A Transformer's layers on series."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, **options)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.leave = nn.Linear(4, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.layers(inputs).mean(1))


class Text(nn.Module):
    """Token ids, embedded, averaged and classified; the head may be tied to the embedding."""

    def __init__(self, tied: bool = False, **options: Any) -> None:
        super().__init__()
        self.embedding, self.tied = nn.Embedding(N_TOKENS, 4, **options), tied
        self.leave = nn.Linear(N_TOKENS if tied else 4, K)
        if tied:
            self.decode = nn.Linear(4, N_TOKENS, bias=False)
            self.decode.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        units = torch.tanh(self.embedding(tokens)).mean(1)
        return self.leave(self.decode(units) if self.tied else units)


class Positions(nn.Module):
    """Token ids with positions in a buffer that is not persistent."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.embedding, self.leave = nn.Embedding(N_TOKENS, 4), nn.Linear(4, K)
        self.register_buffer("places", scale * torch.arange(20.0).view(5, 4), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.leave(torch.sin(self.embedding(tokens) + self.places).mean(1))


class Fourier(nn.Module):
    """Complex weights in the frequency domain."""

    def __init__(self, conjugate: bool = False) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(4, dtype=torch.complex64))
        self.leave, self.conjugate = nn.Linear(6, K), conjugate

    def forward(self, inputs: Tensor) -> Tensor:
        filtered = torch.fft.rfft(inputs) * (self.filter.conj() if self.conjugate else self.filter)
        return self.leave(torch.fft.irfft(filtered, 6))


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


class Reads(nn.Module):
    """Owns a Sequential and does with it what the name says."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.leave = how, nn.Linear(4 * 36, K)
        self.body = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 1, 1)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        units, kept = inputs, []
        if self.how == "calls":
            units = self.body(inputs)
        elif self.how == "slices":
            units = self.body[2:](self.body[:2](inputs)) + self.body[:3](inputs)
        else:
            for layer in self.body:
                units = layer(units)
                kept.append(units)
            units = units if self.how == "loops" else units + kept[2]
        return self.leave(units.flatten(1))


class Viewed(nn.Module):
    """A convolution whose outputs are seen by `view`, which wants its own layout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.leave = nn.Conv2d(2, 4, 3), nn.Linear(64, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(torch.relu(self.conv(inputs)).view(len(inputs), -1))


class Unpooled(nn.Module):
    """Pooling that returns places, and its inverse."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.pool, self.back = nn.MaxPool2d(side, return_indices=True), nn.MaxUnpool2d(side)
        self.conv, self.leave = nn.Conv2d(2, 3, 3, padding=1), nn.Linear(108, K)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.leave(self.back(*self.pool(self.conv(inputs))).flatten(1))


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


def with_dead_layer(p: float) -> nn.Module:
    """Dropout on maps, whose masks are drawn in the order of memory."""
    return images(nn.ReLU(), nn.Dropout(p))


def bilinear() -> nn.Module:
    """A bilinear form of the units with themselves."""
    return Calls(lambda self, units: self.form(units, units), form=nn.Bilinear(8, 8, 8))


def functional(name: str, **options: Any) -> nn.Module:
    """A function of `torch.nn.functional` with options, bound in a closure."""
    function = getattr(F, name)
    return Calls(lambda self, units: function(units, **options))
