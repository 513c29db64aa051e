"""Members on images: convolutions, pools, normalizations of maps."""

from __future__ import annotations

import functools

from torch import nn

from overparam.models.convolutional import PreactBlock
from overparam.streams import Streams
from overparam.training.initialise import draw_weights
from tests.training.zoo.member import of, sequential
from tests.training.zoo.modules import K, images
from tests.training.zoo.modules_of_images import Reads, Unpooled, Viewed, with_dead_layer


def padded(mode: str) -> nn.Module:
    """A convolution with a mode of padding."""
    layer = nn.Conv2d(2, 4, 3, padding=1, padding_mode=mode)
    return sequential(layer, nn.ReLU(), nn.Flatten(), nn.Linear(144, K))


IMAGES_TOGETHER = of(
    "images",
    True,
    norm_of_instances_with_statistics=(
        lambda: images(nn.InstanceNorm2d(4, track_running_stats=True)),
        lambda: images(nn.InstanceNorm2d(4)),
    ),
    unpooled=(lambda: Unpooled(2), lambda: Unpooled(3)),
    view=Viewed,
    reads_inside=(lambda: Reads("adds"), lambda: Reads("slices")),
    convolution=(
        lambda: images(nn.ReLU()),
        lambda: images(nn.ReLU(), channels=3),
        lambda: images(nn.ReLU(), bias=False),
    ),
    padding_mode=tuple(
        functools.partial(padded, m) for m in ("zeros", "circular", "reflect", "replicate")
    ),
    dilation=(
        lambda: images(nn.Conv2d(4, 4, 3, padding=2, dilation=2)),
        lambda: images(nn.Conv2d(4, 4, 3, padding="same")),
    ),
    groups=(
        lambda: images(nn.Conv2d(4, 4, 3, padding=1, groups=2)),
        lambda: images(nn.Conv2d(4, 4, 3, padding=1, groups=4)),
    ),
    transposed=lambda: sequential(
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(432, K),
    ),
    norm_pool=(
        lambda: images(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), side=3),
        lambda: images(nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU(), side=3),
        lambda: images(nn.BatchNorm2d(4, momentum=0.3), nn.ReLU(), nn.MaxPool2d(2), side=3),
    ),
    pool_in_ceiling_mode=(
        lambda: images(nn.MaxPool2d(4, 3, ceil_mode=True), side=2),
        lambda: images(nn.MaxPool2d(3, 3), side=2),
    ),
    average_pool=(
        lambda: images(nn.AvgPool2d(3, 1, 1), side=6),
        lambda: images(nn.AvgPool2d(3, 1, 1, count_include_pad=False), side=6),
        lambda: images(nn.AvgPool2d(3, 1, 1, divisor_override=4), side=6),
    ),
    adaptive_pool=(
        lambda: images(nn.AdaptiveAvgPool2d(2), side=2),
        lambda: images(nn.AdaptiveMaxPool2d(2), side=2),
    ),
    norm_of_instances=(
        lambda: images(nn.InstanceNorm2d(4)),
        lambda: images(nn.InstanceNorm2d(4, affine=True)),
    ),
    group_norm_of_maps=(lambda: images(nn.GroupNorm(2, 4)), lambda: images(nn.GroupNorm(4, 4))),
    local_response=(
        lambda: images(nn.LocalResponseNorm(2)),
        lambda: images(nn.LocalResponseNorm(3)),
    ),
    upsampled=(
        lambda: images(nn.Upsample(scale_factor=2, mode="nearest"), side=12),
        lambda: images(nn.Upsample(scale_factor=2, mode="bilinear"), side=12),
    ),
    shuffled=(
        lambda: sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(36, K)
        ),
        lambda: sequential(
            nn.PixelUnshuffle(3), nn.Conv2d(18, 9, 1), nn.Flatten(), nn.Linear(36, K)
        ),
    ),
    unfolded=lambda: sequential(nn.Unfold(3), nn.Conv1d(18, 4, 3), nn.Flatten(), nn.Linear(56, K)),
    called_as_a_whole=(lambda: Reads("calls"), lambda: Reads("loops")),
    outputs_as_maps=lambda: sequential(nn.Conv2d(2, K, 3), nn.AdaptiveAvgPool2d(1)),
    pool_of_one=lambda: images(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(1)),
    residual_blocks=lambda: draw_weights(
        sequential(
            *(nn.Conv2d(2, 4, 3, padding=1), PreactBlock(4, 4, 1), PreactBlock(4, 6, 2)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, K)),
        ),
        "default",
        Streams(0),
    ),
)
IMAGES_ALONE = of(
    "images",
    False,
    dropout_of_maps=(
        lambda: with_dead_layer(0.5),
        lambda: with_dead_layer(0.2),
        lambda: images(nn.Dropout2d(0.5)),
    ),
    fractional_pool=lambda: images(nn.FractionalMaxPool2d(2, output_size=3), side=3),
)
