"""Convolutional families: the 5-layer CNN, the pre-activation ResNet18, image to image.

Source of the first two: Nakkiran, Kaplun, Bansal, Yang, Barak, Sutskever 2019, "Deep double
descent"
(arXiv:1912.02292), appendix B.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from overparam.checks import check_count
from overparam.errors import UsageError

WIDTH_FACTORS = (1, 2, 4, 8)  # channels of the four stages, in units of the width k


def convnet5(
    width: int,
    n_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
    conv_bias: bool = True,
) -> nn.Sequential:
    """Return the 5-layer CNN of width k as a shape without weights.

    Four times convolution 3x3, batch normalization, ReLU, max-pooling, with k, 2k, 4k, 8k channels
    and pools of 1, 2, 2 and 8; then one linear layer. The last pool always covers the whole map:
    8x8 for 32x32 inputs, 7x7 for 28x28 inputs, so that the parameter count does not depend on
    the image size.

    Args:
        width: k >= 1; 64 is the standard network.
        n_classes: outputs K, >= 1.
        in_channels: channels of the images, >= 1.
        image_size: side of the square images in pixels, >= 4.
        conv_bias: whether the convolutions have biases (the batch normalization that follows
            makes them redundant; both forms are in use).

    Raises:
        UsageError: a size that is not a whole number or is too small.

    >>> sum(p.numel() for p in convnet5(64).parameters())
    1558026
    """
    check_count("width", width)
    last_pool = check_count("image_size", image_size, low=4) // 4
    layers: list[nn.Module] = []
    n_in = check_count("in_channels", in_channels)
    with torch.device("meta"):
        for factor, pool in zip(WIDTH_FACTORS, (1, 2, 2, last_pool), strict=True):
            n_out = width * factor
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=conv_bias), nn.BatchNorm2d(n_out)]
            layers += [nn.ReLU(), nn.MaxPool2d(pool)]
            n_in = n_out
        head = nn.Linear(n_in, check_count("n_classes", n_classes))
    return nn.Sequential(*layers, nn.Flatten(), head)


def preact_resnet18(
    width: int, n_classes: int = 10, in_channels: int = 3, final_norm: bool = False
) -> nn.Sequential:
    """Return the pre-activation ResNet18 of width k as a shape without weights.

    A 3x3 convolution with k channels; four stages of two blocks with k, 2k, 4k, 8k channels, the
    last three halving the map; the mean over the map; one linear layer. Convolutions have no bias.

    Args:
        width: k >= 1; 64 is the standard network.
        n_classes: outputs K, >= 1.
        in_channels: channels of the images, >= 1.
        final_norm: batch normalization and ReLU before the mean. He et al. 2016 have them; the
            network of the double-descent paper has not.

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> sum(p.numel() for p in preact_resnet18(64).parameters())
    11171146
    """
    check_count("width", width)
    with torch.device("meta"):
        layers: list[nn.Module] = [
            nn.Conv2d(check_count("in_channels", in_channels), width, 3, padding=1, bias=False)
        ]
        n_in = width
        for stage, factor in enumerate(WIDTH_FACTORS):
            n_out = width * factor
            layers += [PreactBlock(n_in, n_out, stride=1 if stage == 0 else 2)]
            layers += [PreactBlock(n_out, n_out, stride=1)]
            n_in = n_out
        if final_norm:
            layers += [nn.BatchNorm2d(n_in), nn.ReLU()]
        head = nn.Linear(n_in, check_count("n_classes", n_classes))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def same_convnet(
    depth: int,
    n_channels: int = 128,
    kernel_size: int = 5,
    *,
    image_channels: int = 1,
) -> nn.Sequential:
    """Return a convolutional network that maps images to images, as a shape without weights.

    `depth` convolutions without biases, stride 1, zero padding to the same size, ReLU between
    them; `n_channels` channels in hidden layers. The output image is flattened. Parameters:
    k^2 (2 a c + (depth - 2) c^2) for depth >= 2, kernel size k, a image channels, c channels.

    Args:
        depth: number of convolutions, >= 1; of 1, the network is linear.
        n_channels: c >= 1. kernel_size: k, odd, so that "same" padding is symmetric.
        image_channels: a >= 1, of input and output.

    Raises:
        UsageError: a size that is not a whole number >= 1, or an even kernel.

    Source: Zhang et al. 2020, "Identity Crisis" (arXiv:1902.04698), who use 5x5 and 128 channels.

    >>> sum(p.numel() for p in same_convnet(5, 1024).parameters())
    78694400
    """
    check_count("kernel_size", kernel_size)
    if kernel_size % 2 == 0:
        raise UsageError("kernel_size must be odd", got=kernel_size, allowed="1, 3, 5, ...")
    inner = [check_count("n_channels", n_channels)] * (check_count("depth", depth) - 1)
    sizes = [check_count("image_channels", image_channels), *inner, image_channels]
    layers: list[nn.Module] = []
    with torch.device("meta"):
        for n_in, n_out in pairwise(sizes):
            convolution = nn.Conv2d(n_in, n_out, kernel_size, padding=kernel_size // 2, bias=False)
            layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.Flatten())


def same_convnet_n_params(depth: int, n_channels: int, kernel_size: int = 5) -> int:
    """Return the number of parameters of `same_convnet` on images of one channel.

    N = k^2 (2 c + (L - 2) c^2) for L >= 2 layers, c channels and a k x k kernel; k^2 for L = 1.

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> same_convnet_n_params(5, 1024)
    78694400
    """
    check_count("depth", depth)
    c, k = check_count("n_channels", n_channels), check_count("kernel_size", kernel_size)
    return k * k * (1 if depth == 1 else 2 * c + (depth - 2) * c * c)


def same_convnet_width_for(n_params: int, depth: int, kernel_size: int = 5) -> int:
    """Return the number of channels c >= 1 whose network is nearest to `n_params` parameters.

    The inverse of `same_convnet_n_params` over c, for L >= 2 layers; of two equally near the
    smaller.

    Raises:
        UsageError: a size that is not a whole number >= 1, or a single layer, whose parameters
            do not depend on the channels.

    >>> same_convnet_width_for(78_694_400, 5)
    1024
    """
    check_count("n_params", n_params)
    if check_count("depth", depth) == 1:
        raise UsageError(
            "one layer has as many parameters whatever its channels", got="depth 1", allowed=">= 2"
        )
    share = n_params / check_count("kernel_size", kernel_size) ** 2
    # (L - 2) c^2 + 2 c = share, solved without cancellation; for L = 2 it is linear.
    exact = share / (1 + math.sqrt(1 + (depth - 2) * share))
    low = max(1, math.floor(exact))
    return min(
        (low, low + 1),
        key=lambda c: abs(same_convnet_n_params(depth, c, kernel_size) - n_params),
    )


class PreactBlock(nn.Module):
    """Residual block with normalization and ReLU before each of its two 3x3 convolutions.

    Where the shape changes, the shortcut is a 1x1 convolution of the activated input; elsewhere it
    is the input itself. Source: He, Zhang, Ren, Sun 2016 (arXiv:1603.05027), Fig. 4(e).
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.enter1 = nn.Sequential(nn.BatchNorm2d(n_in), nn.ReLU())
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.enter2 = nn.Sequential(nn.BatchNorm2d(n_out), nn.ReLU())
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.shortcut: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `[n, n_in, h, w]` to `[n, n_out, h/stride, w/stride]`."""
        active = self.enter1(inputs)
        skip = inputs if self.shortcut is None else self.shortcut(active)
        return skip + self.conv2(self.enter2(self.conv1(active)))
