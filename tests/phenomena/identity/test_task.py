"""The identity task: networks whose map is known get exactly the scores they must."""

import numpy as np
import pytest
import torch
from torch import nn

from overparam.models import same_convnet
from overparam.phenomena.identity._task import (
    SCORES,
    describe_network,
    identity_recipe,
    learn_identity,
    make_identity_task,
)
from overparam.streams import Streams
from overparam.training.initialise import materialise
from overparam.training.request import solve


class Constant(nn.Module):
    """Returns one image whatever it is shown."""

    def __init__(self, image):
        super().__init__()
        self.image = nn.Parameter(image.flatten())

    def forward(self, inputs):
        return self.image.expand(len(inputs), -1)


def scores(module, task):
    return describe_network(module, task, n_steps=0, train_loss=0.0, learned=True)


@pytest.mark.parametrize("side", [8, 14, 28])
def test_the_exact_identity(side):
    task = make_identity_task(Streams(3), side)
    found = scores(nn.Flatten(), task)
    assert found.identity_correlation == pytest.approx(1)
    assert found.identity_mse == 0
    assert found.preference == pytest.approx(1)
    assert found.constant_correlation == pytest.approx(float(found.baselines.mean()), abs=1e-6)
    shown = task.probe.images[task.shown, 0].numpy()
    np.testing.assert_allclose(found.outputs, shown, atol=5e-4)  # half precision


@pytest.mark.parametrize("n_train", [1, 3])
def test_a_constant(n_train):
    task = make_identity_task(Streams(3), 14, n_train)
    found = scores(Constant(task.training[-1]), task)
    assert found.constant_correlation == pytest.approx(1)
    assert found.constant_mse == 0
    if n_train == 1:  # of several images, an input may be nearer to another of them
        assert found.preference == pytest.approx(-1)
        assert found.identity_correlation == pytest.approx(float(found.baselines.mean()), abs=1e-6)


def test_a_blank_network_is_neither():
    task = make_identity_task(Streams(0), 8)
    found = scores(Constant(torch.zeros(1, 8, 8)), task)
    assert (found.identity_correlation, found.constant_correlation, found.preference) == (0, 0, 0)
    assert found.identity_mse == pytest.approx(float(task.probe.images.square().mean()))


def test_an_untrained_network_prefers_neither_clearly():
    task = make_identity_task(Streams(0), 14)
    found = [
        scores(materialise(same_convnet(12, 16), Streams(s), torch.float32), task) for s in range(5)
    ]
    mean = np.mean([f.preference for f in found])
    assert abs(mean) < 0.5
    assert all(abs(f.identity_correlation) < 0.9 for f in found)


def test_a_network_that_learns_and_one_that_does_not():
    task = make_identity_task(Streams(0), 8)
    good = identity_recipe(task.train_set, max_steps=2000, learning_rate=3e-3, target_loss=1e-4)
    short = identity_recipe(task.train_set, max_steps=3, target_loss=1e-4)
    done = solve(learn_identity(same_convnet(2, 8), task, good, Streams(0)))
    early = solve(learn_identity(same_convnet(2, 8), task, short, Streams(0)))
    assert done.learned
    assert done.train_loss <= 1e-4
    assert done.n_steps < 2000
    assert not early.learned
    assert early.n_steps == 3
    assert done.n_params == 2 * 25 * 8
    assert done.scores.shape == (len(SCORES), len(task.probe))
    assert len(done.layers) == 1
    assert done.layers[0].shape == (len(task.shown), 8, 8)


def test_the_training_loss_is_that_of_the_definition():
    task = make_identity_task(Streams(1), 8)
    recipe = identity_recipe(task.train_set, max_steps=20, target_loss=1e-9)
    model = same_convnet(2, 4)
    start = materialise(model, Streams(1), torch.float32)
    found = solve(learn_identity(start, task, recipe, Streams(1)))
    # The same updates by hand.
    optimizer = torch.optim.Adam(start.parameters(), lr=3e-4)
    for _ in range(20):
        optimizer.zero_grad()
        (start(task.training) - task.training.flatten(1)).square().sum().backward()
        optimizer.step()
    with torch.no_grad():
        expected = (start(task.training) - task.training.flatten(1)).square().mean().item()
    assert found.train_loss == pytest.approx(expected, rel=1e-3)


def test_colour_images_are_the_grey_ones_repeated():
    grey, colour = (
        make_identity_task(Streams(0), 8),
        make_identity_task(Streams(0), 8, n_channels=3),
    )
    assert torch.equal(colour.training, grey.training.repeat(1, 3, 1, 1))
    assert scores(nn.Flatten(), colour).outputs.shape == (len(colour.shown), 8, 8)
