"""What one-at-a-time training does to a network before it runs it changes nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.models.convolutional import convnet5, preact_resnet18
from overparam.streams import Streams
from overparam.training.initialise import materialise
from overparam.training.lean import lean
from overparam.training.recipe import Recipe
from overparam.training.request import solve
from overparam.training.train import train


def test_a_lean_network_has_the_same_outputs_and_gradients():
    plain = materialise(convnet5(3, image_size=16), Streams(0), torch.float64)
    fast = lean(copy.deepcopy(plain))
    assert [type(layer) for layer in fast[4:8]] == [
        nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.ReLU,
    ]  # fmt: skip
    assert type(fast[3]) is nn.Identity
    assert type(plain[3]) is nn.MaxPool2d
    assert list(fast.state_dict()) == list(plain.state_dict())
    inputs = torch.randn(
        6, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    gradients = []
    for network in (plain, fast):
        outputs = network(inputs)
        outputs.square().sum().backward()
        gradients.append((outputs, [p.grad for p in network.parameters()]))
    assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-10)


def test_a_pooling_that_returns_indices_stays_behind_its_activation():
    kept = lean(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, return_indices=True)))
    assert type(kept[0]) is nn.ReLU


@pytest.mark.parametrize("family", [convnet5, preact_resnet18])
def test_batch_normalized_networks_train_in_bfloat16(family):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(48, 3, 16, 16, generator=generator)
    data = make_dataset(inputs, torch.randint(0, 3, (48,), generator=generator), 3)
    network = (
        family(8, n_classes=3, image_size=16) if family is convnet5 else family(8, n_classes=3)
    )

    def fit(precision: str) -> dict[str, torch.Tensor]:
        recipe = Recipe(epochs=3, batch_size=None, learning_rate=0.02, precision=precision)
        return dict(solve(train(network, data, recipe, Streams(3))).state)

    low, exact = fit("bfloat16"), fit("float64")
    start = materialise(network, Streams(3), torch.float64).state_dict()
    assert all(v.dtype == torch.float32 for v in low.values() if v.is_floating_point())
    for name in ("weight", "bias", "running_mean", "running_var"):
        parts = [k for k in exact if k.endswith(name)]
        moved = sum((exact[k] - start[k]).square().sum() for k in parts).sqrt()
        apart = sum((low[k].double() - exact[k]).square().sum() for k in parts).sqrt()
        # Products rounded at 4e-3 leave the way that training went by less than half of itself
        # (activations near zero flip); what is not updated would be all of it off.
        assert apart < 0.5 * moved, (name, apart / moved)
