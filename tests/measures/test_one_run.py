"""All proxies of one watched run, each against its own measure on models trained so far."""

import numpy as np
import pytest
import torch
from torch import nn

import overparam as op
from overparam.data import make_dataset
from overparam.errors import DataError, UsageError
from overparam.measures import (
    WatchRows,
    costs_of_proxies,
    cumulative_loss,
    el2n,
    final_loss,
    gradient_norm,
    input_curvature,
    last_layer_gradient_norm,
    last_layer_self_influence,
    layer_activations,
    prediction_depth,
    proxies_of_run,
    watchable,
)
from overparam.measures.one_run import PROXIES
from overparam.measures.rows_seen import early_epoch, spread_epochs
from overparam.streams import Streams
from overparam.training.recipe import Recipe, Schedule
from overparam.training.request import solve
from overparam.training.train import train

N = 80


def points(n=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=generator)
    inputs = torch.randn(n, 4, generator=generator) + 2 * labels[:, None]
    labels[:8] = (labels[:8] + 1) % 3
    return make_dataset(inputs, labels, 3)


def recipe_of(epochs=20, **more):
    given = {"learning_rate": 0.1, "momentum": 0.9, "batch_size": 20, "trace": "every"}
    return Recipe(epochs=epochs, **{**given, **more})


def net():
    return op.models.mlp(4, 32, 3)


def run(data, recipe=None, model=None, **watching):
    recipe, model = recipe or recipe_of(), model or net()
    watch = WatchRows(data, **watching)
    return solve(train(model, data, recipe, Streams(0), watch=watch))


@pytest.fixture(scope="module")
def watched():
    data = points()
    return data, run(data)


def ended(data, epochs):
    """The network after fewer epochs, trained anew: there is no schedule."""
    return solve(train(net(), data, recipe_of(epochs), Streams(0)))


def test_every_proxy_is_there_with_a_number_for_every_row(watched):
    data, fitted = watched
    found = proxies_of_run(fitted, data, Streams(0))
    assert tuple(found) == PROXIES
    for score in found.values():
        assert score.shape == (N,)
        assert score.dtype == np.float64
        assert np.isfinite(score).all()
    for name in ("cumulative_loss", "last_layer_self_influence"):
        assert found[name][:8].mean() > 2 * found[name][8:].mean()
    assert set(proxies_of_run(fitted, data, Streams(0), only=["el2n"])) == {"el2n"}


def test_they_are_the_measures_of_the_network_as_it_stood(watched):
    data, fitted = watched
    found, labels = proxies_of_run(fitted, data, Streams(3)), data.labels
    losses = []
    influence = np.zeros(N)
    for epoch in range(1, 21):
        module = ended(data, epoch).module()
        outputs = module(data.inputs).detach()
        losses.append(nn.functional.cross_entropy(outputs, labels, reduction="none").numpy())
        (hidden,) = layer_activations(module, data.inputs)
        said = outputs, labels, hidden
        influence += last_layer_self_influence(*said, 0.1)
        if epoch == 2:  # a tenth of the run
            np.testing.assert_allclose(found["el2n"], el2n(outputs, labels), rtol=1e-4)
            np.testing.assert_allclose(
                found["last_layer_gradient_norm"], last_layer_gradient_norm(*said), rtol=1e-4
            )
            np.testing.assert_allclose(
                found["gradient_norm"], gradient_norm(module, data.inputs, labels), rtol=1e-4
            )
    np.testing.assert_allclose(found["cumulative_loss"], cumulative_loss(losses), rtol=1e-4)
    np.testing.assert_allclose(found["final_loss"], final_loss(losses), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found["last_layer_self_influence"], influence, rtol=1e-3)
    layers = [data.inputs, hidden, outputs]
    depth = prediction_depth(layers, labels, outputs.argmax(1))
    np.testing.assert_array_equal(found["prediction_depth"], depth)
    curved = [
        input_curvature(ended(data, e).module(), data.inputs, labels, Streams(3))
        for e in spread_epochs(recipe_of(), N)
    ]
    np.testing.assert_allclose(found["input_curvature"], np.mean(curved, 0), rtol=1e-2, atol=1e-6)


def test_the_learning_rate_weighs_what_a_step_did():
    data = points()
    recipe = recipe_of(4, schedule=Schedule("cosine"))
    seen = run(data, recipe).trace.watched
    for t, told in enumerate(seen, 1):
        rate = 0.1 * recipe.schedule.at(4 * t - 1, 16)
        np.testing.assert_allclose(told.last_square, rate * told.last_norm**2, rtol=1e-5)


class Convolutional(nn.Module):
    """Its last linear layer takes a mean over pixels."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 2), nn.Linear(4, 3, bias=False)

    def forward(self, x):
        return self.last(torch.relu(self.first(x.reshape(-1, 1, 2, 2))).mean((2, 3)))


class Scaled(nn.Module):
    """Its outputs are those of no linear layer."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return 2 * self.linear(x)


def test_the_last_layer_is_the_one_whose_outputs_they_are():
    data = points()
    fitted = run(data, recipe_of(3), Convolutional())
    module, last = fitted.module(), fitted.trace.watched[-1]
    hidden = torch.relu(module.first(data.inputs.reshape(-1, 1, 2, 2))).mean((2, 3)).detach()
    wanted = last_layer_gradient_norm(module(data.inputs).detach(), data.labels, hidden, bias=False)
    np.testing.assert_allclose(last.last_norm, wanted, rtol=1e-5)
    without = proxies_of_run(run(data, recipe_of(3), Scaled()), data, Streams(0))
    assert set(PROXIES) - set(without) == {"last_layer_gradient_norm", "last_layer_self_influence"}


def test_what_is_not_defined_is_left_out():
    data = points()
    recipe = recipe_of(3, loss="squared_error", learning_rate=0.01)
    squares = proxies_of_run(run(data, recipe), data, Streams(0))
    assert "el2n" not in squares
    assert "gradient_norm" in squares
    lean = proxies_of_run(run(data, recipe_of(3), keep_models=False), data, Streams(0))
    assert set(PROXIES) - set(lean) == {"gradient_norm", "input_curvature"}
    tokens = make_dataset(torch.randint(0, 5, (N, 3)), data.labels, 3)
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 3))
    read = proxies_of_run(run(tokens, recipe_of(3), model), tokens, Streams(0))
    assert set(PROXIES) - set(read) == {"gradient_norm", "input_curvature", "prediction_depth"}
    few = points(20)
    assert "prediction_depth" not in proxies_of_run(run(few, recipe_of(3)), few, Streams(0))


def test_a_run_that_stops_before_a_tenth_is_read_at_its_end():
    data = points()
    recipe = recipe_of(400, stop_at_loss=3.0)
    fitted = run(data, recipe)
    assert fitted.status == "stopped"
    found = proxies_of_run(fitted, data, Streams(0))
    np.testing.assert_array_equal(found["el2n"], fitted.trace.watched[-1].error_norm)


def test_recipes_are_watched_at_up_to_fifty_epochs_and_stop_where_they_would():
    assert watchable(Recipe(epochs=7), 10).traced_epochs(10) == (1, 2, 3, 4, 5, 6, 7)
    assert len(watchable(Recipe(epochs=1000), 10).traced_epochs(10)) == 50
    stops = recipe_of(30, stop_at_error=0.1)
    assert watchable(stops, 10) is stops
    assert early_epoch(Recipe(epochs=3, trace="every"), 10) == 1
    assert spread_epochs(Recipe(epochs=3, trace="every"), 10) == [1, 2, 3]


def test_what_is_read_early_costs_the_least():
    costs = costs_of_proxies(recipe_of(100), N)
    assert min(costs, key=costs.get) in {"el2n", "last_layer_gradient_norm"}
    assert costs["el2n"] == pytest.approx(0.1 + 1 / 300)
    assert costs["cumulative_loss"] == pytest.approx(4 / 3)
    assert max(costs, key=costs.get) == "input_curvature"


def test_faults():
    data = points()
    plain = solve(train(net(), data, recipe_of(1), Streams(0)))
    with pytest.raises(DataError, match=r"nothing is known of these rows .* not watched"):
        proxies_of_run(plain, data, Streams(0))
    with pytest.raises(DataError, match="a run on other rows"):
        proxies_of_run(run(data, recipe_of(1)), points(50), Streams(0))
    with pytest.raises(UsageError, match=r"no such proxy; got .*loss"):
        proxies_of_run(run(data, recipe_of(1)), data, Streams(0), only=["loss"])
    targets = make_dataset(data.inputs, torch.rand(N, 1), None)
    with pytest.raises(DataError, match=r"rows with a class; got .*floating targets"):
        WatchRows(targets)
