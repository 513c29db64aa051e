"""Everything of the engine that a GPU does otherwise; skipped where there is none."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training import recorded
from overparam.training.copies import state_of
from overparam.training.fit import fit
from overparam.training.fitted import predict
from overparam.training.recipe import Recipe, Schedule
from overparam.training.request import Context, drive, solve, solve_all
from overparam.training.train import train
from tests.training.plain_loop import train_in_place, train_plainly
from tests.training.zoo.data import data
from tests.training.zoo.members import MEMBERS
from tests.training.zoo.test_zoo import cast, made, recipe_of, request

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore"),
]
# Sums in another order differ by 1e-15 of themselves, and cuBLAS and cuDNN change the order.
TOLERANCE = {"rtol": 1e-8, "atol": 1e-8}


def on_gpu() -> Context:
    return Context(torch.device("cuda"))


# Modules that hold tensors which PyTorch does not move: no loop trains them on a GPU.
HELD = ("hidden constants",)


@pytest.mark.parametrize("name", HELD)
def test_what_pytorch_cannot_move_fails_in_its_own_cell(name):
    found = drive([request("perceptron", 0, 0), request(name, 0, 0)], on_gpu())
    assert found[0].status == "done"
    assert "same device" in str(found[1])


@pytest.mark.parametrize("name", sorted(set(MEMBERS) - set(HELD)))
def test_the_zoo(name):
    member, recipe = MEMBERS[name], recipe_of(name)
    cells = [(0, 0), (0, 1), *((v, v % 2) for v in range(1, len(member.makes)))]
    found = drive([request(name, variant, seed) for variant, seed in cells], on_gpu())
    for (variant, seed), fitted in zip(cells, found, strict=True):
        if isinstance(fitted, Exception):
            raise fitted
        module = cast(made(name, variant), torch.float64)
        kept = [part for part in module.modules() if not part.training]
        module.train()
        for part in kept:
            part.training = False
        train_in_place(module, data(member.kind), recipe, Streams(seed), "cuda")
        others = data(member.kind, 1).inputs
        with torch.no_grad():
            outputs = module.eval()(others.cuda()).cpu()  # which changes what clips its weights
        right = {k: v.cpu() for k, v in state_of(module).items()}
        assert fitted.status == "done"
        assert list(fitted.state) == list(right)
        for key, value in right.items():
            assert_close(fitted.state[key], value, **TOLERANCE, msg=lambda m, k=key: f"{k}: {m}")
        assert_close(solve(predict(fitted, others), on_gpu()), outputs, **TOLERANCE)


RECIPES = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "falling": {"learning_rate": 0.1, "momentum": 0.9, "schedule": Schedule("cosine")},
    "adam": {"learning_rate": 0.01, "optimizer": "adam", "weight_decay": 0.01, "eps": 1e-3},
    "adamw": {"learning_rate": 0.01, "optimizer": "adamw", "weight_decay": 0.01, "eps": 1e-3},
    "squared error": {"learning_rate": 0.02, "loss": "squared_error"},
}


def rows(seed: int = 0, n: int = 50):
    streams = Streams(seed)
    inputs = torch.randn(n, 6, generator=streams.torch("x"))
    return make_dataset(inputs, torch.arange(n) % 3, name="points")


@pytest.mark.parametrize("name", RECIPES)
def test_recorded_updates_are_those_of_a_loop(monkeypatch, name):
    """Fifty rows in batches of 16: two sizes of batches, and so two recordings."""
    made_of: list[recorded.RecordedUpdates] = []
    real = recorded.RecordedUpdates.__init__

    def spy(self, update, state):
        made_of.append(self)
        real(self, update, state)

    monkeypatch.setattr(recorded.RecordedUpdates, "__init__", spy)
    recipe = Recipe(epochs=4, batch_size=16, precision="float64", **RECIPES[name])
    models = [mlp(6, [h, h], 3) for h in (5, 9, 9)]
    seeds = [Streams(s) for s in range(3)]
    found = solve_all(
        [train(m, rows(), recipe, s) for m, s in zip(models, seeds, strict=True)], on_gpu()
    )
    assert made_of
    assert all(r.refused == "" and sorted(r._recordings) == [2, 16] for r in made_of)
    for model, streams, fitted in zip(models, seeds, found, strict=True):
        right = train_plainly(model, rows(), recipe, streams)
        for key, value in right.state_dict().items():
            assert_close(fitted.state[key], value, **TOLERANCE, msg=lambda m, k=key: f"{k}: {m}")


def test_each_model_keeps_its_own_rate_when_others_have_stopped():
    """Those that stop are taken out, and what is left is recorded anew."""
    recipes = [
        Recipe(
            epochs=60,
            batch_size=16,
            precision="float64",
            learning_rate=rate,
            trace="every",
            stop_at_error=stop,
        )
        for rate, stop in ((0.5, 0.9), (0.2, 0.9), (0.1, None), (0.05, 0.9))
    ]
    cells = [train(mlp(6, [8], 3), rows(), r, Streams(s)) for s, r in enumerate(recipes)]
    on_cpu = [train(mlp(6, [8], 3), rows(), r, Streams(s)) for s, r in enumerate(recipes)]
    for here, there in zip(solve_all(cells, on_gpu()), solve_all(on_cpu), strict=True):
        assert (here.status, here.n_steps) == (there.status, there.n_steps)
        for key, value in there.state.items():
            assert_close(here.state[key], value, **TOLERANCE)


def test_a_recording_that_does_something_else_is_refused():
    weights = torch.zeros(3, device="cuda", dtype=torch.float64)
    calls = []

    def update(positions, factor):
        calls.append(None)  # which only the processor sees, so it is recorded as it was
        weights.add_(factor * len(calls) * positions.sum())

    made_of = recorded.RecordedUpdates(update, lambda: [weights])
    positions = torch.ones(2, dtype=torch.int64, device="cuda")
    made_of(positions, 1.0)
    assert "is off by" in made_of.refused
    assert_close(weights.cpu(), torch.full((3,), 2.0, dtype=torch.float64))


def test_half_precision_learns_as_well():
    recipe = Recipe(epochs=60, batch_size=16, learning_rate=0.1, momentum=0.9)
    errors = [
        solve(train(mlp(6, [64, 64], 3), rows(), r, Streams(0)), on_gpu()).train_error
        for r in (recipe, Recipe(**{**vars(recipe), "precision": "bfloat16"}))
    ]
    assert errors == [0.0, 0.0]


def test_fit_takes_the_gpu():
    x, y = rows().inputs.numpy(), rows().labels.numpy()
    recipe = Recipe(epochs=3, batch_size=16, learning_rate=0.1, precision="float64")
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    here, there = (fit(model, (x, y), recipe, seed=0, device=d) for d in ("cuda", "cpu"))
    assert_close(here.outputs(x, device="cuda"), there.outputs(x), **TOLERANCE)


def test_random_layers_draw_from_the_seed_and_leave_the_generator():
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 3)
    )
    recipe = Recipe(epochs=3, batch_size=16, learning_rate=0.1, precision="float64")
    torch.cuda.manual_seed(7)
    before = torch.cuda.get_rng_state()
    first, again, other = (
        solve(train(model, rows(), recipe, Streams(s)), on_gpu()).state["0.weight"]
        for s in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.cuda.get_rng_state(), before)
