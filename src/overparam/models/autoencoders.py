"""Autoencoders: fully connected, convolutional, and convolutional with downsampling.

Each maps images `[n, 1, side, side]` to as many entries, flattened: `[n, side * side]`.

Source: Radhakrishnan, Yang, Belkin, Uhler 2019 (arXiv:1810.10333) for the three kinds;
Radhakrishnan, Belkin, Uhler 2020 (arXiv:1909.12362) for deep and wide ones.
"""

from __future__ import annotations

from torch import nn

from overparam.checks import check_choice, check_count
from overparam.errors import UsageError

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "leaky_relu": nn.LeakyReLU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


def dense_autoencoder(
    side: int, width: int, depth: int, *, activation: str = "leaky_relu"
) -> nn.Sequential:
    """Return a fully connected autoencoder as a shape without weights.

    Args:
        side: of the square images in pixels, >= 1. width: units per hidden layer, >= 1.
        depth: hidden layers, >= 1, each followed by the activation; a linear layer follows.
        activation: ``leaky_relu`` (slope 0.01), ``selu``, ``silu``, ``relu``, ``tanh`` or
            ``identity``.

    Raises:
        UsageError: a size that is not a whole number >= 1, or an unknown activation.

    >>> sum(p.numel() for p in dense_autoencoder(8, 256, 1).parameters())
    33088
    """
    act = ACTIVATIONS[check_choice("activation", activation, ACTIVATIONS)]
    n_pixels, width = check_count("side", side) ** 2, check_count("width", width)
    layers: list[nn.Module] = [nn.Flatten()]
    for i in range(check_count("depth", depth)):
        layers += [nn.Linear(width if i else n_pixels, width, device="meta"), act()]
    return nn.Sequential(*layers, nn.Linear(width, n_pixels, device="meta"))


def convolutional_autoencoder(
    n_channels: int, depth: int, kernel_size: int = 3, *, activation: str = "leaky_relu"
) -> nn.Sequential:
    """Return a convolutional autoencoder that keeps the image's size throughout.

    Args:
        n_channels: channels of each hidden layer, >= 1.
        depth: hidden layers, >= 1, each followed by the activation; one convolution follows.
        kernel_size: odd, >= 1; the padding keeps the size.
        activation: as in `dense_autoencoder`.

    Raises:
        UsageError: a size out of range, an even kernel, or an unknown activation.

    >>> sum(p.numel() for p in convolutional_autoencoder(4, 2).parameters())
    225
    """
    return nn.Sequential(
        *_convolutions(n_channels, depth, kernel_size, activation, 0),
        _same_convolution(n_channels, 1, kernel_size),
        nn.Flatten(),
    )


def downsampling_autoencoder(
    n_channels: int,
    depth: int,
    kernel_size: int = 3,
    *,
    activation: str = "leaky_relu",
    n_halvings: int = 2,
) -> nn.Sequential:
    """Return a convolutional autoencoder that halves the image first and enlarges it last.

    The first `n_halvings` layers have stride 2, so that most layers see the whole of a small
    image; the nearest-neighbour upsampling is followed by one hidden layer and one convolution.

    Args:
        n_channels: channels of each hidden layer, >= 1.
        depth: hidden layers before the upsampling, >= `n_halvings`.
        kernel_size, activation: as in `convolutional_autoencoder`.
        n_halvings: >= 1; the images' side must be divisible by 2 to its power.

    Raises:
        UsageError: a size out of range, an even kernel, or an unknown activation.

    >>> sum(p.numel() for p in downsampling_autoencoder(4, 2).parameters())
    373
    """
    check_count("n_halvings", n_halvings)
    check_count("depth", depth, low=n_halvings)
    act = ACTIVATIONS[check_choice("activation", activation, ACTIVATIONS)]
    return nn.Sequential(
        *_convolutions(n_channels, depth, kernel_size, activation, n_halvings),
        nn.Upsample(scale_factor=2**n_halvings),
        _same_convolution(n_channels, n_channels, kernel_size),
        act(),
        _same_convolution(n_channels, 1, kernel_size),
        nn.Flatten(),
    )


def _convolutions(
    n_channels: int, depth: int, kernel_size: int, activation: str, n_halvings: int
) -> list[nn.Module]:
    act = ACTIVATIONS[check_choice("activation", activation, ACTIVATIONS)]
    check_count("n_channels", n_channels)
    layers: list[nn.Module] = []
    for i in range(check_count("depth", depth)):
        stride = 2 if i < n_halvings else 1
        n_in = n_channels if i else 1
        layers += [_same_convolution(n_in, n_channels, kernel_size, stride), act()]
    return layers


def _same_convolution(n_in: int, n_out: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    if check_count("kernel_size", kernel_size) % 2 == 0:
        raise UsageError(
            "only an odd kernel can be centred on a pixel", got=kernel_size, allowed="1, 3, 5, ..."
        )
    return nn.Conv2d(n_in, n_out, kernel_size, stride, kernel_size // 2, device="meta")
