"""Autoencoders: parameter counts by formula, shapes, receptive fields, errors."""

import pytest
import torch
from torch import nn

from overparam.errors import UsageError
from overparam.models import (
    convolutional_autoencoder,
    dense_autoencoder,
    downsampling_autoencoder,
)
from overparam.streams import Streams
from overparam.training.initialise import materialise


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (7, 1), (5, 3)])
def test_parameters_of_the_dense_one(width, depth):
    hidden = (width + 1) * width * (depth - 1)
    assert count(dense_autoencoder(4, width, depth)) == 17 * width + hidden + (width + 1) * 16


@pytest.mark.parametrize(("c", "depth", "k"), [(1, 1, 1), (6, 1, 3), (3, 4, 5)])
def test_parameters_of_the_convolutional_ones(c, depth, k):
    inner = c * (k * k * c + 1)
    ends = c * (k * k + 1) + k * k * c + 1
    assert count(convolutional_autoencoder(c, depth, k)) == ends + (depth - 1) * inner
    halved = downsampling_autoencoder(c, depth, k, n_halvings=1)
    assert count(halved) == ends + depth * inner


@pytest.mark.parametrize(
    "model",
    [
        dense_autoencoder(8, 5, 2, activation="selu"),
        convolutional_autoencoder(3, 2, 5, activation="silu"),
        downsampling_autoencoder(3, 3, activation="tanh"),
        downsampling_autoencoder(3, 3, n_halvings=3),
    ],
    ids=["dense", "convolutional", "halved twice", "halved thrice"],
)
def test_images_come_back_as_flat_images(model):
    assert all(p.is_meta for p in model.parameters())
    alive = materialise(model, Streams(0), torch.float64)
    images = torch.from_numpy(Streams(0).numpy("images").standard_normal((2, 1, 8, 8)))
    out = alive(images)
    assert out.shape == (2, 64)
    torch.testing.assert_close(alive(images[1:]), out[1:])


def test_what_one_output_pixel_sees():
    def seen(model):
        alive = materialise(model, Streams(0), torch.float64)
        image = torch.from_numpy(Streams(0).numpy("image").standard_normal((1, 16, 16)))
        middle = torch.func.jacrev(lambda x: alive(x[None])[0, 4 * 16 + 4])(image)
        return int((middle != 0).sum())

    # Three convolutions of 3 x 3 see 7 x 7 pixels; halving twice widens that.
    assert seen(convolutional_autoencoder(8, 2, activation="tanh")) == 49
    assert seen(downsampling_autoencoder(8, 2, activation="tanh")) > 49


def test_activations_and_the_number_of_hidden_layers():
    for depth in (1, 4):
        for model in (dense_autoencoder(8, 3, depth), convolutional_autoencoder(3, depth)):
            assert sum(isinstance(part, nn.LeakyReLU) for part in model) == depth
    model = downsampling_autoencoder(3, 4, activation="relu")
    assert sum(isinstance(part, nn.ReLU) for part in model) == 5
    assert [part.stride[0] for part in model if isinstance(part, nn.Conv2d)] == [2, 2, 1, 1, 1, 1]


def test_errors():
    with pytest.raises(UsageError, match="unknown activation"):
        dense_autoencoder(8, 5, 2, activation="leaky")
    with pytest.raises(UsageError, match="unknown activation"):
        downsampling_autoencoder(5, 2, activation="leaky")
    with pytest.raises(UsageError, match="width"):
        dense_autoencoder(8, 0, 2)
    with pytest.raises(UsageError, match="depth is out of range"):
        downsampling_autoencoder(5, 1)
    with pytest.raises(UsageError, match="n_channels is out of range"):
        convolutional_autoencoder(0, 1)
    with pytest.raises(UsageError, match="only an odd kernel"):
        convolutional_autoencoder(4, 1, 4)
