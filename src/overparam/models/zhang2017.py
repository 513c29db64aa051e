"""The four networks of the random-label experiments, with their published parameter counts.

Source: Zhang, Bengio, Hardt, Recht, Vinyals 2017, "Understanding deep learning requires rethinking
generalization" (arXiv:1611.03530), Table 1 and appendix A. Inputs are 28x28 crops, 3 channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overparam.checks import check_count
from overparam.models.dense import mlp

CROP_SIZE = 28  # pixels: the centre crop of a 32x32 image
# (1x1 channels, 3x3 channels) of an inception block, or the channels of a down-sampling block
INCEPTION_STAGES: tuple[tuple[int, int] | int, ...] = (
    (32, 32),
    (32, 48),
    80,
    (112, 48),
    (96, 64),
    (80, 80),
    (48, 96),
    96,
    (176, 160),
    (176, 160),
)


def mlp_1x512(n_classes: int = 10, in_channels: int = 3) -> nn.Sequential:
    """Return the perceptron with one hidden layer of 512 units for 28x28 images.

    >>> sum(p.numel() for p in mlp_1x512().parameters())
    1209866
    """
    return mlp(CROP_SIZE**2 * check_count("in_channels", in_channels), 512, n_classes)


def mlp_3x512(n_classes: int = 10, in_channels: int = 3) -> nn.Sequential:
    """Return the perceptron with three hidden layers of 512 units for 28x28 images.

    >>> sum(p.numel() for p in mlp_3x512().parameters())
    1735178
    """
    return mlp(CROP_SIZE**2 * check_count("in_channels", in_channels), (512, 512, 512), n_classes)


def alexnet_small(n_classes: int = 10, in_channels: int = 3) -> nn.Sequential:
    """Return the small AlexNet for 28x28 images.

    Twice convolution 5x5 with 64 channels, ReLU, 3x3 max-pooling of stride 2 and local response
    normalization; then linear layers of 384, 192 and K units. Padding keeps the map at 28, 14, 7.

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> sum(p.numel() for p in alexnet_small().parameters())
    1387786
    """
    layers: list[nn.Module] = []
    with torch.device("meta"):
        for n_in in (check_count("in_channels", in_channels), 64):
            layers += [nn.Conv2d(n_in, 64, 5, padding=2), nn.ReLU()]
            layers += [nn.MaxPool2d(3, stride=2, padding=1), nn.LocalResponseNorm(5)]
        layers += [nn.Flatten(), nn.Linear(64 * (CROP_SIZE // 4) ** 2, 384), nn.ReLU()]
        layers += [nn.Linear(384, 192), nn.ReLU()]
        layers += [nn.Linear(192, check_count("n_classes", n_classes))]
    return nn.Sequential(*layers)


def small_inception(
    n_classes: int = 10, in_channels: int = 3, *, batch_norm: bool = True
) -> nn.Sequential:
    """Return the small Inception network for 28x28 images.

    A 3x3 convolution with 96 channels, ten blocks (`INCEPTION_STAGES`), the mean over the last map,
    one linear layer. Convolutions have biases; batch normalization has no scale and shift of its
    own, so the count is the same with and without it.

    Args:
        batch_norm: False for the paper's "Inception w/o BatchNorm".

    Raises:
        UsageError: a size that is not a whole number >= 1.

    >>> sum(p.numel() for p in small_inception().parameters())
    1649402
    """
    with torch.device("meta"):
        n_in = 96
        layers = [_conv(check_count("in_channels", in_channels), n_in, 3, 1, batch_norm)]
        for stage in INCEPTION_STAGES:
            if isinstance(stage, int):
                pool = nn.MaxPool2d(3, stride=2, padding=1)
                layers.append(ParallelConcat(_conv(n_in, stage, 3, 2, batch_norm), pool))
                n_in += stage
            else:
                branches = (
                    _conv(n_in, stage[0], 1, 1, batch_norm),
                    _conv(n_in, stage[1], 3, 1, batch_norm),
                )
                layers.append(ParallelConcat(*branches))
                n_in = sum(stage)
        head = nn.Linear(n_in, check_count("n_classes", n_classes))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


class ParallelConcat(nn.Module):
    """Branches applied to the same input, their outputs concatenated along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `[n, c, h, w]` to `[n, sum of the branches' channels, h', w']`."""
        return torch.cat([branch(inputs) for branch in self.branches], dim=1)


def _conv(n_in: int, n_out: int, kernel: int, stride: int, batch_norm: bool) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=kernel // 2)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(n_out, affine=False))
    return nn.Sequential(*layers, nn.ReLU())
