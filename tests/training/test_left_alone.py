"""What is the user's own stays as it is: later changes, losses, what a trial pass moved."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.fit import fit
from overparam.training.recipe import Recipe
from overparam.training.remembered import Remembered
from overparam.training.request import solve_all
from overparam.training.saved import load_fitted
from overparam.training.train import train
from tests.training.layered import DATA, RECIPE, ROWS, Layered, Slotted


def test_what_a_cell_changes_later_does_not_reach_its_request():
    def cell(model, change, values):
        async def fits():
            found = []
            for value in values:
                change(model, value)
                found.append(await train(model, DATA, RECIPE, Streams(0)))
            return found

        return fits()

    def weigh(model, value):
        with torch.no_grad():
            model[0].weight[0].fill_(value)

    def scale(model, value):
        model.scale = value

    for model, change in ((Slotted(), scale), (nn.Sequential(nn.Linear(6, 3)), weigh)):
        pairs = solve_all([cell(model, change, (1.0, 2.0)), cell(model, change, (3.0, 4.0))])
        fits = [f for pair in pairs for f in pair]
        kept = [f.outputs(ROWS) for f in fits]
        for value, fitted, outputs in zip((1.0, 2.0, 3.0, 4.0), fits, kept, strict=True):
            change(model, value)
            again = fit(model, DATA, RECIPE)
            assert_close(fitted.train_loss, again.train_loss)
            assert_close(outputs, again.outputs(ROWS))
            assert torch.equal(fitted.outputs(ROWS), outputs)


def test_a_fitted_model_that_was_loaded_has_its_own_module(tmp_path):
    model = Slotted()
    path = fit(model, DATA, RECIPE).save(tmp_path / "fitted")
    loaded = load_fitted(path, model)
    before = loaded.outputs(ROWS)
    model.scale = 7.0
    assert torch.equal(loaded.outputs(ROWS), before)


def test_a_smaller_last_batch_is_tried():
    class Drops(Layered):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.n = n

        def forward(self, inputs):
            outputs = super().forward(inputs)
            return outputs[:-1] if len(inputs) == self.n else outputs

    with pytest.raises(UsageError, match="number of rows than its inputs; got 5; allowed: 6"):
        fit(Drops(6), DATA, RECIPE)
    for n in (100, 3000):  # found before training, and when it is measured
        many = make_dataset(torch.randn(n, 6), torch.arange(n) % 3)
        with pytest.raises(UsageError, match=f"number of rows than its inputs; got {n - 1}"):
            fit(Drops(n), DATA, RECIPE, evaluate=many)


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, outputs, labels):
        return self.weight * F.cross_entropy(outputs, labels, reduction="none")

    def value(self, outputs, labels):
        return self(outputs, labels)


class Holds:
    def __init__(self, loss) -> None:
        self.loss = loss

    def __call__(self, outputs, labels):
        return self.loss(outputs, labels)


@pytest.mark.parametrize(
    "model", [Layered(), nn.Sequential(nn.Linear(6, 3)), nn.Sequential(nn.Linear(6, 3), nn.GELU())]
)
def test_the_parameters_of_a_loss_stay_as_they_are(model):
    loss = Weighted()
    partial = functools.partial(lambda o, y, part: part(o, y), part=loss)
    losses = (loss, loss.value, partial, lambda o, y: loss(o, y), Holds(loss))
    found = {fit(model, DATA, Recipe(epochs=1, loss=own)).train_loss for own in losses}
    assert len(found) == 1
    assert loss.weight.grad is None
    assert loss.weight.requires_grad


SCALE = nn.Parameter(torch.full((3,), 2.0))


@pytest.mark.parametrize("model", [Layered(), nn.Sequential(nn.Linear(6, 3))])
def test_a_parameter_that_a_loss_names_stays_as_it_is(model):
    closed_over = nn.Parameter(torch.full((3,), 2.0))

    def scaled(outputs, labels, by):
        return F.cross_entropy(outputs * by, labels, reduction="none")

    losses = (
        lambda o, y: scaled(o, y, closed_over),
        lambda o, y: scaled(o, y, SCALE),
        functools.partial(scaled, by=SCALE),
        Holds(functools.partial(scaled, by=SCALE)),
    )
    found = {fit(model, DATA, Recipe(epochs=1, loss=own)).train_loss for own in losses}
    assert len(found) == 1
    for parameter in (closed_over, SCALE):
        assert parameter.grad is None
        assert parameter.requires_grad


@pytest.mark.parametrize("model", [Layered(), nn.Sequential(nn.Linear(6, 3))])
def test_a_loss_of_the_models_own_weights_is_refused(model):
    weight = next(model.parameters())
    for held in (lambda: weight, lambda: next(model.parameters())):

        def penalised(outputs, labels, held=held):
            return F.cross_entropy(outputs, labels, reduction="none") + held().square().sum()

        with pytest.raises(UsageError, match=r"loss computes with .*weight.*say weight_decay"):
            fit(model, DATA, Recipe(epochs=1, loss=penalised))

    def frees(outputs, labels):
        return F.cross_entropy(outputs, labels, reduction="none") * (1 + 0 * len(model._modules))

    assert fit(model, DATA, Recipe(epochs=1, loss=frees)).status == "done"


def test_what_was_remembered_is_put_back():
    def counting(start):
        def count():
            nonlocal start
            start += 1
            return start

        return count

    net = Layered()
    net.count, net.things, net.marks, net.array = counting(0), [1, {"a": 2}], {1}, np.ones(2)
    net.draws = (random.Random(0), np.random.default_rng(0))
    net.partial = functools.partial(lambda kept: kept.append(1), [])
    remembered = Remembered(net)
    assert remembered.complete
    first = [net.count(), net.draws[0].random(), net.draws[1].random()]
    net.things[1]["a"], net.array[0] = 3, 5
    net.things.append(4)
    net.marks.add(2)
    net.partial()
    net.scale, net.new = 5, 1
    net.layer.weight.data.zero_()
    net.layer.weight.requires_grad_(False)
    net.layer.bias.grad = torch.ones(3)
    remembered.put_back()
    assert [net.count(), net.draws[0].random(), net.draws[1].random()] == first
    assert (net.things, net.marks, net.array.tolist()) == ([1, {"a": 2}], {1}, [1, 1])
    assert (net.partial.args, net.scale, hasattr(net, "new")) == (([],), 2.0, False)
    assert net.layer.weight.requires_grad
    assert bool(net.layer.weight.any())
    assert net.layer.bias.grad is None
    net.things.append(iter([1]))
    assert not Remembered(net).complete
