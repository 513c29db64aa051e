"""Many fitted networks asked for the same rows, against each by itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.errors import DataError
from overparam.streams import Streams
from overparam.training import side_by_side
from overparam.training.fitted import predict
from overparam.training.prediction import PredictRequest
from overparam.training.recipe import Recipe
from overparam.training.request import Context, drive_dry, solve_all
from overparam.training.train import train

GENERATOR = torch.Generator().manual_seed(0)
ROWS = torch.randn(50, 2, 3, generator=GENERATOR)


def fitted(widths=(4, 4, 4, 5), flatten=True, precision="float64"):
    data = make_dataset(ROWS if flatten else ROWS.flatten(1), [0, 1, 2, 0, 1] * 10)
    recipe = Recipe(epochs=1, precision=precision)
    nets = []
    for width in widths:
        layers = [nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3)]
        nets.append(nn.Sequential(*[nn.Flatten()] * flatten, *layers))
    return solve_all([train(m, data, recipe, Streams(i)) for i, m in enumerate(nets)])


@pytest.fixture
def passes(monkeypatch):
    counted = []
    one_pass = side_by_side._one_pass

    def count(shape, states, rows, memory_bytes):
        counted.append(len(states))
        return one_pass(shape, states, rows, memory_bytes)

    monkeypatch.setattr(side_by_side, "_one_pass", count)
    return counted


@pytest.mark.parametrize("memory_bytes", [1, 2 << 30])
@pytest.mark.parametrize("flatten", [True, False])
def test_one_pass_gives_the_outputs_of_all(passes, flatten, memory_bytes):
    models = fitted(flatten=flatten)
    rows = ROWS if flatten else ROWS.flatten(1)
    context = Context(memory_bytes=memory_bytes)
    # Of equal rows, not of one tensor; in chunks, as in training.
    found = solve_all([predict(f, rows.clone()) for f in models], context)
    assert passes == [3]
    for f, outputs in zip(models, found, strict=True):
        assert_close(outputs, f.module()(rows.double()).detach(), rtol=1e-12, atol=1e-12)
        assert outputs.untyped_storage().nbytes() == outputs.numel() * 8


def test_other_rows_and_other_models_are_asked_by_themselves(passes):
    models = fitted(widths=(4, 4, 4, 4))
    sets = [ROWS, ROWS, -ROWS, ROWS[:7]]
    found = solve_all([predict(f, x) for f, x in zip(models, sets, strict=True)])
    assert passes == [2, 1]
    for f, x, outputs in zip(models, sets, found, strict=True):
        assert_close(outputs, f.outputs(x))
    models[0].template.append(nn.Dropout())  # no longer a network that is known by its sizes
    assert len({PredictRequest(f, ROWS.double()).group_key() for f in models}) == 2


def test_numbers_that_the_weights_do_not_know_are_refused():
    models = fitted(precision="float32")
    huge = torch.full((4, 2, 3), 1e300, dtype=torch.float64)
    with pytest.raises(DataError, match="the model knows no such numbers"):
        solve_all([predict(f, huge) for f in models])


def test_a_plan_asks_them_alike(passes):
    drive_dry([predict(f, ROWS) for f in fitted()], Context())
    assert passes == [3]
