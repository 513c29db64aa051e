"""What draws from a global generator, of whichever library: the same for a seed, and put back."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.fit import fit
from overparam.training.recipe import Recipe
from overparam.training.request import solve_all
from overparam.training.train import train
from tests.training.layered import DATA, RECIPE, ROWS, Layered
from tests.training.plain_loop import train_in_place

DRAWS = {
    "torch": lambda: float(torch.rand(())),
    "numpy": lambda: float(np.random.rand()),  # noqa: NPY002
    "python": random.random,
}


class Drops(Layered):
    """Leaves out its layer at random; in evaluation mode too, where it is told so."""

    def __init__(self, draw, always: bool = False) -> None:
        super().__init__()
        self.draw, self.always = draw, always

    def forward(self, inputs):
        if self.always or self.training:
            return super().forward(inputs) * (2 * self.draw())
        return super().forward(inputs)


def made(kind, **options):
    torch.manual_seed(0)
    return Drops(DRAWS[kind], **options)


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def stir() -> None:
    """Leave the generators somewhere else."""
    random.random(), np.random.rand(7), torch.rand(3)  # noqa: NPY002


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("kind", DRAWS)
def test_a_seed_gives_the_same_training_and_outputs(kind, always):
    found, outputs = [], []
    for _ in range(3):
        stir()
        model, before = made(kind, always=always), states()
        fitted = fit(model, DATA, RECIPE, seed=4)
        found.append(fitted.train_loss)
        outputs += [fitted.outputs(ROWS), fitted.outputs(ROWS)]
        assert states() == before
    assert len(set(found)) == 1
    assert all(torch.equal(o, outputs[0]) for o in outputs)
    assert fit(made(kind, always=always), DATA, RECIPE, seed=5).train_loss != found[0]


@pytest.mark.parametrize("kind", DRAWS)
def test_what_is_drawn_does_not_depend_on_who_is_trained_beside_it(kind):
    def cells(order):
        return [train(made(kind), DATA, RECIPE, Streams(i)) for i in order]

    forward = [f.train_loss for f in solve_all(cells([0, 1, 2]))]
    stir()
    backward = [f.train_loss for f in solve_all(cells([2, 1, 0]))]
    alone = [solve_all(cells([i]))[0].train_loss for i in range(3)]
    assert forward == backward[::-1] == alone
    assert len(set(forward)) == 3


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize(
    "model", [nn.Sequential(nn.Linear(6, 3)), nn.Sequential(nn.Linear(6, 3), nn.GELU())]
)
def test_a_loss_may_draw(kind, model):
    def loss(outputs, labels):
        return F.cross_entropy(outputs, labels, reduction="none") * DRAWS[kind]()

    found = set()
    for _ in range(3):
        stir()
        found.add(fit(model, DATA, Recipe(epochs=2, loss=loss)).train_loss)
    assert len(found) == 1


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)),
        nn.Sequential(nn.Linear(6, 3), nn.GELU()),
        Layered(),
    ],
)
def test_what_a_loss_draws_and_writes_is_what_a_loop_gives_it(model):
    def noisy(outputs, labels):
        return F.cross_entropy(outputs + torch.randn_like(outputs), labels, reduction="none")

    def doubled(outputs, labels):
        return F.cross_entropy(outputs.mul_(2), labels, reduction="none")

    def shifted(outputs, labels):
        return F.cross_entropy(outputs, labels.add_(1).remainder_(3), reduction="none")

    for loss in (noisy, doubled, shifted):
        recipe = replace(RECIPE, loss=loss)
        stack = solve_all([train(model, DATA, recipe, Streams(i)) for i in range(2)])
        for i, fitted in enumerate(stack):
            looped = train_in_place(copy.deepcopy(model).double(), DATA, recipe, Streams(i))
            assert_close(dict(fitted.state), dict(looped.state_dict()), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("who", ["module", "loss", "loss of a plain network"])
def test_what_is_measured_changes_nothing_that_training_draws(kind, who):
    def loss(outputs, labels):
        return F.cross_entropy(outputs, labels, reduction="none") * (1 + DRAWS[kind]())

    def found(epochs=4, trace="last", **sets):
        recipe = replace(RECIPE, epochs=epochs, trace=trace)
        if who == "module":
            return fit(made(kind, always=True), DATA, recipe, evaluate=sets)
        torch.manual_seed(0)
        plain = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
        model = plain if "plain" in who else Layered()
        return fit(model, DATA, replace(recipe, loss=loss), evaluate=sets)

    seldom, often = found(), found(trace="every", a=DATA.head(9), b=DATA.head(20))
    assert all(torch.equal(often.state[k], v) for k, v in seldom.state.items())
    # Each time and for each set it draws the same, so that what is traced can be compared.
    assert often.trace.loss["train"][-1] == seldom.train_loss
    assert often.trace.loss["b"][-1] == found(b=DATA.head(20)).trace.loss["b"][-1]
    assert often.trace.loss["train"][1] == found(epochs=2).train_loss


@pytest.mark.parametrize("kind", DRAWS)
def test_rows_of_a_dataset_may_be_drawn(kind):
    class Noisy(torch.utils.data.Dataset):
        def __len__(self):
            return 26

        def __getitem__(self, i):
            return ROWS[i].float() + DRAWS[kind](), i % 3

    found = set()
    for _ in range(2):
        stir()
        torch.manual_seed(1)
        found.add(fit(Layered(), Noisy(), RECIPE).train_loss)
    assert len(found) == 1


def test_a_loss_that_is_another_each_time_is_refused():
    own = np.random.default_rng(0)

    def loss(outputs, labels):
        return F.cross_entropy(outputs, labels, reduction="none") * own.random()

    for model in (nn.Sequential(nn.Linear(6, 3)), Layered()):
        with pytest.raises(UsageError, match="the loss of your own is another at the same rows"):
            fit(model, DATA, Recipe(epochs=1, loss=loss))
