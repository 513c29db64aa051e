"""Modules that change in `train` and `eval`: the trained weights are switched once, not twice."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.streams import Streams
from overparam.training.fit import fit
from overparam.training.recipe import Recipe
from overparam.training.saved import load_fitted
from tests.training.layered import DATA, ROWS, Layered
from tests.training.plain_loop import train_in_place

RECIPE = Recipe(epochs=3, learning_rate=0.2, batch_size=10, precision="float64", trace="every")


class Adapted(Layered):
    """A low-rank adapter, folded into the weight in evaluation mode and taken out again."""

    def __init__(self) -> None:
        super().__init__()
        self.layer.weight.requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.randn(2, 6)), nn.Parameter(torch.randn(3, 2))
        self.folded = False

    def train(self, mode: bool = True):
        super().train(mode)
        if mode == self.folded:
            sign = -1 if mode else 1
            self.layer.weight.data += sign * (self.up @ self.down).data
            self.folded = not mode
        return self

    def forward(self, inputs):
        units = self.layer(inputs)
        return units if self.folded else units + inputs @ self.down.T @ self.up.T


class Rescaled(Layered):
    """Dropout as it was once written: weights are scaled where others scale units."""

    def train(self, mode: bool = True):
        if mode != self.training:
            self.layer.weight.data *= 2.0 if mode else 0.5
        return super().train(mode)


class Averaged(Layered):
    """Shows its average weights in evaluation mode, and trains on with its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", self.layer.weight.detach().clone())
        self.own: torch.Tensor | None = None

    def train(self, mode: bool = True):
        super().train(mode)
        if not mode and self.own is None:
            self.own = self.layer.weight.data.clone()
            self.layer.weight.data.copy_(self.average)
        elif mode and self.own is not None:
            self.layer.weight.data.copy_(self.own)
            self.own = None
        return self

    def forward(self, inputs):
        if self.training:
            self.average.lerp_(self.layer.weight.detach(), 0.3)
        return super().forward(inputs)


class Deployed(Layered):
    """Makes itself another layer for evaluation."""

    def train(self, mode: bool = True):
        super().train(mode)
        if mode:
            self.__dict__["_modules"].pop("quick", None)
        elif not hasattr(self, "quick"):
            self.quick = copy.deepcopy(self.layer)
            self.quick.weight.data *= self.scale
            self.quick.bias.data *= self.scale
        return self

    def forward(self, inputs):
        return super().forward(inputs) if self.training else self.quick(inputs)


KINDS = [Adapted, Rescaled, Averaged, Deployed]


def made(kind):
    torch.manual_seed(5)
    return kind()


@pytest.mark.parametrize("given", ["in training mode", "in evaluation mode"])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_of_a_loop_in_either_mode(kind, given, tmp_path):
    module, looped = made(kind), made(kind)
    if given == "in evaluation mode":
        module.eval()
        looped.eval()
    train_in_place(looped.train().double(), DATA, RECIPE, Streams(0))
    training = copy.deepcopy(looped)(ROWS).detach()  # of a copy: a pass may change it
    outputs = looped.eval()(ROWS).detach()
    fitted = fit(module, DATA, RECIPE)
    loaded = load_fitted(fitted.save(tmp_path / "fitted"), module)
    for found in (fitted, loaded):
        assert_close(found.outputs(ROWS), outputs, rtol=1e-10, atol=1e-10)
        assert_close(found.module()(ROWS).detach(), outputs, rtol=1e-10, atol=1e-10)
        again = found.module().train()(ROWS).detach()
        assert_close(again, training, rtol=1e-10, atol=1e-10)
    own = found.module().train().layer.weight
    assert_close(own, looped.train().layer.weight, rtol=1e-10, atol=1e-10)
    loss = nn.functional.cross_entropy(outputs, DATA.labels).item()
    assert fitted.train_loss == pytest.approx(loss, rel=1e-6)
