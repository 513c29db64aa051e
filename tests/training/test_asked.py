"""What has not run says what to write, whoever takes it for its result."""

import asyncio
import gc
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import overparam as op
from overparam.data import (
    corrupt_labels_wrong,
    draw_split,
    draw_subset,
    gaussian_inputs,
    make_gaussian_linear,
    make_mnist1d,
    shuffle_pixels,
)
from overparam.data.probe_images import draw_clothes, draw_digits, make_probe_images
from overparam.errors import UsageError
from overparam.measures import estimate_random_sign_fit
from overparam.models import RandomReluFeatures
from overparam.training.initialise import draw_weights
from overparam.training.ridge import FeatureProblem, fit_ridge

DATA = op.make_dataset(torch.randn(20, 3), torch.arange(20) % 2)
RECIPE = op.Recipe(epochs=1)


def asked():
    return op.train(op.models.mlp(3, 4, 2), DATA, RECIPE, op.Streams(0))


@pytest.mark.parametrize(
    "take",
    [
        lambda a: a.train_error,
        lambda a: a.predict(np.zeros((1, 3))),
        lambda a: a[0],
        lambda a: np.asarray(a),
        lambda a: op.solve(op.predict(a, torch.zeros(1, 3))),
    ],
)
def test_a_forgotten_solve_says_what_to_write(take):
    training = asked()
    with pytest.raises(UsageError, match=r"(has not run yet; .*op\.fit)|(predict asks a fitted)"):
        take(training)
    training.close()


def test_it_can_be_looked_at_and_stays_a_coroutine():
    training = asked()
    assert "train(...) has not run yet; op.fit(...) trains at once" in repr(training)
    assert not hasattr(training, "train_error")
    assert not hasattr(training, "_repr_html_")
    assert asyncio.iscoroutine(training)
    assert 0 <= op.solve(training).train_error <= 1
    problem = FeatureProblem(_Features(), torch.randn(5, 3), torch.randn(5, 1))
    with pytest.raises(UsageError, match=r"fit_ridge\(\.\.\.\) has not run yet; .*solve runs it"):
        _ = fit_ridge(problem, n_features=2).coefficients


class _Features:
    n_features = 3

    def __call__(self, rows):
        return rows


def test_one_that_is_dropped_is_warned_of_in_one_line():
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asked()
        gc.collect()
    (warning,) = caught
    assert warning.category is RuntimeWarning
    assert str(warning.message).startswith("train(...) has not run yet; op.fit(...) trains at once")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked().close()
        op.solve(asked())
        gc.collect()


class Branched(nn.Module):
    """Of the user's own: no plain network."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.two(x + torch.relu(self.one(x)))


@pytest.mark.parametrize("net", [nn.Sequential(nn.Linear(3, 2)), Branched()])
def test_a_module_is_copied_by_the_call_whatever_becomes_of_it(net):
    asks, wanted = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        for parameter in net.parameters():
            nn.init.normal_(parameter)
        asks.append(op.train(net, DATA, RECIPE, op.Streams(0)))
        wanted.append(op.fit(net, DATA, RECIPE).train_loss)
    assert len(set(wanted)) == 3
    assert [fitted.train_loss for fitted in op.solve_all(asks)] == pytest.approx(wanted, rel=1e-6)

    async def changes_it_meanwhile():
        asked_for = op.train(net, DATA, RECIPE, op.Streams(0))
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.zero_()
        return (await asked_for).train_loss

    assert op.solve(changes_it_meanwhile()) == pytest.approx(wanted[-1], rel=1e-6)


def test_what_cannot_be_trained_is_refused_by_the_call():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match="input size differs"):
            op.train(nn.Sequential(nn.Linear(5, 2)), DATA, RECIPE, op.Streams(0))
        gc.collect()


def test_an_await_outside_a_cell_is_refused_in_an_event_loop_and_by_hand():
    async def notebook():
        return await asked()

    with pytest.raises(UsageError, match=r"awaited outside a cell.*op\.fit\(\.\.\.\)"):
        asyncio.run(notebook())
    with pytest.raises(UsageError, match="awaited outside a cell"):
        asyncio.run(asked())
    with pytest.raises(UsageError, match="awaited outside a cell"):
        asked().send(None)


def test_a_cell_may_solve_another_and_then_go_on_waiting():
    async def cell():
        inner = op.solve(asked())
        outer = await asked()
        return inner, outer

    async def notebook():
        return op.solve(cell())

    inner, outer = asyncio.run(notebook())
    assert inner.train_loss == outer.train_loss
    with pytest.raises(UsageError, match="awaited outside a cell"):
        asked().send(None)


def test_an_error_thrown_into_it_is_raised():
    training = asked()
    with pytest.raises(KeyError, match="gone"):
        training.throw(KeyError("gone"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda seed: op.solve(op.train(nn.Linear(3, 2), DATA, RECIPE, seed)),
        lambda seed: draw_subset(DATA, 3, seed),
        lambda seed: draw_split(DATA, 3, seed),
        lambda seed: corrupt_labels_wrong(DATA, 0.5, seed),
        lambda seed: gaussian_inputs(DATA, seed),
        lambda seed: shuffle_pixels(DATA, seed),
        lambda seed: make_gaussian_linear(seed, 5, 2),
        lambda seed: make_mnist1d(seed, 5, 5),
        lambda seed: make_probe_images(seed),
        lambda seed: draw_digits(2, seed),
        lambda seed: draw_clothes(2, seed),
        lambda seed: RandomReluFeatures.draw(3, 4, seed),
        lambda seed: estimate_random_sign_fit(torch.eye(3), seed),
        lambda seed: draw_weights(nn.Linear(3, 2), "default", seed),
    ],
)
def test_a_seed_in_place_of_streams_is_told_from_streams(ask):
    with pytest.raises(UsageError, match=r"from streams; got 7; .*write op\.Streams\(7\)"):
        ask(7)
    with pytest.raises(UsageError, match=r"from streams; got 'Generator'.*op\.Streams\(0\)"):
        ask(np.random.default_rng(0))
