"""Every member of the zoo, alone and side by side, in every way, against a plain loop."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.streams import Streams
from overparam.training import plan_stacks, stacks
from overparam.training import train as train_module
from overparam.training.copies import cast, state_of
from overparam.training.fitted import Fitted, predict
from overparam.training.recipe import Recipe
from overparam.training.request import Context, drive, solve
from overparam.training.stepper import Member as Trained
from overparam.training.train import train
from tests.training.native.compiled import need_compiled
from tests.training.plain_loop import train_in_place
from tests.training.zoo.data import data
from tests.training.zoo.members import MEMBERS

# Sums in another order differ by 1e-15 of themselves; a setting of another model, a frozen weight
# that moved or a hook that was not called by 1e-3 and more.
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}
SHARED = {"epochs": 2, "batch_size": 8, "weight_decay": 0.05, "precision": "float64"}
RECIPES = (
    Recipe(optimizer="sgd", learning_rate=0.05, momentum=0.9, **SHARED),
    Recipe(optimizer="adam", learning_rate=0.02, eps=1e-3, **SHARED),
)

pytestmark = pytest.mark.filterwarnings("ignore")


def made(name: str, variant: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return MEMBERS[name].makes[variant]()


def recipe_of(name: str) -> Recipe:
    return RECIPES[list(MEMBERS).index(name) % 2]


@cache
def plain(name: str, variant: int, seed: int) -> tuple[dict, torch.Tensor]:
    """What a loop makes of a variant: its state, and its outputs on other rows."""
    member, module = MEMBERS[name], cast(made(name, variant), torch.float64)
    kept = [part for part in module.modules() if not part.training]
    module.train()
    for part in kept:
        part.training = False
    train_in_place(module, data(member.kind), recipe_of(name), Streams(seed))
    with torch.no_grad():
        outputs = module.eval()(data(member.kind, 1).inputs.clone())
    return state_of(module), outputs


def check(name: str, variant: int, seed: int, fitted: Fitted) -> None:
    state, outputs = plain(name, variant, seed)
    assert fitted.status == "done"
    assert list(fitted.state) == list(state)
    for key, value in state.items():
        assert_close(fitted.state[key], value, **TOLERANCE, msg=lambda m, key=key: f"{key}: {m}")
    others = data(MEMBERS[name].kind, 1).inputs
    assert_close(solve(predict(fitted, others)), outputs, **TOLERANCE)
    assert_close(fitted.module()(others.clone()), outputs, **TOLERANCE, check_stride=False)


def request(name: str, variant: int, seed: int):
    member = MEMBERS[name]
    return train(
        made(name, variant), data(member.kind), recipe_of(name), Streams(seed),
        evaluate={"other": data(member.kind, 1)},
    )  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
def test_alone(name):
    for variant in range(len(MEMBERS[name].makes)):
        check(name, variant, 0, solve(request(name, variant, 0)))


@pytest.mark.parametrize("way", ["first", "last"])
@pytest.mark.parametrize("name", MEMBERS)
def test_side_by_side(monkeypatch, name, way):
    """Two of the first and one of each variant: one by one or batched, then mapped or native."""
    used, real = [], train_module.make_stepper

    def spy(requests, precision, context, way):
        used.append((way, len(requests)))
        return real(requests, precision, context, way)

    monkeypatch.setattr(train_module, "make_stepper", spy)
    pick = {"first": 0, "last": -1}[way]
    monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways: list(ways)[pick])
    cells = [(0, 0), (0, 1), *((v, v % 2) for v in range(1, len(MEMBERS[name].makes)))]
    context = Context()
    found = drive([request(name, variant, seed) for variant, seed in cells], context)
    for (variant, seed), fitted in zip(cells, found, strict=True):
        if isinstance(fitted, Exception):
            raise fitted
        check(name, variant, seed, fitted)
    if way == "last":
        together = any(n > 1 for _, n in used)
        assert together == MEMBERS[name].side_by_side, (used, context.notes)


DENSE = ["perceptron", "in place relu", "no activation", "no bias"]


@pytest.mark.parametrize("way", ["native", "batched", "mapped", "alone"])
@pytest.mark.parametrize("name", DENSE)
def test_fully_connected_networks_in_every_way(name, way):
    if way == "native":
        need_compiled("float64")
    cells = [(0, 0)] if way == "alone" else [(0, 0), (0, 1)]
    members = [Trained(recipe_of(name), data("points"), {}, Streams(seed)) for _, seed in cells]
    modules = [made(name, variant) for variant, _ in cells]
    stepper = stacks.build(modules, members, torch.device("cpu"), precision="float64", way=way)
    stepper.run()
    for (variant, seed), member in zip(cells, members, strict=True):
        assert_close(member.state, plain(name, variant, seed)[0], **TOLERANCE)


def test_there_are_many():
    assert len(MEMBERS) >= 60
